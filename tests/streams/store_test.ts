import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { MemoryBudget } from "../../src/memory_budget.ts";
import { WeirError } from "../../src/errors.ts";
import { bodyOf, readableOf } from "../../src/streams/convert.ts";
import { MEMORY_BYTES, StoredBody } from "../../src/streams/store.ts";
import type { Body } from "../../src/streams/body.ts";
import { tee } from "../../src/streams/tee.ts";
const teed = (body: Body, stored: StoredBody) => tee(stored).through(body);
import { bodyOfPieces, next, TestBody, text, turn, utf8, whole } from "./support.ts";

const CUT = new WeirError("server", "closed", "The server closed the connection in the middle of a body.");

function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + seed) & 0xff);
}

/** All files below a directory. */
function filesIn(directory: string): Deno.FileInfo[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    return entry.isDirectory ? filesIn(path) : [Deno.statSync(path)];
  });
}

Deno.test("a small body is kept in memory, and passes without a promise", () => {
  using stored = new StoredBody();
  const body = teed(bodyOfPieces(["abc", "def"]), stored);
  assertEquals(text(body.take()!), "abc");
  assertEquals([stored.size, stored.complete], [3, false]);
  assertEquals(text(body.take()!), "def");
  assertEquals(body.take(), null);
  assertEquals([stored.size, stored.complete, stored.error], [6, true, null]);
  assertEquals(text(stored.bytesSync()), "abcdef");
});

Deno.test("a large body goes to a file that only the user can read, and is gone when disposed", async () => {
  const directory = await Deno.makeTempDir();
  const stored = new StoredBody({ directory });
  const parts = Array.from({ length: 40 }, (_, i) => pattern(100_000, i));
  const body = teed(bodyOfPieces(parts), stored);
  assertEquals(await whole(body), concat(parts));
  assertEquals([stored.size, stored.complete], [4_000_000, true]);
  assertEquals(stored.bytesSync(), concat(parts));
  assertEquals(concat(await Array.fromAsync(stored.readable())), concat(parts));
  const files = filesIn(directory);
  assertEquals(files.length, 1);
  if (Deno.build.os !== "windows") {
    assertEquals(files[0].mode! & 0o777, 0o600);
    const [entry] = Deno.readDirSync(directory);
    assertEquals(Deno.statSync(`${directory}/${entry.name}`).mode! & 0o777, 0o700);
  }
  stored.dispose();
  stored.dispose();
  assertEquals([...Deno.readDirSync(directory)], []);
  await Deno.remove(directory);
});

Deno.test("whatever the pieces are, the copy is the body", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 700_000 }), { maxLength: 6 }),
      async (sizes) => {
        using stored = new StoredBody();
        const parts = sizes.map((size, i) => pattern(size, i));
        const following = Array.fromAsync(stored.readable());
        assertEquals(await whole(teed(bodyOfPieces(parts), stored)), concat(parts));
        assertEquals(stored.bytesSync(), concat(parts));
        assertEquals(concat(await following), concat(parts));
      },
    ),
    { numRuns: 15 },
  );
});

Deno.test("the copy can be read while the body is on its way, from its start and up to its end", async () => {
  using stored = new StoredBody();
  const source = new TestBody().push("one ");
  const body = teed(source, stored);
  await next(body);
  const reader = stored.readable().getReader();
  assertEquals(text((await reader.read()).value!), "one ");
  let got = "";
  const reading = reader.read().then(({ value }) => got = text(value!));
  await turn();
  assertEquals(got, "");
  source.push("two");
  await next(body);
  await reading;
  assertEquals(got, "two");
  source.end();
  assertEquals(await next(body), null);
  assertEquals((await reader.read()).done, true);
});

Deno.test("a piece goes out before the disk has it, the next one after", async () => {
  using stored = new StoredBody();
  const body = teed(bodyOfPieces([pattern(MEMORY_BYTES), pattern(10), "next"]), stored);
  assertEquals(body.take()!.length, MEMORY_BYTES);
  assertEquals(body.take()!.length, 10);
  assertEquals(body.take(), undefined);
  await body.fill();
  assertEquals(text(body.take()!), "next");
  assertEquals(body.take(), null);
  assertEquals(stored.size, MEMORY_BYTES + 14);
});

Deno.test("a disk that takes no more stops the recording with one failure, not the body", async () => {
  const failures: WeirError[] = [];
  const stored = new StoredBody({
    directory: "/nonexistent/place",
    onFailure: (error) => failures.push(error),
  });
  const parts = Array.from({ length: 30 }, () => pattern(100_000));
  assertEquals(await whole(teed(bodyOfPieces(parts), stored)), concat(parts));
  assertEquals(failures.length, 1);
  assertEquals([stored.complete, stored.error?.code], [false, "internal"]);
  assertEquals([stored.bytesSync().length, stored.size], [0, 0]);
  await assertRejects(() => Array.fromAsync(stored.readable()), WeirError, "not recorded any further");
  stored.dispose();
});

Deno.test("a body that is cut short leaves what came, and its error", async () => {
  using stored = new StoredBody();
  const body = teed(new TestBody().push("abc").end(CUT), stored);
  await next(body);
  assertStrictEquals(await assertRejects(() => next(body)), CUT);
  assertEquals([stored.complete, stored.error], [false, CUT]);
  assertEquals(text(stored.bytesSync()), "abc");
  assertStrictEquals(await assertRejects(() => Array.fromAsync(stored.readable())), CUT);
});

Deno.test("cancelling reaches the source and ends the recording, also while the disk is written", async () => {
  const directory = await Deno.makeTempDir();
  const stored = new StoredBody({ directory });
  const source = bodyOfPieces([pattern(MEMORY_BYTES), pattern(MEMORY_BYTES), "x"]);
  const body = teed(source, stored);
  body.take();
  body.take();
  body.cancel(CUT);
  stored.dispose();
  assertStrictEquals(source.cancelled, CUT);
  while ([...Deno.readDirSync(directory)].length > 0) await turn();
  await Deno.remove(directory);
});

Deno.test("throwing the copy away does not touch the body; whoever reads the copy is told", async () => {
  const stored = new StoredBody();
  const source = new TestBody().push("a");
  const body = teed(source, stored);
  await next(body);
  const reader = stored.readable().getReader();
  await reader.read();
  const reading = reader.read();
  reading.catch(() => {});
  await turn();
  stored.dispose();
  await assertRejects(() => reading, WeirError, "thrown away");
  source.push("b").end();
  assertEquals(text(await whole(body)), "b");
});

Deno.test("many small pieces after the first mebibyte do not wait for the disk one by one", async () => {
  using stored = new StoredBody();
  const source = new TestBody().push(pattern(MEMORY_BYTES));
  for (let i = 0; i < 2000; i++) source.push(utf8("data: something\n\n"));
  const body = teed(source.end(), stored);
  let waits = 0;
  for (;;) {
    const piece = body.take();
    if (piece === null) break;
    if (piece !== undefined) continue;
    waits++;
    await body.fill();
  }
  assert(waits <= 2, `${waits} waits`);
  assertEquals(stored.size, MEMORY_BYTES + 2000 * 17);
});

Deno.test("trailers, size and boundaries pass a recorder", async () => {
  using stored = new StoredBody();
  const source = new TestBody({ size: 4, chunked: true }).push("ab", 2).push("cd").end();
  source.trailers = ["a", "b"];
  const body = teed(source, stored);
  assertEquals([body.size, body.chunked], [4, true]);
  body.take();
  assertEquals(body.chunkLeft, 2);
  await whole(body);
  assertEquals(body.trailers, ["a", "b"]);
});

Deno.test("a recorded body is read back as a body", async () => {
  using stored = new StoredBody();
  await whole(teed(bodyOfPieces([pattern(2_000_000)]), stored));
  const again = bodyOf(stored.readable(), { size: stored.size });
  assertEquals(concat(await Array.fromAsync(readableOf(again))), pattern(2_000_000));
});

Deno.test("of those whose flows have ended the oldest files make place for newer ones, and say that they are gone", async () => {
  const directory = await Deno.makeTempDir();
  const bodies: StoredBody[] = [];
  for (let i = 0; i < 3; i++) {
    const stored = new StoredBody({ directory });
    await whole(teed(bodyOfPieces([pattern(MEMORY_BYTES, i), pattern(1000, i)]), stored));
    stored.retire(2 * (MEMORY_BYTES + 1000));
    bodies.push(stored);
  }
  assertEquals(bodies.map(({ complete }) => complete), [false, true, true]);
  assertEquals([filesIn(directory).length, bodies[2].bytesSync().length], [2, MEMORY_BYTES + 1000]);
  for (const stored of bodies) stored.dispose();
  await Deno.remove(directory);
});

Deno.test("a copy whose flow ends before its body does is no copy of the body", async () => {
  using stored = new StoredBody();
  const body = teed(new TestBody().push("a"), stored);
  body.take();
  stored.retire();
  assertEquals(stored.complete, false);
  await assertRejects(() => new Response(stored.readable()).text(), WeirError, "before the body did");
});

Deno.test("what is in memory is counted; without room for it the copy goes to its file at once", async () => {
  const directory = await Deno.makeTempDir({ prefix: "weir-store-test-" });
  const memory = new MemoryBudget(() => 100_000);
  const first = new StoredBody({ directory }), second = new StoredBody({ directory });
  for (const stored of [first, second]) stored.bookIn(memory);
  const parts = Array.from({ length: 9 }, (_, i) => pattern(10_000, i));
  assertEquals(await whole(teed(bodyOfPieces(parts), first)), concat(parts));
  assertEquals([memory.used, filesIn(directory).length], [90_000, 0]);
  assertEquals(await whole(teed(bodyOfPieces(parts), second)), concat(parts));
  assertEquals(filesIn(directory).length, 1);
  assert(memory.used <= 100_000, `${memory.used}`);
  assertEquals(second.bytesSync(), concat(parts));
  for (const stored of [first, second]) stored.retire();
  assertEquals([memory.used, first.bytesSync().length], [0, 90_000]);
  for (const stored of [first, second]) stored.dispose();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a copy that is thrown away, or whose body broke, is counted no more", async () => {
  for (const end of ["dispose", "retire"] as const) {
    const memory = new MemoryBudget(() => 100_000);
    const stored = new StoredBody();
    stored.bookIn(memory);
    await stored.append(pattern(5000, 1));
    assert(memory.used >= 5000);
    stored[end]();
    assertEquals(memory.used, 0);
    stored.dispose();
    assertEquals(memory.used, 0);
  }
});
