/** What moves is left alone, what does not is told after its time, and the timer goes with the last that runs. @module */
import { assertEquals } from "@std/assert";
import { type Run, Running } from "../../src/proxy/running.ts";
import { StallWatch } from "../../src/proxy/stall_watch.ts";
import { httpFlow } from "../support/addon_host.ts";
import { FakeClock } from "../support/fake_clock.ts";

function run(stalled: number[]): Run & { moved: number; isHeld: boolean } {
  return {
    flow: httpFlow(),
    moved: 0,
    isHeld: false,
    onStalled: (seconds) => void stalled.push(seconds),
    cut() {},
  };
}

Deno.test("what stands still is told once, within a quarter of its time; what moves or is held is not", async () => {
  using clock = new FakeClock();
  const running = new Running();
  const watch = new StallWatch(running, () => 8);
  const still: number[] = [], moving: number[] = [], held: number[] = [];
  const mover = run(moving), holder = run(held);
  holder.isHeld = true;
  const places = [run(still), mover, holder].map((each) => running.add(each));
  assertEquals([places, running.count], [[0, 1, 2], 3]);
  for (let second = 0; second < 10; second++) {
    await clock.pass(1000);
    mover.moved++;
    if (second === 6) assertEquals(still, []);
  }
  assertEquals([still, moving, held], [[8], [], []]);
  holder.isHeld = false;
  await clock.pass(10_000);
  assertEquals([still, moving, held], [[8], [8], [8]]);
  for (const place of places) running.remove(place);
  await clock.pass(1000);
  assertEquals([clock.timers, running.count], [0, 0]);
  watch.close();
});

Deno.test("whoever gets the place of one that has ended begins anew", async () => {
  using clock = new FakeClock();
  const running = new Running();
  const watch = new StallWatch(running, () => 8);
  const stalled: number[] = [];
  for (let i = 0; i < 5; i++) {
    const place = running.add(run(stalled));
    assertEquals(place, 0);
    await clock.pass(7000);
    running.remove(place);
  }
  assertEquals(stalled, []);
  watch.close();
});

Deno.test("0 is for ever, and the limit that holds is the one of now", async () => {
  using clock = new FakeClock();
  let limit = 0;
  const stalled: number[] = [];
  const running = new Running();
  const watch = new StallWatch(running, () => limit);
  const place = running.add(run(stalled));
  await clock.pass(10_000_000);
  assertEquals(stalled, []);
  limit = 1;
  await clock.pass(20_000);
  running.remove(place);
  await clock.pass(1000);
  assertEquals([stalled, clock.timers], [[1], 0]);
  watch.close();
});

Deno.test("what has ended is not told, and a watch that is closed leaves no timer", async () => {
  using clock = new FakeClock();
  const stalled: number[] = [];
  const running = new Running();
  const watch = new StallWatch(running, () => 1);
  running.remove(running.add(run(stalled)));
  await clock.pass(5000);
  assertEquals([stalled, clock.timers], [[], 0]);
  running.add(run(stalled));
  watch.close();
  running.add(run(stalled));
  assertEquals(clock.timers, 0);
  await clock.pass(5000);
  assertEquals(stalled, []);
});
