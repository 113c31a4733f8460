import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { hasToken, isFieldValue, isTarget, listElements, trimBlanks } from "../src/http_grammar.ts";

const ALL = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
/** What JavaScript's `trim` and `\s` take for white space, and HTTP does not. */
const NO_BLANKS = ["\v", "\f", "\xa0", "\x85", "\x1c", "\n", "\r", "\0"];

Deno.test("blanks are SP and HTAB, and nothing else", () => {
  assertEquals(ALL.filter((char) => trimBlanks(`${char}x${char}`) === "x"), ["\t", " "]);
  assertEquals(trimBlanks(" \t a \t b\t "), "a \t b");
  assertEquals([trimBlanks(""), trimBlanks(" \t ")], ["", ""]);
});

Deno.test("an element of a list has blanks around it, and other white space in it", () => {
  assertEquals(listElements("a,\t b ,,c\t"), ["a", "b", "", "c"]);
  assertEquals(listElements(" a\t"), ["a"]);
  for (const char of NO_BLANKS) {
    assertEquals(listElements(`a,${char}b`), ["a", `${char}b`]);
    assertEquals(hasToken(`a,${char}close`, "close"), false);
    assertEquals(hasToken(`${char}close`, "close"), false);
  }
  assertEquals(["x, CLOSE", "close", "a,\tclose ,b"].map((list) => hasToken(list, "close")), [
    true,
    true,
    true,
  ]);
  assertEquals([null, "", "closed", "x-close", "clo, se"].map((list) => hasToken(list, "close")), [
    false,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("values have no control character but HTAB; bytes 0x80 to 0xff stay allowed", () => {
  const refused = ALL.filter((char) => !isFieldValue(`a${char}b`)).map((char) => char.charCodeAt(0));
  assertEquals(refused, [...Array.from({ length: 9 }, (_, i) => i), ...range(10, 31), 127]);
  assertEquals([isFieldValue(""), isFieldValue("\u0100")], [true, false]);
});

Deno.test("targets have no white space, control character or fragment; bytes 0x80 to 0xff stay allowed", () => {
  const refused = ALL.filter((char) => !isTarget(`/a${char}b`)).map((char) => char.charCodeAt(0));
  assertEquals(refused, [...range(0, 32), "#".charCodeAt(0), 127]);
  assertEquals([isTarget(""), isTarget("/\u0100")], [false, false]);
});

Deno.test("what is joined by commas is taken apart again", () => {
  const element = fc.stringMatching(/^[!-+\--~]{0,8}$/);
  const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(blanks, element, blanks), { minLength: 1, maxLength: 6 }), (elements) => {
      const list = elements.map((parts) => parts.join("")).join(",");
      assertEquals(listElements(list), elements.map(([, text]) => text));
    }),
    { seed: 10 },
  );
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
