import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../support/characters.ts";
import { escapeControl } from "../../src/flow/escape.ts";

Deno.test("control characters are written as JavaScript would", () => {
  const table: [string, string][] = [
    ["plain text, é ✓ 😀", "plain text, é ✓ 😀"],
    ["\x1b[2J", "\\x1b[2J"],
    ["a\0b\x07\x7f", "a\\x00b\\x07\\x7f"],
    ["\t\r\n", "\\t\\r\\n"],
    ["\x9b31m", "\\x9b31m"],
    ["\u2028\u202e\u2066\u200f", "\\u2028\\u202e\\u2066\\u200f"],
  ];
  for (const [text, escaped] of table) assertEquals(escapeControl(text), escaped);
});

Deno.test("what was escaped has no control characters left", () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    assertEquals(/\p{Cc}/u.test(escapeControl(text)), false);
  }));
});
