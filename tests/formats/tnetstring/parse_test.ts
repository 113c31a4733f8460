/** tnetstrings in memory. @module */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../src/formats/error.ts";
import { parsePrefix, Parser } from "../../../src/formats/tnetstring/parse.ts";
import { ByteString, json, nameOf, type Value } from "../../../src/formats/tnetstring/mod.ts";

function parse(text: string, base = 0): Value {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const prefix = parsePrefix(bytes, 0, base);
  if (prefix === undefined) throw new Error("no prefix");
  return new Parser(bytes, base).value(prefix.size, prefix.length);
}

/** A value with lists for maps and texts for bytes. */
function plain(value: Value): unknown {
  if (value instanceof ByteString) return `bytes ${value.latin1}`;
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof Map
    ? Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]))
    : value;
}

const VALUES: [string, unknown][] = [
  ["0:~", null],
  ["4:true!", true],
  ["5:false!", false],
  ["2:-7#", -7],
  ["4:0.25^", 0.25],
  ["6:1e+300^", 1e300],
  ["3:nan^", NaN],
  ["3:inf^", Infinity],
  ["4:-inf^", -Infinity],
  ["0:;", ""],
  ["3:\xe2\x82\xac;", "€"],
  ["3:\xef\xbb\xbf;", "\ufeff"],
  ["2:\xff\0,", "bytes \xff\0"],
  ["0:]", []],
  ["0:}", {}],
  ["11:1:a;1:1#0:]]", ["a", 1, []]],
  ["16:1:a;1:1#1:a;1:2#}", { a: 2 }],
  ["16:9:__proto__;1:5#}", Object.fromEntries([["__proto__", 5]])],
];
for (const [text, value] of VALUES) {
  Deno.test(`${JSON.stringify(text)} is ${JSON.stringify(value)}`, () =>
    assertEquals(plain(parse(text)), value));
}

const ERRORS: [string, number, RegExp][] = [
  ["x:~", 0, /a length was expected, there is "x"/],
  [":~", 0, /a length was expected/],
  ["0:?", 2, /0x3f is no tag/],
  ["1:x~", 2, /a null has data/],
  ["3:yes!", 2, /neither true nor false/],
  ["3:1.5#", 2, /no number/],
  ["1:x^", 2, /no number/],
  ["0:#", 2, /no number/],
  ["1:\xff;", 2, /not UTF-8/],
  ["4:1:a;}", 2, /a length has no end|has no value/],
  ["8:1:1#1:2#}", 2, /a key is no text/],
  ["4:9:a;]", 2, /runs over the end/],
  ["4:1:ab]", 4, /no tag|runs over/],
  ["2:12]", 2, /a length has no end/],
];
for (const [text, at, message] of ERRORS) {
  Deno.test(`${JSON.stringify(text)} is an error that names the place`, () => {
    const error = assertThrows(() => parse(text, 1000), FormatError, "at byte ");
    assert(message.test(error.message), error.message);
    assertEquals(error.offset >= 1000 + at - 2 && error.offset <= 1000 + text.length, true, error.message);
  });
}

Deno.test("lengths have at most twelve digits", () => {
  const bytes = new TextEncoder().encode("999999999999:");
  assertEquals(parsePrefix(bytes, 0, 0), { length: 999_999_999_999, size: 13 });
  assertEquals(parsePrefix(bytes.subarray(0, 12), 0, 0), undefined);
  assertThrows(() => parsePrefix(new TextEncoder().encode("0000000000000:"), 0, 7), FormatError, "at byte 7");
});

Deno.test("what is nested 10 000 deep is refused, not followed", () => {
  let text = "0:]";
  for (let depth = 0; depth < 10_000; depth++) text = `${text.length}:${text}]`;
  assertThrows(() => parse(text), FormatError, "levels deep");
});

Deno.test("any JSON comes back as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const plainValue = JSON.parse(JSON.stringify(value));
      assertEquals(plain(parse(json(plainValue)!)), plainValue);
    }),
  );
});

Deno.test("of JSON values that are none the record keeps the rest", () => {
  const value = { a: 1, b: () => 1, c: undefined, d: new Date(0), e: [Symbol()], f: 2 ** 60, g: { h: 1n } };
  assertEquals(plain(parse(json(value)!)), { a: 1, e: [null], f: 2 ** 60, g: {} });
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  assert(json(loop)!.length < 10_000);
});

Deno.test("any bytes are a value or a FormatError", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."01234567:;,#^!~]}ax\xff") }), (text) => {
      try {
        const value = parse(`${text.length}:${text}}`);
        assertEquals(nameOf(value), "a dict");
      } catch (error) {
        assertInstanceOf(error, FormatError);
      }
    }),
    { numRuns: 2000 },
  );
});
