import { assertEquals } from "@std/assert";
import { hint, levenshtein, nearest } from "../../src/options/nearest.ts";

const NAMES = ["listen_port", "listen_host", "stream_large_bodies", "via"];

Deno.test("the name that a slip was meant for is found", () => {
  const slips: [string, string | null][] = [
    ["listen_prot", "listen_port"],
    ["listenport", "listen_port"],
    ["stream_larg_bodys", "stream_large_bodies"],
    ["stream_large", "stream_large_bodies"],
    ["vai", "via"],
    ["entirely_else", null],
  ];
  for (const [slip, name] of slips) assertEquals(nearest(slip, NAMES), name, slip);
  assertEquals(hint("vai", NAMES), " (did you mean via?)");
  assertEquals(hint("entirely_else", NAMES), "");
});

Deno.test("the distance counts insertions, deletions and substitutions", () => {
  const pairs: [string, string, number][] = [["", "", 0], ["", "abc", 3], ["kitten", "sitting", 3], [
    "ab",
    "ba",
    2,
  ]];
  for (const [a, b, distance] of pairs) assertEquals(levenshtein(a, b), distance, `${a} ${b}`);
});
