/**
 * Few bytes on the wire cost few bytes of memory: the program's resident set after what a hostile or merely idle peer sent.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { PREFACE } from "../../src/http2/frames.ts";
import { absolute, Client, exchange } from "./support/client.ts";
import { bulk, origin, tcpOrigin, withLength } from "./support/origin.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import type { Wire } from "./support/wire.ts";

const MIB = 1024 * 1024;

/** Connections that stay open until the test is over. */
class Held implements AsyncDisposable {
  readonly clients: Client[] = [];

  async connect(weir: Weir): Promise<Client> {
    const client = await Client.connect(weir);
    this.clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) await client[Symbol.asyncDispose]();
  }
}

/** What weir has grown by since `before`, once it has settled. */
async function growth(weir: Weir, before: number): Promise<number> {
  let last = await weir.rss();
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = await weir.rss();
    if (Math.abs(now - last) < MIB) return now - before;
    last = now;
  }
  return last - before;
}

async function read(wire: Wire, bytes: number): Promise<void> {
  for (let left = bytes; left > 0;) {
    const piece = Math.min(left, 64 * 1024);
    await wire.readExactly(piece);
    left -= piece;
  }
}

Deno.test("300 uploads of a byte each that declare 1 MiB cost little, and memory_limit lets the next ones through", async () => {
  await using server = await origin(bulk(10));
  await using weir = await startWeir({ args: ["--set", "memory_limit=64m", "--flow-detail", "0"] });
  await using held = new Held();
  const before = await weir.rss();
  for (let i = 0; i < 300; i++) {
    const client = await held.connect(weir);
    await client.send(absolute(server.url(), { method: "POST", fields: `Content-Length: ${MIB}\r\n` }) + "x");
  }
  const grown = await growth(weir, before);
  assert(grown < 60 * MIB, `weir grew by ${grown >> 20} MiB`);
  const client = await held.connect(weir);
  await client.send(absolute(server.url()));
  assertEquals((await client.response()).head.statusCode, 200);
  await weir.stop();
});

Deno.test("60 raw tunnels that have carried 4 MiB each and are idle hold little", async () => {
  await using server = await tcpOrigin(async (wire) => {
    await wire.readExactly(2);
    const block = new Uint8Array(64 * 1024).fill(98);
    for (let i = 0; i < 64; i++) await wire.send(block);
    await wire.readExactly(1).catch(() => {});
  });
  await using weir = await startWeir({ args: ["--flow-detail", "0"] });
  await using held = new Held();
  const before = await weir.rss();
  for (let i = 0; i < 60; i++) {
    const client = await held.connect(weir);
    await client.tunnel(server.authority);
    await client.send(Uint8Array.of(0, 1));
    await read(client, 4 * MIB);
  }
  const grown = await growth(weir, before);
  assert(grown < 100 * MIB, `weir grew by ${grown >> 20} MiB`);
  await weir.stop();
});

function frame(type: number, flags: number, id: number, payload: Uint8Array): Uint8Array {
  return Uint8Array.of(0, payload.length >> 8, payload.length, type, flags, 0, 0, 0, id, ...payload);
}

function literals(...fields: string[]): Uint8Array {
  const bytes = fields.map((text) => [text.length, ...new TextEncoder().encode(text)]);
  return Uint8Array.from(bytes.flatMap((text, i) => i % 2 === 0 ? [0, ...text] : text));
}

Deno.test("an HTTP/2 connection that has carried 1 MiB and is idle holds less than 150 KiB", async () => {
  await using server = await origin(bulk(MIB));
  await using weir = await startWeir({ args: ["--flow-detail", "0", "--set", "stream_large_bodies=1"] });
  await using held = new Held();
  const get = literals(":method", "GET", ":scheme", "http", ":authority", server.authority, ":path", "/");
  const open = async () => {
    const client = await held.connect(weir);
    await client.send(PREFACE);
    await client.send(frame(4, 0, 0, Uint8Array.of(0, 4, 1, 0, 0, 0)));
    await client.send(frame(8, 0, 0, Uint8Array.of(1, 0, 0, 0)));
    await client.send(frame(1, 5, 1, get));
    await read(client, MIB);
  };
  // What is allocated once is no matter of a connection's.
  for (let i = 0; i < 50; i++) await open();
  const before = await weir.rss();
  const count = 250;
  for (let i = 0; i < count; i++) await open();
  const each = await growth(weir, before) / count / 1024;
  assert(each < 150, `${each.toFixed()} KiB each`);
  await weir.stop();
});

Deno.test("bombs cost what is shown of them, at every level of detail, and others need not wait", async () => {
  const bomb = gzipSync(gzipSync(new Uint8Array(128 * MIB)));
  const deep = `${"[".repeat(24_000)}${"]".repeat(24_000)}`;
  await using server = await origin((wire, request) => {
    if (request.target === "/bomb") {
      return withLength(bomb, "Content-Encoding: gzip, gzip\r\n")(wire, request);
    }
    return withLength(deep, "Content-Type: application/json\r\n")(wire, request);
  });
  for (const detail of ["3", "4"]) {
    await using weir = await startWeir({ args: ["--flow-detail", detail, "--set", "memory_limit=64m"] });
    await exchange(weir, server.url("/warm"));
    const before = await weir.rss();
    for (let i = 0; i < 5; i++) {
      await exchange(weir, server.url("/bomb"));
      await exchange(weir, server.url("/deep"));
    }
    const grown = await growth(weir, before);
    assert(grown < 250 * MIB, `weir grew by ${grown >> 20} MiB at level ${detail}`);
    await weir.stop();
  }
});

Deno.test("3 000 uploads over HTTP/2 of a byte each, of which none is taken yet, cost little", async () => {
  await using weir = await startWeir({
    args: ["--flow-detail", "0"],
    addon: "export const requestheaders = () => new Promise(() => {});",
  });
  await using held = new Held();
  const post = literals(":method", "POST", ":scheme", "http", ":authority", "example.com", ":path", "/");
  const before = await weir.rss();
  for (let i = 0; i < 30; i++) {
    const client = await held.connect(weir);
    await client.send(PREFACE);
    await client.send(frame(4, 0, 0, new Uint8Array(0)));
    for (let id = 1; id < 200; id += 2) {
      await client.send(frame(1, 4, id, post));
      await client.send(frame(0, 0, id, Uint8Array.of(1)));
    }
    // Its answer shows that all before it was read.
    await client.send(frame(6, 0, 0, new Uint8Array(8)));
    while ((await readFrame(client))[3] !== 6);
  }
  const grown = await growth(weir, before);
  assert(grown < 70 * MIB, `weir grew by ${grown >> 20} MiB`);
});

async function readFrame(client: Client): Promise<Uint8Array> {
  const head = await client.readExactly(9);
  await client.readExactly(head[1] << 8 | head[2]);
  return head;
}
