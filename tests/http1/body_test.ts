import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { incomingBody } from "../../src/http1/body.ts";
import type { BodyLength } from "../../src/http1/framing.ts";
import { ReadBuffer } from "../../src/http1/read_buffer.ts";
import {
  latin1,
  type MemoryConn,
  memoryConnPair,
  type Split,
  splitBy,
  whole,
} from "../support/memory_conn.ts";
import { piecesOf, textOf } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

function incoming(length: BodyLength, split: Split = whole) {
  const [peer, conn] = memoryConnPair({ split });
  const ends: (WeirError | null)[] = [];
  const buffer = new ReadBuffer(conn, "server");
  return { peer, conn, buffer, ends, body: incomingBody(buffer, length, (error) => ends.push(error)) };
}

Deno.test("a body by content-length ends after its bytes and leaves the next ones", async () => {
  const { peer, body, buffer, ends } = incoming(5);
  await peer.writeText("helloGET");
  assertEquals(body.size, 5);
  assertEquals(await textOf(body), "hello");
  assertEquals([buffer.length, ends], [3, [null]]);
  assertEquals(body.take(), null);
});

Deno.test("bytes that are in the buffer are taken without waiting", async () => {
  const { peer, body, buffer } = incoming("chunked");
  await peer.writeText("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  await buffer.read();
  const taken = [body.take(), body.take(), body.take()].map((piece) => piece?.length ?? null);
  assertEquals(taken, [2, 1, null]);
});

Deno.test("chunk boundaries are seen through chunkLeft", async () => {
  const { peer, body, buffer } = incoming("chunked");
  await peer.writeText("5\r\nab");
  await buffer.read();
  assertEquals([body.take()?.length, body.chunkLeft], [2, 3]);
  assertEquals(body.take(), undefined);
  await peer.writeText("cde\r\n1\r\nf\r\n0\r\nT: 1\r\n\r\n");
  assertEquals(await piecesOf(body), [{ text: "cde", left: 0 }, { text: "f", left: 0 }]);
  assertEquals(body.trailers, ["T", "1"]);
});

Deno.test("fill resolves only when take has something to say", async () => {
  const { peer, body } = incoming("chunked");
  const filled = body.fill();
  for (const part of ["5;", "ext\r", "\n"]) await peer.writeText(part);
  await peer.writeText("a");
  await filled;
  assertEquals(body.take()?.length, 1);
});

Deno.test("a body is the same at any split", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ minLength: 1, maxLength: 9000, unit: "grapheme-ascii" }), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }),
      async (chunks, splits) => {
        const text = chunks.join("");
        const wire = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("") +
          "0\r\n\r\n";
        for (
          const [length, sent] of [["chunked", wire], ["close", text], [text.length, text]] as [
            BodyLength,
            string,
          ][]
        ) {
          if (length === 0) continue;
          const { peer, body } = incoming(length, splitBy(splits));
          const [, read] = await Promise.all([
            peer.writeText(sent).then(() => peer.closeWrite()),
            textOf(body),
          ]);
          assertEquals(read, text);
        }
      },
    ),
    { numRuns: 30 },
  );
});

const CUTS: [string, BodyLength, string, (peer: MemoryConn) => unknown][] = [
  ["content-length, ended", 5, "hell", (peer) => peer.closeWrite()],
  ["content-length, reset", 5, "hell", (peer) => peer.reset()],
  ["chunked, ended in a chunk", "chunked", "5\r\nhell", (peer) => peer.closeWrite()],
  ["chunked, ended after a chunk", "chunked", "4\r\nhell\r\n", (peer) => peer.closeWrite()],
  ["chunked, ended before the last empty line", "chunked", "4\r\nhell\r\n0\r\n", (peer) => peer.closeWrite()],
  ["chunked, reset", "chunked", "4\r\nhell\r\n", (peer) => peer.reset()],
  ["until close, reset", "close", "hell", (peer) => peer.reset()],
];
for (const [what, length, sent, end] of CUTS) {
  Deno.test(`a body that is cut short is an error of its side (${what})`, async () => {
    const { peer, body, ends } = incoming(length);
    await peer.writeText(sent);
    await body.fill();
    await end(peer);
    const error = await assertRejects(() => textOf(body), WeirError);
    assertEquals([error.side, error.code], ["server", "closed"]);
    assertEquals(ends, [error]);
  });
}

Deno.test("a body until close ends with the connection", async () => {
  const { peer, body, ends } = incoming("close");
  await peer.writeText("all of it");
  await peer.closeWrite();
  assertEquals([await textOf(body), ends], ["all of it", [null]]);
});

Deno.test("RFC 9112 §9.8: a body until close that ends without close_notify is cut, whatever came of it", async () => {
  for (const sent of ["", "some of it"]) {
    const { peer, conn, body, ends } = incoming("close");
    await peer.writeText(sent);
    await peer.closeWrite();
    conn.truncated = true;
    const pieces: Uint8Array[] = [];
    const error = await assertRejects(
      async () => {
        for (let piece; (piece = body.take()) !== null;) {
          if (piece === undefined) await body.fill();
          else pieces.push(piece.slice());
        }
      },
      WeirError,
      "ended without close_notify",
    );
    assertEquals(pieces.map(latin1).join(""), sent);
    assertEquals([error.side, error.code, ends], ["server", "closed", [error]]);
  }
});

Deno.test("bodies that say where they end need no close_notify", async () => {
  for (const [length, sent] of [[4, "body"], ["chunked", "4\r\nbody\r\n0\r\n\r\n"]] as const) {
    const { peer, conn, buffer, body, ends } = incoming(length);
    conn.truncated = true;
    await peer.writeText(sent);
    await peer.closeWrite();
    while (!buffer.ended) await buffer.read();
    assertEquals([await textOf(body), ends], ["body", [null]]);
  }
});

Deno.test("a broken chunk is found after the good ones were given", async () => {
  const { peer, body } = incoming("chunked");
  await peer.writeText("1\r\na\r\n0x1\r\nb\r\n");
  await body.fill();
  assertEquals(body.take()?.length, 1);
  await body.fill();
  const error = await assertRejects(() => textOf(body), WeirError);
  assertEquals([error.side, error.code], ["server", "protocol"]);
});

Deno.test("a cancelled body gives its reason from then on, once", () => {
  const { body, ends } = incoming(5), reason = new WeirError("weir", "killed", "killed");
  body.cancel(reason);
  body.cancel(new WeirError("weir", "internal", "again"));
  assertEquals(ends, [reason]);
});
