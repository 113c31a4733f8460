/** Python's regular expressions in JavaScript: each row was compared with Python 3.11's `re`. */
import { assertEquals, assertThrows } from "@std/assert";
import { PatternError, type PatternOptions, pythonRegex, utf8Of } from "../../src/filter/python_regex.ts";

interface Row {
  pattern: string;
  yes: string[];
  no: string[];
  options?: PatternOptions;
}

const ROWS: Row[] = [
  { pattern: "abc", yes: ["xabcx"], no: ["ab c"] },
  { pattern: "(?i)ABC", yes: ["abc", "aBc"], no: ["ab"] },
  { pattern: "(?is)a.c", yes: ["A\nc"], no: ["ac"] },
  { pattern: "(?i:a)b", yes: ["Ab"], no: ["aB"] },
  { pattern: "(?P<year>\\d{4})-(?P=year)", yes: ["2024-2024"], no: ["2024-2025"] },
  { pattern: "(?P<a>x)(?P=a)2", yes: ["xx2"], no: ["x2"] },
  { pattern: "\\Aabc", yes: ["abcd"], no: ["xabc", "\nabc"], options: { multiline: true } },
  { pattern: "abc\\Z", yes: ["xabc"], no: ["abc\n", "abcd"] },
  { pattern: "abc$", yes: ["abc", "abc\n"], no: ["abc\n\n", "abcd"] },
  { pattern: "abc$", yes: ["abc\nd"], no: ["abcd"], options: { multiline: true } },
  { pattern: "^b", yes: ["a\nb"], no: ["ab"], options: { multiline: true } },
  { pattern: "a.b", yes: ["axb", "a\rb", "a\u2028b"], no: ["a\nb"] },
  { pattern: "a{,2}b", yes: ["b", "aab"], no: ["c"] },
  { pattern: "^a{,2}b", yes: ["b", "aab"], no: ["aaab"] },
  { pattern: "^a{2}$", yes: ["aa"], no: ["a", "aaa"] },
  { pattern: "a{x}", yes: ["a{x}"], no: ["ax"] },
  { pattern: "{}", yes: ["{}"], no: ["{"] },
  { pattern: "[]a]", yes: ["]", "a"], no: ["b"] },
  { pattern: "[^]a]", yes: ["b"], no: ["]", "a"] },
  { pattern: "[[a]", yes: ["[", "a"], no: ["b"] },
  { pattern: "[a\\-z]", yes: ["-", "a", "z"], no: ["b"] },
  { pattern: "[a-]", yes: ["-", "a"], no: ["b"] },
  { pattern: "[\\d.]", yes: ["1", "."], no: ["a"] },
  { pattern: "[\\b]", yes: ["\b"], no: ["b"] },
  { pattern: "a]b}", yes: ["a]b}"], no: ["ab"] },
  { pattern: "(?#a comment)b", yes: ["b"], no: ["a comment"] },
  { pattern: "\\x41\\u0042\\103", yes: ["ABC"], no: ["abc"] },
  { pattern: "\\U0001F600", yes: ["😀"], no: ["😁"] },
  { pattern: "[😀b]c", yes: ["😀c", "bc"], no: ["😁c"] },
  { pattern: "😀{2}", yes: ["😀😀"], no: ["😀"] },
  { pattern: "\\a\\t", yes: ["\x07\t"], no: ["at"] },
  { pattern: "\\_\\-\\/\\ ", yes: ["_-/ "], no: ["_/-"] },
  { pattern: "(a)(b)\\2\\1", yes: ["abba"], no: ["abab"] },
  { pattern: "(a)\\10?", yes: [], no: [] },
  { pattern: "\\bfoo\\b", yes: ["a foo b"], no: ["afoob"] },
  { pattern: "a+?b", yes: ["aab"], no: ["a"] },
  { pattern: "(?<=a)b(?!c)", yes: ["abd"], no: ["abc", "b"] },
  { pattern: "é", yes: ["café"], no: ["cafe"], options: { bytes: true } },
  { pattern: "^caf.$", yes: [], no: ["café"], options: { bytes: true } },
  { pattern: "^caf..$", yes: ["café"], no: [], options: { bytes: true } },
  { pattern: "é+$", yes: ["é"], no: ["éé\u00e0"], options: { bytes: true } },
  { pattern: "\\s", yes: [" ", "\t"], no: ["\u00a0"], options: { bytes: true } },
  { pattern: "\\S", yes: ["\u00a0"], no: [" "], options: { bytes: true } },
  { pattern: "EÉ[a-c]", yes: ["eÉB", "EÉc"], no: ["eéb", "ëÉb"], options: { bytes: true, ignoreCase: true } },
  { pattern: "\\xc3\\xa9", yes: ["é"], no: ["e"], options: { bytes: true } },
];

for (const { pattern, yes, no, options } of ROWS.filter((row) => row.yes.length + row.no.length > 0)) {
  Deno.test(`${pattern} ${JSON.stringify(options ?? {})} matches as in Python`, () => {
    const regex = pythonRegex(pattern, options);
    const subject = (text: string) => options?.bytes ? utf8Of(text) : text;
    for (const text of yes) assertEquals([text, regex.test(subject(text))], [text, true], `${regex}`);
    for (const text of no) assertEquals([text, regex.test(subject(text))], [text, false], `${regex}`);
  });
}

const WRONG: [pattern: string, offset: number, reason: string][] = [
  ["(?x)a b", 2, "the flag (?x) is not available"],
  ["(?>a)", 0, "atomic groups (?>…) are not available"],
  ["(a)(?(1)b|c)", 3, "conditional groups (?(…)…) are not available"],
  ["a++", 2, "possessive repetitions are not available"],
  ["a{1}+", 4, "possessive repetitions are not available"],
  ["a**", 2, "a repetition is repeated"],
  ["*a", 0, "there is nothing to repeat"],
  ["a|*", 2, "there is nothing to repeat"],
  ["(", 1, "a closing ) of the pattern is missing"],
  ["(a", 2, "a closing ) of the pattern is missing"],
  ["a)", 1, "a ) of the pattern closes nothing"],
  ["[a", 2, "a closing ] of the pattern is missing"],
  ["[z-a]", 2, "a range's ends are the wrong way round"],
  ["[a-\\d]", 2, "a class is no end of a range"],
  ["a{3,2}", 1, "a repetition's least is more than its most"],
  ["a{99999}", 1, "a repetition is larger than 65535"],
  ["\\y", 0, "the escape \\y is not known"],
  ["\\N{BULLET}", 0, "\\N{…} is not available"],
  ["a\\", 1, "a backslash at the end of the pattern escapes nothing"],
  ["\\1", 0, "there is no group 1"],
  ["(?P=x)", 0, "there is no group x"],
  ["(?P<x>a)(?P<x>b)", 8, "the group name x is used twice"],
  ["a(?i)", 1, "flags such as (?i) belong at the start of the pattern"],
  ["(?Px)", 0, 'the group "(?P" is not known'],
];

for (const [pattern, offset, reason] of WRONG) {
  Deno.test(`${pattern} is refused at ${offset}: ${reason}`, () => {
    for (const bytes of [false, true]) {
      const error = assertThrows(() => pythonRegex(pattern, { bytes }), PatternError, reason);
      assertEquals(error.offset, offset);
    }
  });
}

Deno.test("a refusal counts characters of the pattern, not its bytes", () => {
  const error = assertThrows(() => pythonRegex("éé(", { bytes: true }), PatternError);
  assertEquals(error.offset, 3);
});
