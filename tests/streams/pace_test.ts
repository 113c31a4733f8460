/** Stages that slow a body: rates, stalls and delays, on a clock that the tests hold. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import {
  type Body,
  delayStream,
  piped,
  type Stage,
  stallStream,
  throttleStream,
  timedStream,
  Timeline,
  TokenBucket,
  Valve,
} from "../../src/streams/mod.ts";
import { valved } from "../../src/streams/valve.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { bodyOfPieces, next, pieces, TestBody, text, utf8 } from "./support.ts";

const behind = (body: Body, made: TransformStream<Uint8Array, Uint8Array>) => piped(body, [made as Stage]);

/** Reads a body to its end; says when how many bytes were there, in milliseconds of the clock. */
function reading(body: Body): { seen: [ms: number, bytes: number][]; done: Promise<Uint8Array> } {
  const start = performance.now(), seen: [number, number][] = [];
  const read = async () => {
    const all: Uint8Array[] = [];
    let total = 0;
    for (let piece = await next(body); piece !== null; piece = await next(body)) {
      all.push(piece);
      seen.push([Math.round(performance.now() - start), total += piece.length]);
    }
    return concat(all);
  };
  return { seen, done: read() };
}

Deno.test("throttled: the burst at once, then the rate", async () => {
  using clock = new FakeClock();
  const { seen, done } = reading(
    behind(bodyOfPieces(["x".repeat(3000)]), throttleStream(1000, { burst: 1000 })),
  );
  await clock.pass(0);
  assertEquals(seen, [[0, 1000]]);
  await clock.pass(1000);
  assert(seen.at(-1)![1] >= 1950 && seen.at(-1)![1] <= 2000, `${seen.at(-1)}`);
  await clock.pass(999);
  assert(seen.at(-1)![1] < 3000, `${seen.at(-1)}`);
  await clock.pass(20);
  assertEquals((await done).length, 3000);
  assertEquals(clock.timers, 0);
});

Deno.test("throttled: 0 is no limit, and a slow source is not slowed further", async () => {
  using clock = new FakeClock();
  const free = reading(behind(bodyOfPieces(["x".repeat(1_000_000)]), throttleStream(0)));
  await clock.pass(0);
  assertEquals(free.seen, [[0, 1_000_000]]);
  await free.done;
  const body = new TestBody();
  const slow = reading(behind(body, throttleStream(1000, { burst: 100 })));
  for (let second = 0; second < 3; second++) {
    body.push("x".repeat(100));
    await clock.pass(1000);
  }
  body.end();
  await slow.done;
  assertEquals(slow.seen, [[0, 100], [1000, 200], [2000, 300]]);
});

Deno.test("bodies that share a bucket share its rate", async () => {
  using clock = new FakeClock();
  const bucket = new TokenBucket(10_000, 1000);
  const all = Array.from(
    { length: 5 },
    () => reading(behind(bodyOfPieces(["x".repeat(4000)]), throttleStream(bucket))),
  );
  await clock.pass(1000);
  const sum = all.reduce((total, { seen }) => total + (seen.at(-1)?.[1] ?? 0), 0);
  assert(sum >= 10_500 && sum <= 11_000, `${sum} bytes in a second`);
  await clock.pass(1000);
  for (const { done } of all) assertEquals((await done).length, 4000);
});

Deno.test("throttled bytes are the same in any split, and wire chunks keep their borders", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 10 }),
      async (parts) => {
        using clock = new FakeClock();
        const { done } = reading(behind(bodyOfPieces(parts), throttleStream(10_000, { burst: 7 })));
        await clock.pass(1000);
        assertEquals(await done, concat(parts));
      },
    ),
    { seed: 1, numRuns: 50 },
  );
  const body = behind(new TestBody({ chunked: true }).push("abcdef", 10), throttleStream(1, { burst: 4 }));
  assertEquals([text(body.take()!), body.chunkLeft], ["abcd", 12]);
});

Deno.test("who cancels a throttled, stalled or delayed body leaves no timer behind", async () => {
  for (
    const stage of [
      throttleStream(1, { burst: 1 }),
      stallStream(1, 1000),
      delayStream(1000),
      timedStream([[0, 1], [1000, 2]]),
    ]
  ) {
    using clock = new FakeClock();
    const source = bodyOfPieces(["abc"]);
    const body = behind(source, stage);
    const { done } = reading(body);
    await clock.pass(0);
    assertEquals(clock.timers, 1);
    body.cancel(new WeirError("client", "closed", "gone"));
    await assertRejects(() => done, WeirError, "gone");
    assertEquals(clock.timers, 0);
    assertEquals(source.cancelled?.message ?? "read whole", source.finished ? "read whole" : "gone");
  }
});

Deno.test("stalled: what is before the byte goes out, the rest later, once", async () => {
  using clock = new FakeClock();
  const { seen, done } = reading(behind(bodyOfPieces(["abc", "def", "ghi"]), stallStream(4, 500)));
  await clock.pass(499);
  assertEquals(seen, [[0, 3], [0, 4]]);
  await clock.pass(1);
  assertEquals(text(await done), "abcdefghi");
  assertEquals(seen.slice(2), [[500, 6], [500, 9]]);
});

Deno.test("stalled: a body that ends at the byte or before does not wait", async () => {
  using clock = new FakeClock();
  for (const at of [3, 4]) {
    const { seen, done } = reading(behind(bodyOfPieces(["abc"]), stallStream(at, 500)));
    await clock.pass(0);
    assertEquals([text(await done), seen], ["abc", [[0, 3]]]);
  }
});

Deno.test("delayed: each piece and the end later by as much, with their pauses", async () => {
  using clock = new FakeClock();
  const body = new TestBody();
  const { seen, done } = reading(behind(body, delayStream(200)));
  let isDone = false;
  done.then(() => isDone = true);
  body.push("ab");
  await clock.pass(50);
  body.push("c");
  await clock.pass(30);
  body.end();
  await clock.pass(119);
  assertEquals(seen, []);
  await clock.pass(1);
  assertEquals(seen, [[200, 2]]);
  await clock.pass(50);
  assertEquals(seen, [[200, 2], [250, 3]]);
  await clock.pass(29);
  assertEquals(isDone, false);
  await clock.pass(1);
  assertEquals(isDone, true);
});

Deno.test("delayed: what is held has a bound, and a body that is cut is cut later", async () => {
  using clock = new FakeClock();
  const source = new TestBody();
  for (let i = 0; i < 10; i++) source.push("xxxx");
  const { seen, done } = reading(behind(source, delayStream(100, { hold: 10 })));
  await clock.pass(99);
  assertEquals(source.taken, 3);
  await clock.pass(1000);
  assertEquals(seen.at(-1)![1], 40);
  source.end(new WeirError("server", "closed", "cut"));
  const failed = assertRejects(() => done, WeirError, "cut");
  await clock.pass(100);
  await failed;
});

Deno.test("delayed: a cut comes behind the pieces that came before it", async () => {
  using clock = new FakeClock();
  const source = new TestBody().push("ab");
  const { seen, done } = reading(behind(source, delayStream(100)));
  const failed = assertRejects(() => done, WeirError, "cut");
  await clock.pass(10);
  source.push("c").end(new WeirError("server", "closed", "cut"));
  await clock.pass(100);
  await failed;
  assertEquals(seen, [[100, 2], [110, 3]]);
});

Deno.test("delayed: what went out is no longer held", async () => {
  using clock = new FakeClock();
  const source = new TestBody();
  const { seen, done } = reading(behind(source, delayStream(100, { hold: 4 })));
  for (const piece of ["aaa", "bbb"]) {
    source.push(piece);
    await clock.pass(150);
  }
  source.push("c").push("d").end();
  await clock.pass(100);
  assertEquals(seen, [[100, 3], [250, 6], [400, 7], [400, 8]]);
  await done;
});

Deno.test("delayed and stalled: what is left of a wire chunk goes with its piece", async () => {
  using clock = new FakeClock();
  const delayed = behind(new TestBody({ chunked: true }).push("ab", 2).push("cd").end(), delayStream(100));
  const stalled = behind(new TestBody({ chunked: true }).push("abcd").end(), stallStream(1, 100));
  assertEquals(text(stalled.take()!), "a");
  assertEquals(stalled.chunkLeft, 3);
  assertEquals(delayed.take(), undefined);
  await clock.pass(100);
  assertEquals([text(delayed.take()!), delayed.chunkLeft], ["ab", 2]);
  assertEquals([text(delayed.take()!), delayed.chunkLeft], ["cd", 0]);
  const reason = new WeirError("client", "closed", "gone");
  delayed.cancel(reason);
  stalled.cancel(reason);
});

Deno.test("a rate that is low gives what comes in 10 ms, and not byte by byte", async () => {
  using clock = new FakeClock();
  const bucket = new TokenBucket(1000, 100);
  assertEquals([bucket.take(200), bucket.take(100)], [100, 0]);
  await clock.pass(5);
  assertEquals(bucket.take(100), 0);
  await clock.pass(5);
  assertEquals(bucket.take(100), 10);
});

Deno.test("a valve stops a body that is on its way, and its source with it", async () => {
  using clock = new FakeClock();
  const holder: { valve: Valve | null } = { valve: null };
  const source = new TestBody();
  const { seen, done } = reading(valved(holder).through(source));
  source.push("a");
  await clock.pass(1);
  holder.valve = new Valve();
  holder.valve.isPaused = true;
  source.push("b").push("c").end();
  await clock.pass(1000);
  // Nothing is lost of what was already asked for.
  assertEquals([seen.at(-1)![1], source.taken], [1, 1]);
  holder.valve.isPaused = false;
  assertEquals(text(await done), "abc");
});

Deno.test("a valve's rate holds from the moment that it is set, and ends when it is taken away", async () => {
  using clock = new FakeClock();
  const valve = new Valve();
  const { seen, done } = reading(valved({ valve }).through(bodyOfPieces(["x".repeat(10_000)])));
  valve.bucket = new TokenBucket(100, 10);
  await clock.pass(1000);
  assert(seen.at(-1)![1] <= 10_000);
  valve.bucket = null;
  assertEquals((await done).length, 10_000);
});

Deno.test("a timeline remembers every piece of a short body, and at most 1000 moments of a long one", () => {
  const short = new Timeline();
  short.add(10, 5000);
  short.add(30, 5100.26);
  short.add(35, 5200);
  assertEquals(short.moments(), [[0, 10], [100.3, 30], [200, 35]]);
  const long = new Timeline();
  for (let i = 0; i < 1_000_000; i++) {
    long.add(i + 1, i);
    if (i % 99_991 === 0) {
      const moments = long.moments();
      assert(moments.length <= 1000);
      assertEquals(moments.at(-1), [i, i + 1]);
    }
  }
  const moments = long.moments();
  assert(moments.length >= 500, `${moments.length}`);
  assertEquals(moments[0], [0, 1]);
  const gaps = moments.slice(1, -1).map(([ms], index) => ms - moments[index][0]);
  assertEquals(new Set(gaps).size, 1);
});

Deno.test("timed: what had come by a moment goes out then, in one piece, at any speed", async () => {
  for (const speed of [1, 2]) {
    using clock = new FakeClock();
    const timeline = [[0, 3], [100, 5], [400, 8]] as const;
    const { seen, done } = reading(behind(bodyOfPieces(["abcd", "efghij"]), timedStream(timeline, speed)));
    await clock.pass(1000);
    assertEquals(text(await done), "abcdefghij");
    assertEquals(seen.map(([ms, bytes]) => [ms * speed, bytes]), [[0, 3], [100, 4], [100, 5], [400, 8], [
      400,
      10,
    ]]);
  }
});

Deno.test("timed: an empty timeline is no timeline, and a wrong speed is told", async () => {
  assertEquals(text(concat(await pieces(behind(bodyOfPieces(["ab", "c"]), timedStream([]))))), "abc");
  assertThrows(() => timedStream([], 0), TypeError, "timedStream takes a speed above 0");
});

Deno.test("wrong rates are told when the stage is made", () => {
  for (const rate of [-1, NaN, Infinity, "1k"]) {
    assertThrows(
      () => throttleStream(rate as number),
      TypeError,
      "A rate is a number of bytes per second above 0",
    );
  }
  assertThrows(() => throttleStream(10, { burst: 0 }), TypeError, "A burst is a number of bytes");
  assertThrows(() => stallStream(1, -1), TypeError, "stallStream takes milliseconds");
  assertThrows(() => delayStream(1.5), TypeError, "delayStream takes milliseconds");
});

Deno.test("each of them is a TransformStream that works alone, once", async () => {
  for (const stage of [throttleStream(0), stallStream(1, 0), delayStream(0)]) {
    assert(stage instanceof TransformStream);
    const out = ReadableStream.from([utf8("ab"), utf8("c")]).pipeThrough(stage);
    assertEquals(text(concat(await Array.fromAsync(out))), "abc");
    assertThrows(() => (stage as Stage).through(bodyOfPieces([])), TypeError, "in use");
  }
  assertEquals(await pieces(behind(bodyOfPieces([]), throttleStream(0))), []);
});
