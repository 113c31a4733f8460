import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "./support/fake_clock.ts";
import { Deadline, onAbort, settlesWithin, Wakeup, within } from "../src/timing.ts";

const never = new Promise<never>(() => {});

Deno.test("settlesWithin: settled either way is in time, and leaves no timer", async () => {
  assertEquals(await settlesWithin(60_000, Promise.resolve(1)), true);
  assertEquals(await settlesWithin(60_000, Promise.reject(new Error("no"))), true);
  assertEquals(await settlesWithin(1, never), false);
});

Deno.test("within: the value, the promise's own error, or one that says what took too long", async () => {
  assertEquals(await within(60_000, Promise.resolve(1), "nothing"), 1);
  await assertRejects(() => within(60_000, Promise.reject(new Error("own")), "nothing"), Error, "own");
  await assertRejects(() => within(1, never, "no answer"), Error, "no answer within 1 ms");
});

Deno.test("a promise that fails after its deadline is nobody's accident", async () => {
  const late = Promise.withResolvers<void>();
  await assertRejects(() => within(1, late.promise, "no answer"), Error, "no answer");
  late.reject(new Error("late"));
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("Deadline: expires once when the time set last is over; cleared, it does not", async () => {
  using clock = new FakeClock();
  const expired: number[] = [];
  const start = performance.now();
  // The fake clock counts on from the real one: a fraction may be lost.
  const deadline = new Deadline(() => expired.push(Math.round(performance.now() - start)));
  deadline.set(100);
  await clock.pass(50);
  deadline.set(100);
  await clock.pass(99);
  assertEquals(expired, []);
  await clock.pass(1);
  assertEquals(expired, [150]);
  deadline.set(10);
  deadline.clear();
  await clock.pass(1000);
  assertEquals(expired, [150]);
  deadline.set(10);
  deadline.set(5);
  await clock.pass(5);
  assertEquals(expired, [150, 1155]);
  deadline.dispose();
});

Deno.test("Wakeup: who waits is woken, told of a failure, or goes on by the time", async () => {
  using clock = new FakeClock();
  const wakeup = new Wakeup();
  assertEquals(wakeup.isAwaited, false);
  wakeup.wake();
  const woken = wakeup.wait(1000);
  assertEquals(wakeup.isAwaited, true);
  wakeup.wake();
  await woken;
  assertEquals(wakeup.isAwaited, false);
  const failed = wakeup.wait(1000);
  wakeup.fail(new Error("no more"));
  await assertRejects(() => failed, Error, "no more");
  let isOver = false;
  const timed = wakeup.wait(10).then(() => isOver = true);
  wakeup.wakeIn(20);
  await clock.pass(19);
  assertEquals(isOver, false);
  await clock.pass(1);
  await timed;
});

Deno.test("onAbort: called once, at once where the signal is aborted already; not after it was taken back", () => {
  const stop = new AbortController();
  let calls = 0;
  onAbort(stop.signal, () => calls++);
  const ignore = onAbort(stop.signal, () => calls += 10);
  ignore();
  stop.abort();
  assertEquals(calls, 1);
  onAbort(stop.signal, () => calls++);
  assertEquals(calls, 2);
  onAbort(undefined, () => calls++)();
  assertEquals(calls, 2);
});
