/** What two sessions differ in. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { differences } from "../../../src/cli/diff/compare.ts";
import type { FlowDigest } from "../../../src/cli/diff/digest.ts";

/** Flows by name: `a=1` is the flow `a` with the fact `x: 1`. */
function session(text: string): FlowDigest[] {
  return text.split(" ").filter(Boolean).map((word, i) => {
    const [key, value] = word.split("=");
    const facts = new Map(value === undefined ? [] : [["x", value]]);
    return { key, index: i + 1, facts, whole: JSON.stringify([...facts]) };
  });
}

const CASES: [string, string, string[]][] = [
  ["a b c", "a b c", []],
  ["", "", []],
  ["a b c", "a c", ["b: missing"]],
  ["a c", "a b c", ["b: added"]],
  ["a=1", "a=2", ["a: x: 1 → 2"]],
  ["a=1", "a", ["a: x: 1 → none"]],
  ["a", "a=2", ["a: x: none → 2"]],
  ["a b c", "c a b", ["c: moved: 3 → 1"]],
  ["a b c d", "b c d a", ["a: moved: 1 → 4"]],
  ["a b", "b=1 a", ["a: moved: 1 → 2", "b: x: none → 1"]],
  ["a b c", "x a y c", ["b: missing", "x: added", "y: added"]],
  // Of a key that comes several times the equal ones stand for each other.
  ["p=1 p=2", "p=0 p=1 p=2", ["p: added"]],
  ["p=1 p=2 p=3", "p=1 p=3", ["p: missing"]],
  ["p=1 p=2 p=3", "p=1 p=9 p=3 p=4", ["p: x: 2 → 9", "p: added"]],
  ["p=1 p=2", "p=2 p=1", ["p: x: 1 → 2", "p: x: 2 → 1"]],
];
for (const [a, b, lines] of CASES) {
  Deno.test(`"${a}" and "${b}" differ in ${lines.length}`, () => {
    assertEquals([...differences(session(a), session(b))], lines);
  });
}

Deno.test("a session differs in nothing from itself, and there and back in as much", () => {
  const flow = fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2")).map((parts) =>
    parts.join("=")
  );
  const text = fc.array(flow, { maxLength: 12 }).map((flows) => flows.join(" "));
  const count = (lines: string[], what: string) => lines.filter((line) => line.endsWith(`: ${what}`)).length;
  fc.assert(fc.property(text, text, (a, b) => {
    assertEquals([...differences(session(a), session(a))], []);
    const [there, back] = [[...differences(session(a), session(b))], [
      ...differences(session(b), session(a)),
    ]];
    assertEquals([count(there, "missing"), count(there, "added")], [
      count(back, "added"),
      count(back, "missing"),
    ]);
    assertEquals(session(a).length - count(there, "missing"), session(b).length - count(there, "added"));
  }));
});

Deno.test("long sessions are compared in a moment", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `k${i % 7}=${i}`).join(" ");
  const start = performance.now();
  assertEquals([...differences(session(many), session(`new ${many}`))].at(-1), "new: added");
  const lines = [...differences(session(`k0=x ${many}`), session(many))];
  assertEquals(lines.filter((line) => line.endsWith("missing")).length, 1);
  if (performance.now() - start > 20_000) throw new Error("It took longer than 20 s.");
});
