import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../../src/errors.ts";
import { type MatchFunction, RegExpReplacer } from "../../../src/streams/regexp/replacer.ts";
import { text, utf8 } from "../support.ts";
import { letters, sources, staysInside } from "./generated.ts";
import { PATTERNS, TEXTS } from "./patterns.ts";

const MIB = 1024 * 1024;

/** What comes out for each piece and at the end. A piece is overwritten as soon as it was taken. */
function runBytes(
  regexp: RegExp,
  by: string | MatchFunction,
  pieces: Uint8Array[],
  hold = MIB,
): Uint8Array[] {
  const replacer = new RegExpReplacer(regexp, by, hold);
  const out = pieces.map((piece) => {
    const mine = piece.slice(), given = replacer.push(mine).slice();
    mine.fill(0x61);
    return given;
  });
  return [...out, replacer.end().slice()];
}

const run = (regexp: RegExp, pieces: string[], by: string | MatchFunction = "<$&>", hold = MIB) =>
  runBytes(regexp, by, pieces.map(utf8), hold).map(text);

const global = (regexp: RegExp) => new RegExp(regexp.source, regexp.flags.replace("g", "") + "g");

/** What `replace` makes of the whole text, as bytes. */
function expected(whole: string, regexp: RegExp, by: string | MatchFunction): Uint8Array {
  if (typeof by === "string") return utf8(whole.replace(global(regexp), by));
  return utf8(whole.replace(global(regexp), (...args: unknown[]) => {
    // All but the whole text, which is behind the place.
    const place = args.findIndex((arg) => typeof arg === "number");
    args.splice(place + 1, 1);
    return by(...args as [string]) as string;
  }));
}

/** Cuts bytes at these places. */
function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return [...pieces, bytes.subarray(at)];
}

const bytewise = (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte));

const show: MatchFunction = (...args) =>
  `(${
    args.map((arg) => arg !== null && typeof arg === "object" ? JSON.stringify(arg) : String(arg)).join("|")
  })`;

Deno.test(`${PATTERNS.length} expressions: the same as replace, whole and byte by byte`, () => {
  assert(PATTERNS.length >= 100);
  for (const regexp of PATTERNS) {
    for (const whole of TEXTS) {
      for (const by of ["<$&>", "[$1$2]", "", show]) {
        const want = text(expected(whole, regexp, by)), bytes = utf8(whole);
        const what = `${regexp} on ${JSON.stringify(whole)}`;
        assertEquals(text(concat(runBytes(regexp, by, [bytes]))), want, what);
        assertEquals(text(concat(runBytes(regexp, by, bytewise(bytes)))), want, `${what}, byte by byte`);
      }
    }
  }
});

Deno.test("expressions: the same as replace at any split, also inside characters", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PATTERNS),
      fc.array(fc.constantFrom(...TEXTS), { maxLength: 3 }),
      fc.array(fc.nat({ max: 9 })),
      fc.constantFrom<string | MatchFunction>("<$&>", "$1", "\ud83d", "\ude01", show),
      (regexp, texts, lengths, by) => {
        const whole = texts.join("\n"), bytes = utf8(whole);
        assertEquals(concat(runBytes(regexp, by, cut(bytes, lengths))), expected(whole, regexp, by));
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("any expression: the same matches and groups as replace, at any split", () => {
  fc.assert(
    fc.property(
      sources,
      fc.constantFrom("", "i", "m", "s", "u", "iu", "ims"),
      letters,
      fc.array(fc.nat({ max: 5 })),
      fc.constantFrom<string | MatchFunction>("<$&>", "$1", show),
      (source, flags, whole, lengths, by) => {
        const regexp = new RegExp(source, flags);
        // V8 lets assertions match between the halves of a character, also with `u`; the standard does not.
        if (regexp.unicode && /[\^$]|\\b/.test(source)) whole = whole.replaceAll("😀", "é");
        fc.pre(staysInside(regexp, whole));
        assertEquals(concat(runBytes(regexp, by, cut(utf8(whole), lengths))), expected(whole, regexp, by));
      },
    ),
    { numRuns: 5000 },
  );
});

Deno.test("a match goes out with the byte that decides it, and nothing waits that cannot begin one", () => {
  const cases: [RegExp, string[], string[]][] = [
    [/<.+?>/, ["x<", "a", ">", "b"], ["x", "", "<<a>>", "b", ""]],
    [/<.+>/, ["x<", "a>", "b", "\n>"], ["x", "", "", "<<a>>b\n>", ""]],
    [/foo|bar/, ["xf", "o", "x", "ba", "r", "o"], ["x", "", "fox", "", "<bar>", "o", ""]],
    [/foo\b/, ["foo", "d foo", " ", "foo"], ["", "food ", "<foo> ", "", "<foo>"]],
    [/foo$/, ["foo", "foo"], ["", "foo", "<foo>"]],
    [/foo$/m, ["foo", "\n", "foo"], ["", "<foo>\n", "", "<foo>"]],
    [/\bfoo/, ["x", "foo ", "f", "oo"], ["x", "foo ", "", "<foo>", ""]],
    [/\d+/, ["a1", "2", "b3"], ["a", "", "<12>b", "<3>"]],
    [/\d{2}/, ["a1", "2", "3", "4"], ["a", "<12>", "", "<34>", ""]],
    [/a|ab/, ["a", "b"], ["<a>", "b", ""]],
    [/ab|a/, ["a", "b", "a", "c"], ["", "<ab>", "", "<a>c", ""]],
    [/a(?:bc)?/, ["a", "b", "d"], ["", "", "<a>bd", ""]],
    [/a(?:bc)??/, ["a", "b", "c"], ["<a>", "b", "c", ""]],
    [/x*/, ["x", "a"], ["", "<x><>a", "<>"]],
    [/^/m, ["a", "\n", "b"], ["<>a", "\n<>", "b", ""]],
    // Impossible ways hold nothing back.
    [/x\by|z/, ["x", "y", "z"], ["x", "y", "<z>", ""]],
    // deno-lint-ignore no-empty-character-class -- it is what is meant
    [/ab[]|c/, ["a", "b", "c"], ["a", "b", "<c>", ""]],
    [/aab|ac/, ["a", "a", "a", "c"], ["", "", "a", "a<ac>", ""]],
  ];
  for (const [regexp, pieces, want] of cases) assertEquals(run(regexp, pieces), want, String(regexp));
});

Deno.test("the beginning of a character waits only where a match could have it", () => {
  const euro = utf8("€"), smile = utf8("😀");
  const pieces = (regexp: RegExp, ...given: Uint8Array[]) =>
    runBytes(regexp, "-", given).map((out) => out.length);
  assertEquals(pieces(/foo/, euro.subarray(0, 2), euro.subarray(2)), [2, 1, 0]);
  assertEquals(pieces(/€/, euro.subarray(0, 2), euro.subarray(2)), [0, 1, 0]);
  assertEquals(pieces(/[à-ü]/, euro.subarray(0, 2), euro.subarray(2)), [2, 1, 0]);
  assertEquals(pieces(/fo+/, utf8("fo"), euro.subarray(0, 1), euro.subarray(1)), [0, 2, 2, 0]);
  assertEquals(pieces(/foo/, utf8("fo"), euro.subarray(0, 1), euro.subarray(1)), [0, 3, 2, 0]);
  assertEquals(pieces(/foo/, smile.subarray(0, 1), smile.subarray(1, 3), smile.subarray(3)), [1, 2, 1, 0]);
  assertEquals(pieces(/\ude00/, smile.subarray(0, 1), smile.subarray(1, 3), smile.subarray(3)), [0, 0, 4, 0]);
  // In all of these the half that stays is U+FFFD, as it is when such a string is encoded.
  assertEquals(pieces(/\ud83d/, smile), [1 + 3, 0]);
});

Deno.test("bytes that are no UTF-8 pass as they are, match nothing, and are no word", () => {
  const dirty = (regexp: RegExp, bytes: number[], by = "-") => [
    ...concat(runBytes(regexp, by, bytewise(Uint8Array.from(bytes)))),
  ];
  for (const regexp of [/[^]/, /./s, /\W/, /[^a]/, /\S/u, /\P{L}/u]) {
    assertEquals(dirty(regexp, [0x80, 0xff, 0xc3, 0xe2, 0x82, 0xf0, 0x9f]), [
      0x80,
      0xff,
      0xc3,
      0xe2,
      0x82,
      0xf0,
      0x9f,
    ]);
  }
  assertEquals(dirty(/a.b/, [0x61, 0xff, 0x62, 0x61, 0x63, 0x62]), [0x61, 0xff, 0x62, 0x2d]);
  assertEquals(dirty(/\ba\b/, [0xff, 0x61, 0xff]), [0xff, 0x2d, 0xff]);
  assertEquals(dirty(/\Ba/, [0xff, 0x61, 0xff]), [0xff, 0x61, 0xff]);
  assertEquals(dirty(/^a/m, [0xff, 0x61]), [0xff, 0x61]);
  // A surrogate in UTF-8 is none; an overlong form is none.
  assertEquals(dirty(/\ud83d/, [0xed, 0xa0, 0xbd, 0xc0, 0xaf]), [0xed, 0xa0, 0xbd, 0xc0, 0xaf]);
  assertEquals(dirty(/\//, [0xed, 0xa0, 0xbd, 0xc0, 0xaf, 0x2f]), [0xed, 0xa0, 0xbd, 0xc0, 0xaf, 0x2d]);
  // The place counts what a decoder makes of them: one character per sequence.
  const places: unknown[] = [];
  runBytes(/a/, (_, place) => {
    places.push(place);
    return "";
  }, bytewise(Uint8Array.of(0xf0, 0x9f, 0x98, 0x61, 0xff, 0xff, 0x61, 0xe2, 0x61)));
  assertEquals(places, [1, 4, 6]);
});

Deno.test("text with any bytes in it: the same as replace of what a decoder makes of it", () => {
  const bytes = fc.array(fc.constantFrom(0x61, 0x62, 0x80, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xff));
  fc.assert(
    fc.property(
      bytes,
      fc.constantFrom(/a+/, /\ba/, /ab?/, /[ab]{2}/, /é/, /(?:€|a)b/u, /b$/, /^a/),
      fc.array(fc.nat({ max: 4 })),
      (all, regexp, lengths) => {
        const given = Uint8Array.from(all), by: MatchFunction = (match, place) => `<${match}${place}>`;
        const out = text(concat(runBytes(regexp, by, cut(given, lengths))));
        assertEquals(out, text(expected(text(given), regexp, by)));
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("expressions that make backtracking explode take time in proportion to the text", () => {
  const hostile: [RegExp, string][] = [
    [/(a+)+b/, "a"],
    [/(a|a)*b/, "a"],
    [/(a|aa)+$/, "a"],
    [/(?:.*a){12}/, "a"],
    [/(x+x+)+y/, "x"],
    [/(\w+\s?)*!/, "ab "],
    [/^(([a-z])+.)+[A-Z]([a-z])+$/, "a"],
    // Each of its matches is found only when the whole rest was looked at for a better one.
    [/a(?:.*b)?/, "a"],
    [/a(?:.*?b)??c|a/, "a"],
    [/(?:a|b)*?c|a/, "ab"],
  ];
  for (const [regexp, unit] of hostile) {
    const started = performance.now(), size = 400_000;
    const pieces = Array.from({ length: 100 }, () => utf8(unit.repeat(size / 100 / unit.length)));
    concat(runBytes(regexp, "", pieces, 2 * size));
    const took = performance.now() - started;
    // Quadratic time would be hours.
    assert(took < 10_000, `${regexp} took ${took} ms`);
  }
});

Deno.test("more than hold is never held: the stage fails, at the same byte whatever the split", () => {
  const tooMuch = (regexp: RegExp, pieces: string[], hold: number) =>
    assertThrows(() => run(regexp, pieces, "", hold), WeirError, "{ hold }");
  assertEquals(tooMuch(/<.+>/, ["<" + "a".repeat(10)], 10).code, "limit");
  tooMuch(/<.+>/, [..."<" + "a".repeat(10)], 10);
  tooMuch(/<.+>/, ["<" + "a".repeat(20) + ">"], 10);
  tooMuch(/a(?:.*b)?/, ["a" + "c".repeat(20)], 10);
  // Decided in the same piece, one byte too late.
  tooMuch(/<.+>/, ["<" + "a".repeat(10) + "\n"], 10);
  assertEquals(run(/<.+>/, ["<" + "a".repeat(9) + "\n"], "", 10).join(""), "<aaaaaaaaa\n");
  // Not ASCII; and a piece that ends inside a character.
  tooMuch(/<.+>/, ["<" + "€".repeat(10) + "\u2028"], 10);
  assertEquals(run(/<.+>/, ["<" + "é".repeat(4), ">\n"], "", 10).join(""), "\n");
  const inside = concat([utf8("<aaaaaaaaa"), Uint8Array.of(0xc3)]);
  assertThrows(() => runBytes(/<.+>/, "", [inside], 10), WeirError, "{ hold }");
  assertEquals(run(/<.+>/, ["<" + "a".repeat(9), "\n"], "", 10).join(""), "<aaaaaaaaa\n");
  assertEquals(run(/<.+?>/, ["<" + "a".repeat(8) + ">"], "", 10).join(""), "");
  assertEquals(run(/\d+/, ["x".repeat(100), "1", "x".repeat(100)], "", 1).join(""), "x".repeat(200));
});

Deno.test("more than hold is never held by an expression that has too many states for a table", () => {
  const regexp = /[ab]*a[ab]{16}c/, long = "abbabaab".repeat(40);
  // Its first use fills the table.
  let random = 1;
  const text = Array.from({ length: 50_000 }, () => (random = random * 16807 % 2147483647) & 4 ? "a" : "b");
  assertEquals(run(regexp, [text.join("")]).join(""), text.join(""));
  assertThrows(() => run(regexp, [long + "c"], "", 100), WeirError, "{ hold }");
  assertThrows(() => run(regexp, [...long + "c"], "", 100), WeirError, "{ hold }");
  assertEquals(run(regexp, [long + "c"], "", 1000).join(""), (long + "c").replace(regexp, ""));
});

Deno.test("the replacement's forms are those of replace", () => {
  const templates = [
    "$$",
    "$&$&",
    "$1",
    "$2$1",
    "$3",
    "$0",
    "$00",
    "$01",
    "$10",
    "$11",
    "$",
    "$x",
    "$<a>",
    "$<b>",
    "$<",
    "$<a",
  ];
  for (const regexp of [/(a)(b)?/, /(?<a>a)(?<b>b)?/, /ab/, /(a)(b)?(c)?(d)?(e)?(f)?(g)?(h)?(i)?(j)?(k)?/]) {
    for (const template of templates) {
      const want = "xabcdefghijkay".replace(global(regexp), template);
      assertEquals(run(regexp, ["xabcdefghijkay"], template).join(""), want, `${regexp} ${template}`);
    }
  }
  const bytes = new RegExpReplacer(/a/, utf8("$&"), MIB);
  assertEquals(text(concat([bytes.push(utf8("xa")).slice(), bytes.end()])), "x$&");
});

Deno.test("a function gets the match, its groups, its place and the named groups", () => {
  const calls: unknown[][] = [];
  run(/(?<a>a)(b)?/, ["é😀a", "b a"], (...args) => {
    calls.push(args);
    return "";
  });
  assertEquals(calls, [["ab", "a", "b", 3, { a: "a" }], ["a", "a", undefined, 6, { a: "a" }]]);
});

Deno.test("what cannot be done exactly is refused when the stage is made, by name", () => {
  const refused = (regexp: RegExp, by: unknown, part: string) =>
    assertThrows(() => new RegExpReplacer(regexp, by as string, MIB), TypeError, part);
  refused(/a(?=b)/, "", "a lookahead (from (?=b) on)");
  refused(/a(?!b)/, "", "lookahead");
  refused(/(?<=a)b/, "", "lookbehind");
  refused(/(?<!a)b/, "", "lookbehind");
  refused(/(a)\1/, "", "back-reference");
  refused(/\1(a)/, "", "back-reference");
  refused(/(?<n>a)\k<n>/, "", "back-reference");
  refused(/a/y, "", "the flag y");
  refused(/a/d, "", "the flag d");
  refused(/a/v, "", "the flag v");
  refused(/a/, "$`", "$`");
  refused(/a/, "$'", "$'");
  refused(/a/, undefined, "undefined");
  refused(/a/, 7, "the number 7");
  refused(/(?:a{100}){300}/, "", "too large");
  refused(/(?:(?:(?:(?:(?:(?:(?:(?:(?:a*)*)*)*)*)*)*)*)*)*/, "", "inside each other");
  // What looks like it and is not (back-references to no group are octal, by Annex B):
  const others = [String.raw`[\1]`, String.raw`\1`, String.raw`(a)\2`, String.raw`(?:(a))\2`, String.raw`\k`];
  for (
    const regexp of [
      /[(?=]/,
      /\(?=a/,
      /\\1/,
      /a/g,
      /(?:){1000000000}/,
      ...others.map((each) => new RegExp(each)),
    ]
  ) {
    assertEquals(
      run(regexp, ["x(a=1\\1\x01\x02"]).join(""),
      "x(a=1\\1\x01\x02".replace(global(regexp), "<$&>"),
    );
  }
});

/** Bytes as text, one character each. */
const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const bytesOf = (letters: string) => Uint8Array.from(letters, (letter) => letter.charCodeAt(0));

Deno.test("with bytes: the same as replace on one character a byte, at any split", () => {
  const sources = ["\\xff+", "[\\x80-\\xbf]", "a.c", "(\\xc3)(.)", "[^a]", "\\w+", "^.", "é", "(?:)", "\\b"];
  fc.assert(
    fc.property(
      fc.constantFrom(...sources),
      fc.constantFrom("<$&>", "[$02$1]", "\xff$$", ""),
      fc.array(fc.constantFrom("a", "b", "c", "\xff", "\xc3", "\xa9", "\x80", "\n"), { maxLength: 12 }),
      fc.array(fc.nat(3), { maxLength: 6 }),
      (source, by, letters, lengths) => {
        const regexp = new RegExp(source, "s"), whole = letters.join("");
        const replacer = new RegExpReplacer(regexp, by, MIB, true);
        const out = cut(bytesOf(whole), lengths).map((piece) => latin1(replacer.push(piece)));
        assertEquals(out.join("") + latin1(replacer.end()), whole.replace(global(regexp), by));
      },
    ),
  );
});

Deno.test("with bytes: a function gets characters and places that are bytes; text beyond them is refused", () => {
  const replacer = new RegExpReplacer(/\xc3(.)/s, show, MIB, true);
  assertEquals(latin1(replacer.push(bytesOf("a\xc3\xa9"))) + latin1(replacer.end()), "a(\xc3\xa9|\xa9|1)");
  assertThrows(() => new RegExpReplacer(/a/, "€", MIB, true), TypeError, "€ is none");
});

Deno.test("captures are the same in matches of any length", () => {
  for (const length of [1, 10, 4094, 4095, 4096, 4097, 20_000]) {
    const whole = `-${"ab".repeat(length)}c-`;
    for (const regexp of [/((?:(a)|(b))+?)(c)/, /(a|ab)(b?(?:ab)*)\b(c)/, /(?<x>[ab]*)(c)(-|$)/]) {
      const want = text(expected(whole, regexp, show));
      assertEquals(text(concat(runBytes(regexp, show, [utf8(whole)]))), want);
      assertEquals(text(concat(runBytes(regexp, show, cut(utf8(whole), [7, 100, 3])))), want);
    }
  }
});
