/** Stages for units through the real proxy: one event in, one event out, also through content codings; real gRPC. @module */
import { assertEquals } from "@std/assert";
import zlib from "node:zlib";
import { decoded, sseStream } from "weir";
import { absolute, Client } from "./support/client.ts";
import { origin } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { Events } from "./support/within.ts";

/** What packs and unpacks a stream, flushed with each write. */
const CODINGS = {
  "": null,
  gzip: () => ({
    pack: zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
    unpack: zlib.createGunzip(),
  }),
  br: () => ({
    pack: zlib.createBrotliCompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH }),
    unpack: zlib.createBrotliDecompress(),
  }),
};

type Machine = ReturnType<typeof zlib.createGzip> | ReturnType<typeof zlib.createBrotliDecompress>;

/** What comes out of a machine for these bytes. */
async function through(machine: Machine, bytes: Uint8Array): Promise<Uint8Array> {
  await new Promise((resolve) => machine.write(bytes, resolve));
  return machine.read() ?? new Uint8Array(0);
}

for (const [coding, make] of Object.entries(CODINGS)) {
  Deno.test(`an event that a function changes is with the client before the next one is sent (${coding || "plain"})`, async () => {
    const got = new Events();
    const machines = make?.() ?? null;
    await using server = await origin(async (wire) => {
      const field = coding && `Content-Encoding: ${coding}\r\n`;
      await wire.send(
        `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${field}Transfer-Encoding: chunked\r\n\r\n`,
      );
      for (let n = 0; n < 20; n++) {
        const event = new TextEncoder().encode(`data: ${n}\n\n`);
        const bytes = machines === null ? event : await through(machines.pack, event);
        await wire.send(`${bytes.length.toString(16)}\r\n`);
        await wire.send(bytes);
        await wire.send("\r\n");
        await got.seen(`${n}`);
      }
      await wire.send("0\r\n\r\n");
    });
    await using proxy = await startProxy({
      responseheaders({ response }) {
        response!.stream = decoded(response!, sseStream((event) => void (event.data += "!")));
      },
    });
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    const body = client.body(await client.head());
    for (let n = 0; n < 20; n++) {
      let text = "";
      while (!text.endsWith("\n\n")) {
        const piece = (await body.next())!;
        text += new TextDecoder().decode(machines === null ? piece : await through(machines.unpack, piece));
      }
      assertEquals(text, `data: ${n}!\n\n`);
      got.push(`${n}`);
    }
    machines?.pack.destroy();
    machines?.unpack.destroy();
  });
}
