import { assertEquals } from "@std/assert";
import { type HeldHistory, MemoryBudget } from "../src/memory_budget.ts";

Deno.test("bytes fit up to the limit; what is beyond is booked, too, and room comes back", () => {
  const budget = new MemoryBudget(() => 10);
  assertEquals([budget.take(4), budget.take(6), budget.take(1), budget.used], [true, true, false, 11]);
  assertEquals(budget.room, 0);
  budget.give(7);
  assertEquals([budget.used, budget.room, budget.take(6)], [4, 6, true]);
});

Deno.test("the limit is what the option says now; null is none", () => {
  let limit: number | null = 1;
  const budget = new MemoryBudget(() => limit);
  assertEquals(budget.take(2), false);
  limit = null;
  assertEquals([budget.take(1e12), budget.room], [true, Infinity]);
  limit = 5;
  budget.changed();
  assertEquals([budget.take(0), budget.room], [false, 0]);
});

/** A history whose messages have these sizes. */
function historyOf(budget: MemoryBudget, ...sizes: number[]): HeldHistory & { sizes: number[] } {
  const history = {
    sizes,
    forgetOldest() {
      const size = sizes.shift();
      if (size !== undefined) budget.forgot(size);
      return size !== undefined;
    },
  };
  for (const size of sizes) budget.remember(history, size);
  return history;
}

Deno.test("histories give way, the one that is oldest first, before anything is refused", () => {
  const budget = new MemoryBudget(() => 10);
  const old = historyOf(budget, 3, 2), young = historyOf(budget, 4);
  assertEquals([budget.used, budget.room], [9, 10]);
  assertEquals([budget.take(3), old.sizes, young.sizes], [true, [2], [4]]);
  assertEquals([budget.take(5), old.sizes, young.sizes], [true, [], []]);
  assertEquals([budget.take(3), budget.used], [false, 11]);
  budget.give(11);
  assertEquals([budget.used, budget.room], [0, 10]);
});

Deno.test("a history that grows beyond the limit forgets", () => {
  const budget = new MemoryBudget(() => 10);
  const history = historyOf(budget, 6);
  history.sizes.push(7);
  budget.remember(history, 7);
  assertEquals([history.sizes, budget.used], [[7], 7]);
  budget.leave(history, 7);
  assertEquals([budget.used, budget.room], [0, 10]);
});
