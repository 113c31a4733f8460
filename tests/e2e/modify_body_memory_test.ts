/** modify_body on a download of any size, gzip-coded and chunked: the edit of the whole, with flat memory (issue "Rules", 2). @module */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import zlib from "node:zlib";
import { absolute, Client } from "./support/client.ts";
import { origin } from "./support/origin.ts";
import { startWeir } from "./support/weir.ts";

const MIB = 1024 * 1024;
const BODY = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 48) * MIB;
/** Bytes of text that are made at a time. */
const BLOCK = 64 * 1024;

/** Lines with something to replace in some of them, also where one block ends and the next begins; both kinds in step. */
function* blocks(isEdited: boolean): Generator<Uint8Array, void> {
  const encoder = new TextEncoder();
  let text = "", made = "";
  for (let line = 0, size = 0; size < BODY; line++) {
    const number = line * 7919 % 10_000, end = line % 5 === 0 ? "\n" : " ";
    const plain = `${line % 13 === 0 ? `needle-${number}` : `needles-${number} hay \u00fc`}${end}`;
    text += plain;
    made += isEdited && line % 13 === 0 ? `[${number}]${end}` : plain;
    if (text.length < BLOCK) continue;
    size += text.length;
    yield encoder.encode(made);
    text = made = "";
  }
}

Deno.test(`modify_body edits a download of ${BODY / MIB} MiB, gzip-coded and chunked, with flat memory`, async () => {
  await using server = await origin(async (wire) => {
    await wire.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const packed = ReadableStream.from(blocks(false)).pipeThrough(compressor());
    for await (const chunk of packed) {
      await wire.send(`${chunk.length.toString(16)}\r\n`);
      await wire.send(chunk);
      await wire.send("\r\n");
    }
    await wire.send("0\r\n\r\n");
  });
  await using weir = await startWeir({
    args: ["-B", "/needle-(\\d+)/[\\1]", "--set", "stream_large_bodies=1m"],
  });
  await using client = await Client.connect(weir);
  const hash = createHash("sha256");
  let size = 0;
  const growth = await weir.growthDuring((async () => {
    await client.send(absolute(server.url()));
    const head = await client.head();
    assertEquals([head.get("content-encoding"), head.get("content-length")], ["gzip", null]);
    const body = client.body(head);
    const packed = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const piece = await body.next();
        if (piece === null) controller.close();
        else controller.enqueue(piece.slice());
      },
    }, { highWaterMark: 0 });
    for await (const piece of packed.pipeThrough(new DecompressionStream("gzip") as BytesPair)) {
      hash.update(piece);
      size += piece.length;
    }
  })());
  const expected = createHash("sha256");
  let expectedSize = 0;
  for (const block of blocks(true)) {
    expected.update(block);
    expectedSize += block.length;
  }
  assertEquals(size, expectedSize);
  assertEquals(hash.digest("hex"), expected.digest("hex"));
  assert(growth < 32 * MIB, `weir grew by ${growth / MIB} MiB`);
  await weir.stop();
});

type BytesPair = TransformStream<Uint8Array, Uint8Array>;

/** gzip at its fastest: the origin is not what is measured. */
function compressor(): BytesPair {
  const gzip = zlib.createGzip({ level: 1 });
  return new TransformStream({
    start: (controller) => void gzip.on("data", (piece: Uint8Array) => controller.enqueue(piece.slice())),
    transform: (block) => new Promise((resolve) => gzip.write(block, () => resolve())),
    flush: () => new Promise((resolve) => gzip.once("end", resolve).end()),
  });
}
