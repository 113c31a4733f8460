/** Rules are taken apart as mitmproxy does it; what is wrong is told with its place. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { OptionError } from "weir";
import { unescaped } from "../../../addons/rules/escapes.ts";
import { FileValue } from "../../../addons/rules/file_value.ts";
import { filterOf, type Form, Spec } from "../../../addons/rules/spec.ts";
import { templateOf } from "../../../addons/rules/template.ts";

const TWO: Form = { text: "/[filter/]a/b", parts: 2, filter: "optional" };
const ONE: Form = { text: "/filter/a", parts: 1, filter: "required" };
const BARE: Form = { text: "[/filter/]a", parts: 1, filter: "bare" };

function parts(text: string, form: Form): [filter: string, ...parts: [string, number][]] {
  const spec = new Spec("opt", text, form);
  return [spec.filter.text, ...spec.parts.map(({ text, at }) => [text, at] as [string, number])];
}

const SPLIT: [string, Form, [string, ...[string, number][]]][] = [
  ["/a/b", TWO, ["~all", ["a", 2], ["b", 4]]],
  ["/~q/a/b", TWO, ["~q", ["a", 5], ["b", 7]]],
  ["/~q/a/b/c/d", TWO, ["~q", ["a", 5], ["b/c/d", 7]]],
  ["|~u /x|a|", TWO, ["~u /x", ["a", 8], ["", 10]]],
  ["//b", TWO, ["~all", ["", 2], ["b", 3]]],
  ["😀~q😀a😀b", TWO, ["~q", ["a", 7], ["b", 10]]],
  [":~d x:404", ONE, ["~d x", ["404", 7]]],
  ["1m:1m", BARE, ["~all", ["1m:1m", 1]]],
  ["/~s/1m:1m", BARE, ["~s", ["1m:1m", 5]]],
];
for (const [text, form, expected] of SPLIT) {
  Deno.test(`${text} has the parts ${JSON.stringify(expected)}`, () =>
    assertEquals(parts(text, form), expected));
}

const WRONG: [string, Form, string][] = [
  ["", TWO, "there is nothing at 1"],
  ["/a", TWO, "a part is missing at 3"],
  ["/", TWO, "a part is missing at 2"],
  ["x", TWO, "a part is missing at 2"],
  ["//a/b", TWO, "an expression is missing at 2"],
  ["/~m/a/b", TWO, "~m needs a regular expression at 4"],
  ["/~q & /a/b", TWO, "an expression is missing at 7"],
  ["/~u [/a/b", TWO, "a closing ] of the pattern is missing at 6"],
  ["/404", ONE, "a part is missing at 5"],
  ["/~q/404/5", ONE, 'there is a part too many (the separator is "/") at 9'],
  ["/~q", BARE, "a part is missing at 4"],
];
for (const [text, form, reason] of WRONG) {
  Deno.test(`${text} is refused: ${reason}`, () => {
    const error = assertThrows(() => new Spec("opt", text, form), OptionError);
    assertEquals(error.message, `option opt: ${JSON.stringify(text)}: ${reason}; expected ${form.text}`);
  });
}

Deno.test("an expression's mistake is told with its place in the rule", () => {
  const spec = new Spec("opt", "/~q/ü(/b", TWO);
  const error = assertThrows(() => spec.regex(spec.parts[0], { bytes: true }), OptionError);
  assertEquals(
    error.message,
    'option opt: "/~q/ü(/b": a closing ) of the pattern is missing at 7; expected /[filter/]a/b',
  );
});

Deno.test("an option that is a filter is refused with its place", () => {
  const error = assertThrows(() => filterOf("stickycookie", "~zzz"), OptionError);
  assertEquals(error.message, 'option stickycookie: filter "~zzz": ~zzz is not an operator at 1');
});

/** The second part of a rule. */
function second(text: string) {
  const spec = new Spec("opt", `|x|${text}`, { ...TWO, text: "…" });
  return { spec, part: spec.parts[1] };
}

const ESCAPES: [string, string][] = [
  ["plain", "plain"],
  ["a\\nb\\t\\\\", "a\nb\t\\"],
  ["\\x41\\x7e", "A~"],
  ["\\101\\0", "A\0"],
  ["\\d\\.", "\\d\\."],
  ["ü", "Ã¼"],
  ["\\'\\\"", "'\""],
];
for (const [text, expected] of ESCAPES) {
  Deno.test(`the escapes of ${text} give ${JSON.stringify(expected)}`, () => {
    const { spec, part } = second(text);
    assertEquals(unescaped(spec, part), expected);
  });
}

for (
  const [text, reason] of [
    ["ab\\", "a backslash at the end escapes nothing (write \\\\) at 6"],
    ["\\x4", "two hexadecimal digits are needed behind \\x at 4"],
  ]
) {
  Deno.test(`the escape in ${text} is refused`, () => {
    const { spec, part } = second(text);
    const error = assertThrows(() => unescaped(spec, part), OptionError);
    assertEquals(error.message, `option opt: ${JSON.stringify(`|x|${text}`)}: ${reason}; expected …`);
  });
}

const TEMPLATES: [template: string, expected: string][] = [
  ["<\\1>", "<b>"],
  ["\\g<1>0", "b0"],
  ["\\g<0>\\g<mid>", "abcb"],
  ["$1 $& $$ $` $'", "$1 $& $$ $` $'"],
  ["\\n\\x41\\101", "\nAA"],
  ["\\\\1", "\\1"],
  ["\\2", ""],
];
for (const [template, expected] of TEMPLATES) {
  Deno.test(`the template ${template} gives ${JSON.stringify(expected)}`, () => {
    const { spec, part } = second(template);
    const regexp = /a(?<mid>b)c(x)?/g;
    for (const unit of ["bytes", "text"] as const) {
      assertEquals("-abc-".replace(regexp, templateOf(spec, part, regexp, unit)), `-${expected}-`);
    }
  });
}

Deno.test("a group's number is not read into the digits behind it", () => {
  const { spec, part } = second("\\g<1>23");
  assertEquals("a".replace(/(a)/, templateOf(spec, part, /(a)/, "text")), "a23");
});

for (
  const [template, reason] of [
    ["\\3", "there is no group 3 at 4"],
    ["x\\g<no>", "there is no group no at 5"],
    ["\\10", "there is no group 10 at 4"],
    ["\\g1", "\\g needs a group: \\g<1> or \\g<name> at 4"],
  ]
) {
  Deno.test(`the template ${template} is refused`, () => {
    const { spec, part } = second(template);
    const error = assertThrows(() => templateOf(spec, part, /a(b)c(x)?/, "text"), OptionError);
    assertEquals(error.message, `option opt: ${JSON.stringify(`|x|${template}`)}: ${reason}; expected …`);
  });
}

Deno.test("escapes that are none: bytes keep them as mitmproxy does, text refuses letters as Python does", () => {
  const { spec, part } = second("\\q\\.");
  assertEquals(templateOf(spec, part, /a/, "bytes"), "\\q\\.");
  assertThrows(() => templateOf(spec, part, /a/, "text"), OptionError, "the escape \\q is not known at 4");
});

Deno.test("a file is read again when it changes, and remembered when it is gone", async () => {
  const { spec } = second("y");
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "one");
  const value = new FileValue(spec, path);
  const warnings: string[] = [];
  const read = () => new TextDecoder().decode(value.read((text) => warnings.push(text)));
  assertEquals(read(), "one");
  await Deno.writeTextFile(path, "three");
  assertEquals(read(), "three");
  await Deno.remove(path);
  assertEquals(read(), "three");
  assertEquals(warnings.length, 1);
  assertThrows(() => new FileValue(spec, path), OptionError, `the file ${path} cannot be read (No such file`);
});
