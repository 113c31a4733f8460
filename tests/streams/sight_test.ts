/** Stages that look at a body, copy it or cut it at a byte: whatever the split, what comes out is what went in, or a part. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import {
  corruptStream,
  countStream,
  cutStream,
  type Digest,
  hashStream,
  limitStream,
  piped,
  rechunkStream,
  saveStream,
  type Stage,
  tapStream,
} from "../../src/streams/mod.ts";
import { bodyOfPieces, next, pieces, TestBody, text, utf8, whole } from "./support.ts";

/** Any bytes in any split, none of the pieces empty. */
const splits = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 20 });
const RUNS = { seed: 1, numRuns: 200 };

const stage = (made: TransformStream<Uint8Array, Uint8Array>) => [made as Stage];

Deno.test("tap, count and hash see all bytes and leave them as they are, at any split", async () => {
  await fc.assert(
    fc.asyncProperty(splits, async (parts) => {
      const seen: Uint8Array[] = [], counts: (number | null)[] = [], digests: (Digest | null)[] = [];
      const out = await pieces(piped(bodyOfPieces(parts), [
        ...stage(tapStream((chunk) => {
          seen.push(chunk.slice());
          chunk.fill(0);
        })),
        ...stage(countStream((count) => void counts.push(count))),
        ...stage(hashStream("SHA-256", (digest) => void digests.push(digest))),
      ]));
      const all = concat(parts);
      assertEquals(out, parts);
      assertEquals(seen, [...parts, new Uint8Array(0)]);
      assertEquals(counts, [all.length]);
      const digest = createHash("sha256").update(all).digest();
      assertEquals(digests.map((digest) => digest?.hex), [digest.toString("hex")]);
      assertEquals(digests[0]!.bytes, new Uint8Array(digest));
    }),
    RUNS,
  );
});

Deno.test("of a cut body the counter and the hash are told null, once, and the tap sees no end", async () => {
  const seen: string[] = [];
  const body = new TestBody().push("ab").end(new WeirError("server", "closed", "cut"));
  const out = piped(body, [
    ...stage(tapStream((chunk) => void seen.push(`tap ${text(chunk)}`))),
    ...stage(countStream((count) => void seen.push(`count ${count}`))),
    ...stage(hashStream("md5", (digest) => void seen.push(`hash ${digest}`))),
  ]);
  await assertRejects(() => pieces(out), WeirError, "cut");
  assertEquals(seen, ["tap ab", "count null", "hash null"]);
});

Deno.test("a body that nobody reads to its end counts as cut", () => {
  const seen: (number | null)[] = [];
  const body = new TestBody().push("ab");
  const [counter] = stage(countStream((count) => void seen.push(count)));
  const out = counter.through(body);
  out.take();
  out.cancel(new WeirError("client", "closed", "gone"));
  assertEquals(seen, [null]);
});

Deno.test("a tap that awaits stops the source, and one that throws or rejects cuts the body", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = bodyOfPieces(["a", "b"]);
  const [tap] = stage(tapStream(() => promise));
  const out = tap.through(body);
  assertEquals(text((await next(out))!), "a");
  assertEquals([out.take(), body.taken], [undefined, 1]);
  resolve();
  assertEquals(text((await next(out))!), "b");
  assertEquals(await next(out), null);

  for (
    const fn of [() => Promise.reject(new Error("mine")), () => {
      throw new Error("mine");
    }]
  ) {
    const faults: WeirError[] = [], source = bodyOfPieces(["a", "b"]);
    const [tap] = stage(tapStream(fn));
    const broken = await assertRejects(
      () => pieces(tap.through(source, (error) => void faults.push(error))),
      WeirError,
    );
    assertEquals(faults, [broken]);
    assertEquals((broken.cause as Error).message, "mine");
    assertEquals(source.cancelled, broken);
  }
});

Deno.test("a tap that never comes to an end does not hold who cancels", async () => {
  const [tap] = stage(tapStream(() => new Promise(() => {})));
  const out = tap.through(bodyOfPieces(["a", "b"]));
  out.take();
  const filling = out.fill();
  out.cancel(new WeirError("client", "closed", "gone"));
  await assertRejects(() => filling, WeirError, "gone");
});

Deno.test("functions may return anything: only promises are waited for", async () => {
  const seen: number[] = [];
  const [tap] = stage(tapStream((chunk) => seen.push(chunk.length) as unknown as void));
  assertEquals(text(await whole(tap.through(bodyOfPieces(["ab", "c"])))), "abc");
  assertEquals(seen, [2, 1, 0]);
});

Deno.test("cut and limit let exactly so many bytes through, at any split", async () => {
  await fc.assert(
    fc.asyncProperty(splits, fc.nat(200), async (parts, at) => {
      const all = concat(parts);
      for (const made of [cutStream(at), limitStream(at)]) {
        const out: Uint8Array[] = [], source = bodyOfPieces(parts);
        const body = piped(source, stage(made));
        let error: unknown = null;
        try {
          for (let piece = await next(body); piece !== null; piece = await next(body)) out.push(piece);
        } catch (thrown) {
          error = thrown;
        }
        assertEquals(concat(out), all.subarray(0, at));
        assertEquals(error instanceof WeirError, all.length > at);
        if (error !== null) assertEquals(source.cancelled, error);
      }
    }),
    RUNS,
  );
});

Deno.test("one bit of one byte is flipped, at any split, and the source keeps its bytes", async () => {
  await fc.assert(
    fc.asyncProperty(splits, fc.nat(200), async (parts, at) => {
      const all = concat(parts), expected = all.slice();
      if (at < expected.length) expected[at] ^= 1;
      const source = bodyOfPieces(parts);
      source.size = all.length;
      const body = piped(source, stage(corruptStream(at)));
      assertEquals(body.size, all.length);
      assertEquals(concat(await pieces(body)), expected);
      assertEquals(concat(parts), all);
    }),
    RUNS,
  );
});

Deno.test("what is before the cut goes out before more is asked for", () => {
  const body = new TestBody().push("abcd");
  const [cut] = stage(cutStream(3));
  const out = cut.through(body);
  assertEquals(text(out.take()!), "abc");
  assertThrows(() => out.take(), WeirError, "cut after 3 bytes");
});

Deno.test("a wire chunk that is cut says how much of it is missing", () => {
  const body = new TestBody({ chunked: true }).push("abcd", 6);
  const [cut] = stage(cutStream(3));
  const out = cut.through(body);
  out.take();
  assertEquals(out.chunkLeft, 7);
});

Deno.test("a limit that is passed has the code limit", async () => {
  const error = await assertRejects(
    () => pieces(piped(bodyOfPieces(["abc"]), stage(limitStream(2)))),
    WeirError,
  );
  assertEquals(error.code, "limit");
});

Deno.test("rechunked: all chunks but the last are of one size, and the bytes are the same, at any split", async () => {
  await fc.assert(
    fc.asyncProperty(splits, fc.integer({ min: 1, max: 60 }), async (parts, size) => {
      const out = await pieces(piped(bodyOfPieces(parts), stage(rechunkStream(size))));
      assertEquals(concat(out), concat(parts));
      const last = out.pop();
      assert(out.every(({ length }) => length === size));
      assert(last === undefined || last.length >= 1 && last.length <= size);
    }),
    RUNS,
  );
});

Deno.test("a chunk that is full goes out before more is asked for", async () => {
  const through = (body: TestBody, size: number) => stage(rechunkStream(size))[0].through(body);
  const body = new TestBody().push("abcde"), out = through(body, 2);
  assertEquals([text(out.take()!), text(out.take()!), out.take()], ["ab", "cd", undefined]);
  const filled = next(out);
  body.push("f");
  assertEquals(text((await filled)!), "ef");
  assertEquals(text(through(new TestBody().push("a").push("bc"), 3).take()!), "abc");
});

Deno.test("a body is saved to a file as it was; a cut one keeps what came", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/copy`;
    assertEquals(text(await whole(piped(bodyOfPieces(["ab", "cd"]), stage(saveStream(path))))), "abcd");
    assertEquals(await Deno.readTextFile(path), "abcd");
    assertEquals(await next(piped(bodyOfPieces([]), stage(saveStream(path)))), null);
    assertEquals(await Deno.readTextFile(path), "");
    const cut = new TestBody().push("xy").end(new WeirError("server", "closed", "cut"));
    await assertRejects(() => pieces(piped(cut, stage(saveStream(path)))), WeirError, "cut");
    assertEquals(await Deno.readTextFile(path), "xy");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a stream gets a copy: closed at the end, aborted for a cut body, and a slow one slows the body", async () => {
  const seen: string[] = [];
  const slow = Promise.withResolvers<void>();
  const sink = () =>
    new WritableStream<Uint8Array>({
      async write(chunk) {
        await slow.promise;
        seen.push(text(chunk));
      },
      close: () => void seen.push("closed"),
      abort: (reason) => void seen.push(`aborted: ${reason.message}`),
    });
  const source = bodyOfPieces(["ab", "cd"]);
  const [save] = stage(saveStream(sink()));
  const out = save.through(source);
  assertEquals(text((await next(out))!), "ab");
  assertEquals([out.take(), source.taken], [undefined, 1]);
  slow.resolve();
  assertEquals(text(await whole(out)), "cd");
  assertEquals(seen.splice(0), ["ab", "cd", "closed"]);
  const cut = new TestBody().push("xy").end(new WeirError("server", "closed", "cut"));
  await assertRejects(() => pieces(piped(cut, stage(saveStream(sink())))), WeirError, "cut");
  assertEquals(seen, ["xy", "aborted: cut"]);
});

Deno.test("a stream may keep what it gets", async () => {
  const kept: Uint8Array[] = [];
  const sink = new WritableStream<Uint8Array>({ write: (chunk) => void kept.push(chunk) });
  await whole(piped(bodyOfPieces(["ab", "cd"]), stage(saveStream(sink))));
  assertEquals(kept.map(text), ["ab", "cd"]);
});

Deno.test("a file has what came, whatever the reader of the web stream does with its chunks", async () => {
  const path = await Deno.makeTempFile();
  try {
    const out = ReadableStream.from([utf8("ab"), utf8("cd")]).pipeThrough(saveStream(path));
    for await (const chunk of out) chunk.fill(0);
    assertEquals(await Deno.readTextFile(path), "abcd");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("half a copy is removed where the disk is full", async () => {
  const directory = await Deno.makeTempDir(), path = `${directory}/copy`, { open } = Deno;
  const warnings: string[] = [];
  try {
    Deno.open = async (...given) => {
      const file = await open(...given);
      file.write = () => Promise.reject(new Error("No space left on device"));
      return file;
    };
    const out = piped(
      bodyOfPieces(["ab", "cd"]),
      stage(saveStream(path)),
      undefined,
      (warning) => void warnings.push(warning),
    );
    assertEquals(text(await whole(out)), "abcd");
    assertEquals(warnings, [`A body is not saved to ${path} any further: No space left on device`]);
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  } finally {
    Deno.open = open;
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the end waits for a tap that still looks at it", async () => {
  const looked = Promise.withResolvers<void>();
  const out = piped(
    bodyOfPieces(["ab"]),
    stage(tapStream((chunk) => chunk.length === 0 ? looked.promise : undefined)),
  );
  assertEquals(text((await next(out))!), "ab");
  const last = next(out);
  const first = await Promise.race([last, new Promise((resolve) => setTimeout(resolve, 0, "nothing yet"))]);
  assertEquals(first, "nothing yet");
  looked.resolve();
  assertEquals(await last, null);
});

Deno.test("a copy that fails is warned of once, and the body goes on", async () => {
  const warnings: string[] = [];
  const out = piped(
    bodyOfPieces(["ab", "cd"]),
    stage(saveStream("/nowhere/at/all")),
    undefined,
    (warning) => void warnings.push(warning),
  );
  assertEquals(text(await whole(out)), "abcd");
  assertEquals(warnings.length, 1);
  assert(warnings[0].startsWith("A body is not saved to /nowhere/at/all any further: "), warnings[0]);
});

Deno.test("wrong arguments are told when the stage is made", () => {
  const wrong: [() => unknown, string][] = [
    [() => tapStream("x" as never), "tapStream takes a function, not the string x"],
    [() => countStream(undefined as never), "countStream takes a function"],
    [() => hashStream("sha257", () => {}), 'hashStream does not know the algorithm "sha257"'],
    [() => corruptStream(0.5), "corruptStream takes the byte to damage as a whole number, at least 0"],
    [() => cutStream(-1), "cutStream takes the byte to stop at as a whole number, at least 0"],
    [() => limitStream(1.5), "limitStream takes bytes as a whole number"],
    [() => rechunkStream(0), "rechunkStream takes a size as a whole number, at least 1"],
    [() => rechunkStream(2 ** 30), "at most 16777216 bytes"],
    [() => saveStream(3 as never), "saveStream takes a path or a WritableStream"],
  ];
  for (const [make, message] of wrong) assertThrows(make, TypeError, message);
  const locked = new WritableStream();
  locked.getWriter();
  assertThrows(() => saveStream(locked), TypeError, "in use");
});
