import { assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { perChunk } from "../../src/streams/chunk_hook.ts";
import { decodeStream, encodeStream } from "../../src/streams/coding_stream.ts";
import { generated } from "../../src/streams/generator_hook.ts";
import { limit, observe } from "../../src/streams/observe.ts";
import { replaceStream } from "../../src/streams/replace.ts";
import { chunks } from "../../src/streams/split.ts";
import { StoredBody } from "../../src/streams/store.ts";
import { tee } from "../../src/streams/tee.ts";
import { text, utf8 } from "./support.ts";

const through = async (stage: TransformStream<Uint8Array, Uint8Array>, ...parts: string[]) =>
  (await Array.fromAsync(ReadableStream.from(parts.map(utf8)).pipeThrough(stage))).map(text);

Deno.test("every stage is a web stream", async () => {
  const seen: unknown[] = [];
  using stored = new StoredBody();
  assertEquals(
    await through(
      observe({
        piece: (b) => void seen.push(b.length),
        end: (e) => void seen.push(e),
      }),
      "ab",
      "c",
    ),
    ["ab", "c"],
  );
  assertEquals(seen, [2, 1, null]);
  assertEquals(await through(tee(stored), "ab", "c"), ["ab", "c"]);
  assertEquals(text(stored.bytesSync()), "abc");
  assertEquals(await through(replaceStream("foo", "bar"), "fo", "o!"), ["bar!"]);
  assertEquals(await through(perChunk((c) => c.length === 0 ? "end" : [c, "-"]), "a", "b"), [
    "a",
    "-",
    "b",
    "-",
    "end",
  ]);
  assertEquals(
    await through(
      generated(async function* (all) {
        for await (const c of all) yield text(c).toUpperCase();
      }),
      "a",
      "b",
    ),
    ["A", "B"],
  );
  assertEquals((await through(chunks(), "x".repeat(9000))).map((c) => c.length), [9000]);
  assertEquals(
    (await Array.fromAsync(
      ReadableStream.from([utf8("hello "), utf8("you")]).pipeThrough(encodeStream("gzip, zstd")).pipeThrough(
        decodeStream("gzip, zstd"),
      ),
    )).map(text).join(""),
    "hello you",
  );
  await assertRejects(
    () => through(limit(3, () => new WeirError("client", "limit", "too large")), "ab", "cd"),
    WeirError,
    "too large",
  );
});

Deno.test("cancelling what comes out cancels what goes in", async () => {
  let why: unknown;
  const source = new ReadableStream<Uint8Array>({
    pull: (c) => c.enqueue(utf8("x")),
    cancel: (reason) => void (why = reason),
  });
  const out = source.pipeThrough(replaceStream("a", "b")).pipeThrough(
    limit(100, () => new WeirError("weir", "limit", "")),
  );
  const reader = out.getReader();
  await reader.read();
  await reader.cancel(new WeirError("client", "closed", "gone"));
  await new Promise((r) => setTimeout(r, 5));
  assertEquals((why as Error).message, "gone");
});
