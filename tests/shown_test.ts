/** Values in messages: recognisable, on one line, short. @module */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_SHOWN, shortened, shown } from "../src/shown.ts";

Deno.test("a short value is shown as JSON has it", () => {
  const json = fc.jsonValue().filter((value) => JSON.stringify(value).length <= MAX_SHOWN);
  fc.assert(fc.property(json, (value) => assertEquals(shown(value), JSON.stringify(value))));
  assertEquals(shown(undefined), "undefined");
  assertEquals(shown(1n), "1");
});

Deno.test("a long value is cut after 100 characters, and begins as JSON has it", () => {
  for (const value of ["x".repeat(5000), Array.from({ length: 500 }, (_, i) => i), { a: "y".repeat(400) }]) {
    const text = shown(value);
    assertEquals(text.length, MAX_SHOWN + 1);
    assert(text.endsWith("…"));
    assert(JSON.stringify(value).startsWith(text.slice(0, MAX_SHOWN)));
  }
  assertEquals(shortened("z".repeat(101)), `${"z".repeat(100)}…`);
  assertEquals(shortened("z".repeat(100)), "z".repeat(100));
});

Deno.test("a value that unfolds to gigabytes, or that contains itself, is shown at once", () => {
  let bomb: unknown[] = ["lol"];
  for (let i = 0; i < 30; i++) bomb = Array(9).fill(bomb);
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  for (const value of [bomb, { bomb }, loop]) {
    const start = performance.now();
    assertEquals(shown(value).length, MAX_SHOWN + 1);
    assert(performance.now() - start < 100);
  }
});
