import { assert, assertEquals } from "@std/assert";
import { acceptValue } from "../../src/websocket/mod.ts";
import { closeFrame, encode } from "./support.ts";

const SIZE = 64 * 1024;
const COUNT = 2048;
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

async function readHead(conn: Deno.Conn): Promise<string> {
  const byte = new Uint8Array(1);
  let text = "";
  while (!text.endsWith("\r\n\r\n")) {
    if (await conn.read(byte) === null) throw new Error("The connection ended in the handshake.");
    text += String.fromCharCode(byte[0]);
  }
  return text;
}

async function skip(conn: Deno.Conn, count: number): Promise<void> {
  const into = new Uint8Array(SIZE);
  for (let left = count; left > 0;) {
    const got = await conn.read(into.subarray(0, Math.min(left, SIZE)));
    if (got === null) throw new Error(`The connection ended ${left} bytes early.`);
    left -= got;
  }
}

for (const mode of ["message", "stream"]) {
  Deno.test(`${mode} mode: 128 MiB each way leave the process as it was, and the history bounded`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const main = new URL("./gateway_main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", main, `${listener.addr.port}`, mode],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value: url } = await lines.read();
    const client = await Deno.connect({ hostname: "127.0.0.1", port: Number(url!.trim().split(":").at(-1)) });
    const request = [
      "GET / HTTP/1.1",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
    ];
    await writeAll(
      client,
      new TextEncoder().encode(`${request.join("\r\n")}\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`),
    );
    const server = await listener.accept();
    await readHead(server);
    const response = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    await writeAll(
      server,
      new TextEncoder().encode(
        `${response.join("\r\n")}\r\nSec-WebSocket-Accept: ${acceptValue(KEY)}\r\n\r\n`,
      ),
    );
    await readHead(client);

    const payload = new Uint8Array(SIZE).fill(0x61);
    const up = encode({ opcode: 1, payload }, true), down = encode({ opcode: 2, payload }, false);
    const flood = async (conn: Deno.Conn, frame: Uint8Array) => {
      for (let i = 0; i < COUNT; i++) await writeAll(conn, frame);
    };
    await Promise.all([
      flood(client, up),
      flood(server, down),
      skip(client, COUNT * down.length),
      skip(server, COUNT * up.length),
    ]);
    await writeAll(client, encode(closeFrame(1000), true));
    await skip(server, encode(closeFrame(1000), true).length);
    await writeAll(server, encode(closeFrame(1000), false));
    server.close();
    await skip(client, encode(closeFrame(1000), false).length);
    client.close();
    listener.close();

    let text = "";
    for (let part = await lines.read(); !part.done; part = await lines.read()) text += part.value;
    assert((await child.status).success);
    const { growth, count, kept } = JSON.parse(text);
    assertEquals(count, 2 * COUNT);
    assert(kept <= 16 << 20);
    assert(growth < 64 << 20, `the process grew by ${(growth / (1 << 20)).toFixed()} MiB`);
  });
}
