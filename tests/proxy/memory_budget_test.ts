import { assertEquals } from "@std/assert";
import { MemoryBudget } from "../../src/proxy/memory_budget.ts";

Deno.test("bytes fit up to the limit; what is beyond is booked, too, and room comes back", () => {
  const budget = new MemoryBudget(() => 10);
  assertEquals([budget.take(4), budget.take(6), budget.take(1), budget.used], [true, true, false, 11]);
  budget.give(7);
  assertEquals([budget.used, budget.take(6)], [4, true]);
});

Deno.test("the limit is what the option says now; null is none", () => {
  let limit: number | null = 1;
  const budget = new MemoryBudget(() => limit);
  assertEquals(budget.take(2), false);
  limit = null;
  assertEquals(budget.take(1e12), true);
});
