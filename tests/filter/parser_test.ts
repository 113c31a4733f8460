/** The grammar of filters: precedence, quoting, errors with their place. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FilterError, parseFilter } from "../../src/filter/mod.ts";
import { type Node, parse } from "../../src/filter/parser.ts";
import { httpFlow } from "./support.ts";

/** Words of the URL that is matched: only these are true. */
const FLOW = httpFlow({ url: "http://h/-T-U-V-" });

/** Filters of words, with what they must come to: `t`, `u`, `v` are true, the others false. */
const PRECEDENCE: [filter: string, expected: boolean][] = [
  ["-t-", true],
  ["-f-", false],
  ["!-t-", false],
  ["! -f-", true],
  ["!!-t-", true],
  ["-t- & -u-", true],
  ["-t- & -f-", false],
  ["-f- | -t-", true],
  ["-t- -u-", true],
  ["-t- -f-", false],
  // & binds tighter than |, | tighter than a list.
  ["-t- | -f- & -f-", true],
  ["-f- & -f- | -t-", true],
  ["-f- -f- | -t-", false],
  ["-t- | -f- -f-", false],
  ["-t- -f- | -u-", true],
  ["!-t- | -u-", true],
  ["!-f- & -t-", true],
  ["!(-t- | -u-)", false],
  ["(-f- | -t-) & -u-", true],
  ["(-t- -u-)", true],
  ["(-t- -f-)", false],
  ["((-t-))", true],
  ["(~q)", true],
  ["~q~all", true],
  ["~q ~s", false],
  // Inside a word they are the word's.
  ["-f-|-t-", true],
  ["-t-&-u-", false],
  ["-t- &-u-", true],
  ["-t- |-f-", true],
  ["'-t-'&'-u-'", true],
  ["~u -t-|-f-", true],
  ["~u '-t-'|~u -f-", true],
  // Quotes.
  ['"-t-"', true],
  ['"- t-"', false],
  ["'[\\\\w]-U'", true],
  ["'\\-t-'", true],
  ["'\\d'", false],
  ["'\\\\d'", false],
  ["~m 'GET'", true],
  ['~m "(?i)get"', true],
  ["  ~q  ", true],
  ["~q\n&\t~q", true],
  ["~m'GET'", true],
];

for (const [filter, expected] of PRECEDENCE) {
  Deno.test(`${JSON.stringify(filter)} is ${expected}`, () =>
    assertEquals(parseFilter(filter)(FLOW), expected));
}

const WRONG: [filter: string, place: number, reason: string][] = [
  ["", 1, "an expression is missing"],
  ["  ", 3, "an expression is missing"],
  ["~m POST & (", 12, "a closing ) is missing"],
  ["(~q", 4, "a closing ) is missing"],
  ["()", 2, "an expression is missing"],
  ["~q)", 3, "this ) closes nothing"],
  ["& a", 1, "an expression is missing before &"],
  ["a || b", 4, "an expression is missing before |"],
  ["a && b", 4, "an expression is missing before &"],
  ["a |", 4, "an expression is missing"],
  ["a & ", 5, "an expression is missing"],
  ["!", 2, "an expression is missing"],
  ["~", 1, "an operator is missing behind ~"],
  ["~ALL", 1, "~ALL is not an operator (did you mean ~all?)"],
  ["~q & ~hedaer x", 6, "~hedaer is not an operator"],
  ["~u", 3, "~u needs a regular expression"],
  ["~u ~q", 4, "~u needs a regular expression"],
  ["~u (a)", 4, "~u needs a regular expression"],
  ["~q & ~c abc", 9, "~c needs a status such as 404, or a class of them such as 4xx, not abc"],
  ["~c 2x", 4, "~c needs a status"],
  ["~size 10", 7, "a comparison with a size such as >10k is needed, not 10"],
  ["~size >x", 7, "a comparison with a size"],
  ["~time >1h", 7, "a comparison with milliseconds"],
  ["~version 3", 10, "~version needs an HTTP version"],
  ["~u '(?x)a'", 4, "the flag (?x) is not available"],
  ["~u a++", 6, "possessive repetitions are not available"],
  ["~u [a", 6, "a closing ] of the pattern is missing"],
  ["~c200", 1, "~c200 is not an operator"],
  ["~m é [", 7, "a closing ] of the pattern is missing"],
  ["~b éé*+", 7, "possessive repetitions are not available"],
  ["'abc", 5, "the closing ' is missing"],
  ['"a\nb"', 6, 'the closing " is missing'],
  ["'abc\\", 6, "the closing ' is missing"],
  ["😀 & (", 6, "a closing ) is missing"],
];

for (const [filter, place, reason] of WRONG) {
  Deno.test(`${JSON.stringify(filter)} is refused at ${place}`, () => {
    const error = assertThrows(() => parseFilter(filter), FilterError, reason);
    assertEquals(error.place, place, error.message);
    assertEquals(error.message, `filter ${JSON.stringify(filter)}: ${error.reason} at ${place}`);
  });
}

Deno.test("what is nested too deep is refused, and no stack overflows", () => {
  for (const text of ["(".repeat(100_000), "!".repeat(100_000), "(!".repeat(50_000)]) {
    assertThrows(() => parseFilter(text), FilterError, "nested more than 200 deep");
  }
  assertEquals(parseFilter(`${"(".repeat(200)}~q${")".repeat(200)}`)(FLOW), true);
});

Deno.test("a long filter is cut in its error", () => {
  const error = assertThrows(() => parseFilter(`~u ${"a".repeat(5000)} & (`), FilterError);
  assertEquals(error.message.length < 250, true);
});

Deno.test("any text is a filter or a FilterError, and a place lies in it or one past its end", () => {
  const pieces = fc.constantFrom(
    "~m ",
    "~q",
    "(",
    ")",
    "&",
    "|",
    "!",
    " ",
    "'",
    '"',
    "\\",
    "a",
    "[",
    "*",
    "~",
    "é",
    "?",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      const text = parts.join("");
      try {
        parseFilter(text)(FLOW);
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
        assertEquals(error.place >= 1 && error.place <= [...text].length + 1, true, error.message);
      }
    }),
    { seed: 1, numRuns: 5000 },
  );
});

Deno.test("trees that are written and read again are the same", () => {
  const tree: fc.Arbitrary<string> = fc.letrec<{ node: string; term: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      tie("term"),
      tie("node").map((part) => `!(${part})`),
      fc.array(tie("node"), { minLength: 2, maxLength: 3 }).map((parts) => `(${parts.join(" & ")})`),
      fc.array(tie("node"), { minLength: 2, maxLength: 3 }).map((parts) => `(${parts.join(" | ")})`),
      fc.array(tie("node"), { minLength: 2, maxLength: 3 }).map((parts) => `(${parts.join(" ")})`),
    ),
    term: fc.constantFrom("~q", "~s", "-t-", "-f-", "-u-"),
  })).node;
  fc.assert(
    fc.property(tree, (text) => {
      assertEquals(parseFilter(text)(FLOW), evaluate(text), text);
    }),
    { seed: 1, numRuns: 1000 },
  );
});

/** The same by JavaScript's own operators; a list is written with parentheses around each part, so that only they bind. */
function evaluate(text: string): boolean {
  const words: Record<string, string> = {
    "~q": "true",
    "~s": "false",
    "-t-": "true",
    "-f-": "false",
    "-u-": "true",
  };
  const script = text.replace(/~q|~s|-\w-/g, (word) => words[word])
    .replace(/(true|false|\)) (?=true|false|\(|!)/g, "$1 && ").replaceAll(" & ", " && ").replaceAll(
      " | ",
      " || ",
    );
  return Function(`return ${script}`)();
}

Deno.test("words of one kind stay together in one node", () => {
  const node = parse("a b c") as Node & { kind: "all" };
  assertEquals([node.kind, node.parts.length], ["all", 3]);
});
