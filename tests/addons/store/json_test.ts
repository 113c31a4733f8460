/** JSON and text for databases. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { jsonText, plainText } from "../../../addons/store/json.ts";

Deno.test("NUL and lone surrogates become U+FFFD, in values and names, and nothing else changes", () => {
  assertEquals(plainText("a\0b\ud800c\u{1f600}"), "a\ufffdb\ufffdc\u{1f600}");
  assertEquals(
    JSON.parse(jsonText({ "a\0": ["\0\0", "\udc00x", "\\u0000", "\\\0", "\u{1f600}", "é"] })!),
    { "a\ufffd": ["\ufffd\ufffd", "\ufffdx", "\\u0000", "\\\ufffd", "\u{1f600}", "é"] },
  );
});

Deno.test("any JSON is itself, but for what no database holds", () => {
  const held = (value: unknown): unknown =>
    typeof value === "string"
      ? plainText(value)
      : Array.isArray(value)
      ? value.map(held)
      : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, item]) => [plainText(key), held(item)]))
      : value;
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom("\0", "\\", "u", "0", "\ud83d", "\ude00", "d", "8", '"'),
      fc.string({ unit: "binary", maxLength: 1 }),
    ),
  });
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      text,
      fc.integer(),
      fc.constant(null),
      fc.boolean(),
      fc.array(tie("value")),
      fc.dictionary(text.map((name) => `x${name}`), tie("value")),
    ),
  }));
  fc.assert(
    fc.property(value, (given) => {
      assertEquals(JSON.parse(jsonText(given)!), JSON.parse(JSON.stringify(held(given))));
    }),
    { numRuns: 500 },
  );
});

Deno.test("cycles become null, big integers text, and what cannot be said is no JSON", () => {
  const cycle: Record<string, unknown> = { n: 12345678901234567890n, twice: [1], not: NaN };
  cycle.self = cycle;
  cycle.deep = { again: cycle, twice: cycle.twice };
  assertEquals(JSON.parse(jsonText(cycle)!), {
    n: "12345678901234567890",
    twice: [1],
    not: null,
    self: null,
    deep: { again: null, twice: [1] },
  });
  assertEquals(
    jsonText({
      toJSON: () => {
        throw new Error("no");
      },
    }),
    null,
  );
  assertEquals(jsonText(undefined), null);
});
