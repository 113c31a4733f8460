import { assert, assertEquals } from "@std/assert";
import { cpuSeconds, descendants, parseStat, residentBytes } from "../../../scripts/bench/usage.ts";

Deno.test("a stat line is taken apart, with any name in it", () => {
  const rest = "S 7 1 1 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7";
  for (const name of ["deno", "a b", "a) S 1 (b", "((x))"]) {
    assertEquals(parseStat(`42 (${name}) ${rest}\n`), { pid: 42, parent: 7, ticks: 127 });
  }
});

Deno.test("descendants are found in whatever order processes are listed", () => {
  const process = (pid: number, parent: number) => ({ pid, parent, ticks: 0 });
  const all = [process(5, 4), process(4, 3), process(9, 1), process(3, 1), process(6, 3), process(1, 0)];
  assertEquals(descendants(3, all).map(({ pid }) => pid).sort(), [3, 4, 5, 6]);
  assertEquals(descendants(8, all), []);
});

Deno.test("this process uses CPU time and memory", () => {
  const before = cpuSeconds(Deno.pid);
  // A machine that is busy may give it little.
  for (const end = performance.now() + 10_000; cpuSeconds(Deno.pid) === before && performance.now() < end;);
  assert(cpuSeconds(Deno.pid) > before);
  assert(residentBytes(Deno.pid) > 1024 * 1024);
});
