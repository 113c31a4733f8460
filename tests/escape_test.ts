import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "./support/characters.ts";
import { escapeControl } from "../src/escape.ts";

Deno.test("control characters are written as JavaScript would", () => {
  const table: [string, string][] = [
    ["plain text, é ✓ 😀", "plain text, é ✓ 😀"],
    ["\x1b[2J", "\\x1b[2J"],
    ["a\0b\x07\x7f", "a\\x00b\\x07\\x7f"],
    ["\t\r\n", "\\t\\r\\n"],
    ["\x9b31m", "\\x9b31m"],
    ["a\u061cb", "a\\u061cb"],
    ["\u2028\u202e\u2066\u200f", "\\u2028\\u202e\\u2066\\u200f"],
  ];
  for (const [text, escaped] of table) assertEquals(escapeControl(text), escaped);
});

Deno.test("what was escaped has no control characters left", () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    assertEquals(/\p{Cc}/u.test(escapeControl(text)), false);
  }));
});

Deno.test("nothing that turns the direction of writing is left, and every other character is", () => {
  const marks: number[] = [];
  for (let code = 0x80; code < 0x1_0000; code++) {
    const char = String.fromCharCode(code);
    if (escapeControl(char) !== char) marks.push(code);
    else assertEquals(/\p{Bidi_Control}/u.test(char), false, code.toString(16));
  }
  const c1 = Array.from({ length: 32 }, (_, i) => 0x80 + i);
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  assertEquals(marks, [...c1, 0x61c, 0x200e, 0x200f, ...range(0x2028, 0x202e), ...range(0x2066, 0x2069)]);
});
