import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import type { Body } from "../../src/streams/body.ts";
import { bytesBody, joinedBody } from "../../src/streams/bytes_body.ts";
import { collect } from "../../src/streams/collect.ts";
import { bodyOfPieces, pieces, TestBody, text, turn, utf8, whole } from "./support.ts";

const CUT = new WeirError("client", "closed", "The client closed the connection in the middle of a body.");

/** The wire chunks of a chunked body, put together by `chunkLeft`; checks that it counts down exactly. */
async function wireChunks(body: Body): Promise<string[]> {
  const chunks: string[] = [];
  let parts: Uint8Array[] = [], expected = -1;
  for (;;) {
    const piece = body.take();
    if (piece === null) break;
    if (piece === undefined) {
      await body.fill();
      continue;
    }
    if (expected !== -1) assertEquals(body.chunkLeft, expected - piece.length);
    expected = body.chunkLeft > 0 ? body.chunkLeft : -1;
    parts.push(piece.slice());
    if (body.chunkLeft > 0) continue;
    chunks.push(text(concat(parts)));
    parts = [];
  }
  assertEquals(parts, []);
  return chunks;
}

Deno.test("bytesBody: one piece; its size is known, but left open where trailers follow", async () => {
  assertEquals(bytesBody(utf8("abc")).size, 3);
  const body = bytesBody(utf8("abc"), ["x", "y"]);
  assertEquals([body.size, body.chunked, body.chunkLeft, body.trailers], [null, false, 0, ["x", "y"]]);
  assertEquals((await pieces(body)).map(text), ["abc"]);
  assertEquals(bytesBody(new Uint8Array(0)).take(), null);
});

Deno.test("bytesBody: once cancelled it does not end in order", () => {
  const body = bytesBody(utf8("abc"));
  body.cancel(CUT);
  try {
    body.take();
  } catch (thrown) {
    return assertEquals(thrown, CUT);
  }
  throw new Error("take gave something");
});

Deno.test("joinedBody: what was taken comes first, with the chunk boundaries it had", async () => {
  const rest = new TestBody({ chunked: true, size: null }).push("ef", 1).push("g").end();
  const kept = [{ bytes: utf8("ab"), chunkLeft: 0 }, { bytes: utf8("cd"), chunkLeft: 3 }];
  assertEquals(await wireChunks(joinedBody(kept, rest)), ["ab", "cdefg"]);
});

Deno.test("joinedBody: cancelling reaches the source", () => {
  const rest = new TestBody();
  joinedBody([], rest).cancel(CUT);
  assertEquals(rest.cancelled, CUT);
});

Deno.test("collect: a body within the limit is whole, with its trailers, and belongs to the caller", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 })),
    fc.boolean(),
    async (parts, sized) => {
      const bytes = concat(parts);
      const body = bodyOfPieces(parts);
      body.trailers = ["a", "1"];
      if (sized) body.size = bytes.length;
      const collected = await collect(body, { switchAt: bytes.length });
      assert(collected.kind === "whole");
      assertEquals(collected.bytes, bytes);
      assertEquals(collected.bytes.buffer.byteLength, bytes.length);
      assertEquals(collected.trailers, ["a", "1"]);
    },
  ));
});

Deno.test("collect: as soon as more than the limit has come, the body goes on, nothing lost, boundaries kept", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.array(fc.integer({ min: 1, max: 12 })))),
    fc.integer({ min: 0, max: 300 }),
    async (wire, switchAt) => {
      const body = new TestBody({ chunked: true });
      const expected: string[] = [];
      for (const [chunk, cuts] of wire) {
        const bytes = utf8(chunk);
        expected.push(text(bytes));
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          const end = Math.min(bytes.length, at + cut);
          if (end > at) body.push(bytes.subarray(at, end), bytes.length - end);
          at = end;
        }
      }
      body.end();
      const collected = await collect(body, { switchAt });
      if (collected.kind === "whole") {
        assertEquals(text(collected.bytes), expected.join(""));
        assert(collected.bytes.length <= switchAt);
      } else {
        assert(collected.held > switchAt);
        assertEquals(collected.rest.chunked, true);
        assertEquals(await wireChunks(collected.rest), expected);
      }
    },
  ));
});

Deno.test("collect: the switch comes with the byte that is too many, not later", async () => {
  const body = new TestBody().push("12345");
  let done = false;
  const collecting = collect(body, { switchAt: 6 }).then((collected) => {
    done = true;
    return collected;
  });
  await turn();
  assertEquals(done, false);
  body.push("6");
  await turn();
  assertEquals(done, false);
  body.push("7");
  const collected = await collecting;
  assert(collected.kind === "overflow");
  body.push("89").end();
  assertEquals(text(await whole(collected.rest)), "123456789");
});

Deno.test("collect: a declared size that is too much is not waited for", async () => {
  const body = new TestBody({ size: 7 });
  const collected = await collect(body, { switchAt: 6 });
  assert(collected.kind === "overflow");
  assertStrictEquals(collected.rest, body);
});

Deno.test("collect: 0 holds nothing back but what shows that there is a body; an empty body is whole", async () => {
  const one = await collect(bodyOfPieces(["x"]), { switchAt: 0 });
  assertEquals(one.kind, "overflow");
  const none = await collect(bodyOfPieces([]), { switchAt: 0 });
  assertEquals(none.kind, "whole");
});

Deno.test("collect: whoever counts the bytes can have it stop, and loses none", async () => {
  let budget = 5;
  const body = bodyOfPieces(["abc", "def", "ghi"]);
  const collected = await collect(body, { switchAt: 1000, onBytes: (n) => (budget -= n) >= 0 });
  assert(collected.kind === "overflow");
  assertEquals([collected.held, body.taken, budget], [6, 2, -1]);
  assertEquals(text(await whole(collected.rest)), "abcdefghi");
});

Deno.test("collect: a body that is cut short rejects with its error", async () => {
  assertEquals(await assertRejects(() => collect(new TestBody().push("x").end(CUT), { switchAt: 10 })), CUT);
});

Deno.test("collect: a size that is claimed is not believed before bytes come", async () => {
  const body = new TestBody({ size: 2 ** 40 });
  body.push("abc");
  // 1 TiB could not be set aside: this would throw.
  const collecting = collect(body, { switchAt: 2 ** 41 });
  await turn();
  body.end(CUT);
  assertEquals(await assertRejects(() => collecting), CUT);
});

Deno.test("collect: a large body of unknown size", async () => {
  const part = Uint8Array.from({ length: 60_000 }, (_, i) => i % 251);
  const parts = Array<Uint8Array>(100).fill(part);
  const collected = await collect(bodyOfPieces(parts), { switchAt: 10_000_000 });
  assert(collected.kind === "whole");
  assertEquals(collected.bytes, concat(parts));
});
