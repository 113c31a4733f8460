import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { chunks as chunked } from "../../src/streams/split.ts";
import { bodyOf, readableOf as unsplit_ } from "../../src/streams/convert.ts";
import { bodyOfPieces, next, pieces, TestBody, text, turn, utf8, whole } from "./support.ts";

import type { Body } from "../../src/streams/body.ts";
const readableOf = (body: Body, o: { split?: boolean } = {}) =>
  unsplit_(o.split === false ? body : chunked().through(body));
const CUT = new WeirError("server", "closed", "The server closed the connection in the middle of a body.");

/** Bytes that differ from place to place. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

Deno.test("readableOf: pieces of a body without boundaries come as they are up to 4096 bytes, larger ones cut", async () => {
  const body = bodyOfPieces([pattern(10), pattern(4096), pattern(10_000)]);
  const chunks = await Array.fromAsync(readableOf(body));
  assertEquals(chunks.map((chunk) => chunk.length), [10, 4096, 4096, 4096, 1808]);
  assertEquals(concat(chunks), concat([pattern(10), pattern(4096), pattern(10_000)]));
});

Deno.test("readableOf: a piece is passed on although more of the 4096 bytes could follow", async () => {
  const body = new TestBody();
  const reader = readableOf(body).getReader();
  body.push("one event");
  assertEquals(text((await reader.read()).value!), "one event");
  await reader.cancel();
});

Deno.test("readableOf: wire chunks are put together whole, however they came", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 9000 }), fc.array(fc.integer({ min: 1, max: 4000 }))), {
      maxLength: 6,
    }),
    async (wire) => {
      const body = new TestBody({ chunked: true });
      const expected: Uint8Array[] = [];
      wire.forEach(([size, cuts]) => {
        const chunk = pattern(size);
        expected.push(chunk);
        let at = 0;
        for (const cut of [...cuts, size]) {
          const end = Math.min(size, at + cut);
          if (end > at) body.push(chunk.subarray(at, end), size - end);
          at = end;
        }
      });
      body.end();
      assertEquals(await Array.fromAsync(readableOf(body)), expected);
    },
  ));
});

Deno.test("readableOf: a wire chunk of 1 MiB is whole, a larger one comes in pieces as they arrive", async () => {
  const MiB = 1024 * 1024;
  const body = new TestBody({ chunked: true });
  body.push(pattern(1000), MiB - 1000).push(pattern(MiB - 1000));
  body.push(pattern(1000), MiB + 1).push(pattern(MiB + 1));
  body.push("next").end();
  const chunks = await Array.fromAsync(readableOf(body));
  assertEquals(chunks.map((chunk) => chunk.length), [MiB, 1000, MiB, 1, 4]);
});

Deno.test("readableOf: the beginning of a wire chunk waits for the rest of it", async () => {
  const body = new TestBody({ chunked: true });
  const reader = readableOf(body).getReader();
  body.push("ha", 2);
  let got = "";
  const reading = reader.read().then(({ value }) => got = text(value!));
  await turn();
  assertEquals(got, "");
  body.push("lf");
  await reading;
  assertEquals(got, "half");
  await reader.cancel();
});

Deno.test("readableOf: nothing is read before it is asked for, and one chunk for each read", async () => {
  const body = bodyOfPieces(["a", "b", "c"]);
  const reader = readableOf(body).getReader();
  await turn();
  assertEquals(body.taken, 0);
  await reader.read();
  await turn();
  assertEquals(body.taken, 1);
  await reader.cancel();
  assertInstanceOf(body.cancelled, WeirError);
});

Deno.test("readableOf: a body that is cut short fails the stream with its error", async () => {
  const body = new TestBody().push("x").end(CUT);
  const reader = readableOf(body).getReader();
  assertEquals(text((await reader.read()).value!), "x");
  assertEquals(await assertRejects(() => reader.read()), CUT);
});

Deno.test("readableOf: chunks belong to the reader", async () => {
  const kept = await Array.fromAsync(readableOf(bodyOfPieces(["first", "second"])));
  const unsplit = await Array.fromAsync(readableOf(bodyOfPieces(["first", "second"]), { split: false }));
  assertEquals(kept.map(text), ["first", "second"]);
  assertEquals(unsplit.map(text), ["first", "second"]);
});

Deno.test("readableOf: without splitting, pieces stay as large as they were", async () => {
  const chunks = await Array.fromAsync(readableOf(bodyOfPieces([pattern(50_000)]), { split: false }));
  assertEquals(chunks.map((chunk) => chunk.length), [50_000]);
});

Deno.test("bodyOf: every chunk is a chunk of the body, empty ones are nothing, text is UTF-8", async () => {
  const values = [
    "grüße",
    new Uint8Array(0),
    utf8("b"),
    utf8("xcx").buffer,
    new DataView(utf8("xdx").buffer, 1, 1),
    "",
  ];
  const body = bodyOf(ReadableStream.from<unknown>(values));
  assertEquals([body.size, body.chunked, body.chunkLeft], [null, true, 0]);
  assertEquals((await pieces(body)).map(text), ["grüße", "b", "xcx", "d"]);
  assertEquals(body.take(), null);
});

Deno.test("bodyOf: size and trailers are as given; trailers are asked for once, at the end", async () => {
  let asked = 0;
  const body = bodyOf(ReadableStream.from(["ab"]), { size: 2, trailers: () => (asked++, ["x-sum", "1"]) });
  assertEquals(body.size, 2);
  assertEquals([body.trailers, asked], [null, 0]);
  await whole(body);
  assertEquals([body.trailers, body.trailers, asked], [["x-sum", "1"], ["x-sum", "1"], 1]);
});

Deno.test("bodyOf: what is no bytes fails the body with an error that names the type", async () => {
  const errors: WeirError[] = [];
  const body = bodyOf(ReadableStream.from<unknown>(["ok", 42]), { onError: (error) => errors.push(error) });
  assertEquals(text((await next(body))!), "ok");
  const error = await assertRejects(() => next(body), WeirError, "the number 42");
  assertEquals([error.side, error.code], ["weir", "addon"]);
  assertEquals(errors, [error]);
});

Deno.test("bodyOf: a stream that fails fails the body, after what came before", async () => {
  const failure = new Error("no more");
  const readable = new ReadableStream<string>({
    pull(controller) {
      controller.enqueue("last words");
      controller.error(failure);
    },
  });
  const error = await assertRejects(() => whole(bodyOf(readable)), WeirError, "no more");
  assertEquals(error.cause, failure);
});

Deno.test("bodyOf: pieces that are ready together are taken together, and copied from a buffer that is used again", async () => {
  const buffer = new Uint8Array(1);
  let n = 0;
  const readable = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (n === 5) return controller.close();
      buffer[0] = n++;
      controller.enqueue(buffer);
    },
  }, { highWaterMark: 0 });
  const body = bodyOf(readable);
  await body.fill();
  const got: number[] = [];
  for (let piece = body.take(); piece; piece = body.take()) got.push(piece[0]);
  assertEquals(got, [0, 1, 2, 3, 4]);
});

Deno.test("bodyOf: a piece that is ready does not wait for one that is not", async () => {
  let controller: ReadableStreamDefaultController<string>;
  const body = bodyOf(new ReadableStream<string>({ start: (c) => void (controller = c) }));
  const got: string[] = [];
  const reading = (async () => {
    for (let piece = await next(body); piece !== null; piece = await next(body)) got.push(text(piece));
  })();
  for (const event of ["one", "two", "three"]) {
    controller!.enqueue(event);
    await turn();
    assertEquals(got.at(-1), event);
  }
  controller!.close();
  await reading;
});

Deno.test("bodyOf: cancelling cancels the stream and ends a fill that waits", async () => {
  let cancelled: unknown;
  const body = bodyOf(new ReadableStream({ cancel: (reason) => void (cancelled = reason) }));
  const filling = body.fill();
  body.cancel(CUT);
  body.cancel(CUT);
  assertEquals(await assertRejects(() => filling), CUT);
  assertEquals(cancelled, CUT);
});

Deno.test("through both doors a body stays what it was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 9000 })), async (parts) => {
      const source = bodyOfPieces(parts);
      source.trailers = ["a", "b"];
      const body = bodyOf(readableOf(source), { trailers: () => source.trailers });
      assertEquals(await whole(body), concat(parts));
      assertEquals(body.trailers, ["a", "b"]);
    }),
  );
});

Deno.test("a body that is read through both doors reads ahead of its reader by a bounded number of bytes", async () => {
  const source = new TestBody();
  for (let i = 0; i < 1000; i++) source.push(new Uint8Array(4096));
  const body = bodyOf(readableOf(source));
  await body.fill();
  body.take();
  await turn();
  assert(source.taken <= 18, `${source.taken} pieces were read for one`);
  body.cancel(CUT);
});
