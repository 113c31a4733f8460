/**
 * What holds for every box on a body's way: it is a `TransformStream`, works alone with `pipeThrough` and behind a body, gives
 * the same either way, and serves one body. What each of them does is tested in a file of its own.
 */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { perChunk } from "../../src/streams/chunk_hook.ts";
import { decodeBytes, encodeBytes } from "../../src/streams/coding.ts";
import { decodeStream, encodeStream } from "../../src/streams/coding_stream.ts";
import { generated } from "../../src/streams/generator_hook.ts";
import { checkStreamValue, piped, stagesOf } from "../../src/streams/hook.ts";
import { limit, observe } from "../../src/streams/observe.ts";
import { rechunkStream } from "../../src/streams/rechunk.ts";
import { replaceStream } from "../../src/streams/replace.ts";
import { chunks } from "../../src/streams/split.ts";
import { Stage } from "../../src/streams/stage.ts";
import { StoredBody } from "../../src/streams/store.ts";
import { foreign } from "../../src/streams/stream_hook.ts";
import { tee } from "../../src/streams/tee.ts";
import { withTrailers } from "../../src/streams/trailed.ts";
import { valved } from "../../src/streams/valve.ts";
import { bodyOfPieces, text, utf8, whole } from "./support.ts";

/** The stages by name: how one is made, and what it makes of "one" and "two". */
const STAGES: Record<string, { make: () => Stage; gives: string }> = {
  valve: { make: () => valved({ valve: null }), gives: "onetwo" },
  limit: { make: () => limit(6, () => new WeirError("client", "limit", "too large")), gives: "onetwo" },
  meter: { make: () => observe({ piece() {}, end() {} }), gives: "onetwo" },
  tee: { make: () => tee(new StoredBody()), gives: "onetwo" },
  trailers: { make: () => withTrailers(() => ["x", "y"]), gives: "onetwo" },
  chunks: { make: () => chunks(), gives: "onetwo" },
  "a function for each chunk": {
    make: () => perChunk((chunk) => chunk.length === 0 ? "." : [chunk, "-"]),
    gives: "one-two-.",
  },
  "an async generator": {
    make: () =>
      generated(async function* (all) {
        for await (const chunk of all) yield text(chunk).toUpperCase();
      }),
    gives: "ONETWO",
  },
  "somebody else's streams": {
    make: () =>
      foreign(
        new TransformStream({
          transform: (chunk, out) => out.enqueue(utf8(`<${text(chunk as Uint8Array)}>`)),
        }),
      ),
    gives: "<one><two>",
  },
  replace: { make: () => replaceStream("et", "-") as Stage, gives: "on-wo" },
  "encode, then decode": {
    make: () =>
      new Stage((source) => piped(source, [encodeStream("gzip, zstd"), decodeStream("gzip, zstd")])),
    gives: "onetwo",
  },
};

for (const [name, { make, gives }] of Object.entries(STAGES)) {
  Deno.test(`${name}: a TransformStream that gives the same alone and behind a body`, async () => {
    assert(make() instanceof TransformStream);
    const source = () => ReadableStream.from([utf8("one"), utf8("two")]);
    assertEquals(await new Response(source().pipeThrough(make())).text(), gives);
    assertEquals(text(await whole(make().through(bodyOfPieces(["one", "two"])))), gives);
    assertEquals(text(await whole(piped(bodyOfPieces(["one", "two"]), stagesOf(make())))), gives);
  });

  Deno.test(`${name}: used twice, it says so`, async () => {
    const SAYS = "make a new one for each body";
    const behind = make();
    const body = behind.through(bodyOfPieces(["one", "two"]));
    assert(behind.locked);
    assertThrows(() => behind.through(bodyOfPieces(["three"])), TypeError, SAYS);
    assertThrows(() => behind.readable, TypeError, SAYS);
    assertThrows(() => ReadableStream.from([utf8("x")]).pipeThrough(behind), TypeError, SAYS);
    assertThrows(() => checkStreamValue(behind), TypeError, "in use; make a new one per message");
    const again = piped(bodyOfPieces(["three"]), [behind]);
    await assertRejects(() => whole(again), WeirError, SAYS);
    // The body that has it is as it was.
    assertEquals(text(await whole(body)), gives);

    const alone = make();
    const out = ReadableStream.from([utf8("one"), utf8("two")]).pipeThrough(alone);
    assertThrows(() => alone.through(bodyOfPieces(["three"])), TypeError, SAYS);
    assertThrows(() => checkStreamValue(alone), TypeError, "in use; make a new one per message");
    assertThrows(() => ReadableStream.from([utf8("x")]).pipeThrough(alone), TypeError);
    assertEquals(await new Response(out).text(), gives);
  });
}

Deno.test("decode and encode alone: what node says they must give", async () => {
  const source = () => ReadableStream.from([utf8("one"), utf8("two")]);
  const coded = new Uint8Array(
    await new Response(source().pipeThrough(encodeStream("br, gzip"))).arrayBuffer(),
  );
  assertEquals(text(decodeBytes(coded, "br, gzip")), "onetwo");
  const encoded = encodeBytes(utf8("onetwo"), "br, gzip");
  const decoding = ReadableStream.from([encoded]).pipeThrough(decodeStream("br, gzip"));
  assertEquals(await new Response(decoding).text(), "onetwo");
});

Deno.test("a chunk of a web stream is a piece, and comes out as one", async () => {
  const stage = observe({});
  const out = await Array.fromAsync(ReadableStream.from([utf8("one"), utf8("two")]).pipeThrough(stage));
  assertEquals(out.map(text), ["one", "two"]);
});

Deno.test("a stage that fails fails both ends of its streams", async () => {
  const stage = limit(3, () => new WeirError("client", "limit", "too large"));
  const writer = stage.writable.getWriter();
  const reading = Array.fromAsync(stage.readable);
  await writer.write(utf8("one"));
  const rest = (async () => {
    for (;;) await writer.write(utf8("two"));
  })();
  const error = await assertRejects(() => reading, WeirError, "too large");
  assertStrictEquals(await assertRejects(() => rest), error);
});

Deno.test("cancelling what comes out cancels what goes in", async () => {
  const cancelled = Promise.withResolvers<unknown>();
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(utf8("x")),
    cancel: (reason) => cancelled.resolve(reason),
  });
  const reader = source
    .pipeThrough(replaceStream("a", "b"))
    .pipeThrough(limit(100, () => new WeirError("weir", "limit", "")))
    .getReader();
  await reader.read();
  const gone = new WeirError("client", "closed", "gone");
  await reader.cancel(gone);
  assertStrictEquals(await cancelled.promise, gone);
});

Deno.test("a writer waits until its chunk is read, and the chunk comes through as it is", async () => {
  const stage = observe({}), writer = stage.writable.getWriter(), reader = stage.readable.getReader();
  const chunk = utf8("one");
  let isWritten = false;
  const writing = writer.write(chunk).then(() => isWritten = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(isWritten, false);
  assertStrictEquals((await reader.read()).value, chunk);
  await writing;
  writer.close();
  assertEquals((await reader.read()).done, true);
});

Deno.test("a part of a chunk is a copy: its reader may give it away", async () => {
  const reader = ReadableStream.from([utf8("abcd")]).pipeThrough(rechunkStream(2)).getReader();
  const { value } = await reader.read();
  assertEquals([text(value!), value!.buffer.byteLength], ["ab", 2]);
  structuredClone(value, { transfer: [value!.buffer as ArrayBuffer] });
  assertEquals(text((await reader.read()).value!), "cd");
});

Deno.test("what is no bytes fails both ends", async () => {
  const stage = observe({}), writer = stage.writable.getWriter();
  const reading = Array.fromAsync(stage.readable);
  const written = assertRejects(() => writer.write(1 as never), WeirError, "the number 1");
  assertEquals((await assertRejects(() => reading, WeirError, "the number 1")).code, "addon");
  await written;
});

Deno.test("a source that fails fails what comes out, behind what came", async () => {
  const source = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(utf8("one")),
    pull: (controller) => controller.error(new Error("oh no")),
  });
  const reader = source.pipeThrough(observe({})).getReader();
  assertEquals(text((await reader.read()).value!), "one");
  await assertRejects(() => reader.read(), WeirError, "The stream threw: oh no");
});
