/** What moves is left alone, what does not is told after its time, and the timer goes with the last that is watched. @module */
import { assertEquals } from "@std/assert";
import { StallWatch, type Watched } from "../../src/proxy/stall_watch.ts";
import { FakeClock } from "../support/fake_clock.ts";

function watched(stalled: number[]): Watched & { moved: number; isHeld: boolean } {
  return { moved: 0, isHeld: false, onStalled: (seconds) => void stalled.push(seconds) };
}

Deno.test("what stands still is told once, within an eighth of its time; what moves or is held is not", async () => {
  using clock = new FakeClock();
  const watch = new StallWatch(() => 8);
  const still: number[] = [], moving: number[] = [], held: number[] = [];
  const mover = watched(moving), holder = watched(held);
  holder.isHeld = true;
  const places = [watched(still), mover, holder].map((each) => watch.add(each));
  assertEquals(places, [0, 1, 2]);
  for (let second = 0; second < 10; second++) {
    await clock.pass(1000);
    mover.moved++;
    if (second === 6) assertEquals(still, []);
  }
  assertEquals([still, moving, held], [[8], [], []]);
  holder.isHeld = false;
  await clock.pass(10_000);
  assertEquals([still, moving, held], [[8], [8], [8]]);
  for (const place of places) watch.remove(place);
  await clock.pass(1000);
  assertEquals(clock.timers, 0);
  assertEquals(watch.add(watched(still)), 2);
  watch.close();
});

Deno.test("0 is for ever, and the limit that holds is the one of now", async () => {
  using clock = new FakeClock();
  let limit = 0;
  const stalled: number[] = [];
  const watch = new StallWatch(() => limit);
  const place = watch.add(watched(stalled));
  await clock.pass(10_000_000);
  assertEquals(stalled, []);
  limit = 1;
  await clock.pass(20_000);
  watch.remove(place);
  await clock.pass(1000);
  assertEquals([stalled, clock.timers], [[1], 0]);
});

Deno.test("what has ended is not told, and a watch that is closed leaves no timer", async () => {
  using clock = new FakeClock();
  const stalled: number[] = [];
  const watch = new StallWatch(() => 1);
  const ended = watched(stalled);
  watch.remove(watch.add(ended));
  await clock.pass(5000);
  assertEquals([stalled, clock.timers], [[], 0]);
  watch.add(watched(stalled));
  watch.close();
  watch.add(watched(stalled));
  assertEquals(clock.timers, 0);
  await clock.pass(5000);
  assertEquals(stalled, []);
});
