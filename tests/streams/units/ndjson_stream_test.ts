import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { WeirError } from "../../../src/errors.ts";
import { drop } from "../../../src/streams/drop.ts";
import { ndjsonStream } from "../../../src/streams/units/mod.ts";
import { utf8 } from "../support.ts";
import { byteByByte, cutAt, cuts, Fed, textThrough, through } from "./support.ts";

const line = fc.oneof(
  fc.json(),
  fc.constantFrom(
    '{"a": 1.0}',
    "[1, 2]",
    "null",
    "",
    "  ",
    "no json",
    "{",
    ' {"b":1e2} ',
    "12345678901234567890",
  ),
);
const body = fc.tuple(
  fc.array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n")), { maxLength: 12 }),
  fc.constantFrom("", '{"last":1}', "no json"),
).map(([lines, rest]) => lines.flat().join("") + rest);

/** Lines with their ends. */
const linesOf = (whole: string) => whole.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function parsed(line: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(line) };
  } catch {
    return null;
  }
}

/** What functions do, by number. */
const DEEDS: ((value: unknown) => unknown)[] = [
  () => undefined,
  (value) => value,
  () => null,
  () => drop,
  (value) => ({ was: value }),
  (value) => {
    if (Array.isArray(value)) value.push(0);
  },
  (value) => [value, "more"],
];

Deno.test("it is the function on each line's value, at every split", async () => {
  await fc.assert(
    fc.asyncProperty(body, fc.array(fc.nat(), { minLength: 1 }), cuts, async (whole, deeds, places) => {
      const deed = (index: number) => DEEDS[deeds[index % deeds.length] % DEEDS.length];
      let count = 0;
      const expected = linesOf(whole).map((line) => {
        const json = parsed(line);
        if (json === null) return line;
        const given = deed(count++)(json.value);
        if (given === drop) return "";
        const sent = given === undefined ? json.value : given;
        if (JSON.stringify(sent) === JSON.stringify(JSON.parse(line))) return line;
        return JSON.stringify(sent) + /\r?\n?$/.exec(line)![0];
      }).join("");
      for (const pieces of [[utf8(whole)], cutAt(utf8(whole), places), byteByByte(utf8(whole))]) {
        const indexes: number[] = [];
        const stage = ndjsonStream((value, index) => {
          indexes.push(index);
          return deed(index)(value);
        });
        assertEquals(await textThrough(stage, pieces.filter((piece) => piece.length > 0)), expected);
        assertEquals(indexes, Array.from({ length: count }, (_, index) => index));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a value goes out with its line end, in the same turn", async () => {
  const fed = new Fed(ndjsonStream((value) => value + 1));
  assertEquals(await fed.push("1"), "");
  assertEquals(await fed.push("\n2\n3"), "2\n3\n");
  assertEquals(await fed.push("\r\n \n"), "4\r\n \n");
  assertEquals(await fed.push("5"), "");
  assertEquals(await fed.end(), "6");
});

Deno.test("several values in the place of one, also of a last one without end", async () => {
  const twice = (value: unknown) => [value, null, drop, [value]].values();
  assertEquals(await textThrough(ndjsonStream(twice), ["1\r\n2"]), "1\r\nnull\r\n[1]\r\n2\nnull\n[2]");
  const later = ndjsonStream(async function* (value) {
    await Promise.resolve();
    yield value;
    yield value + 1;
  });
  assertEquals(await textThrough(later, ["1\n5\n"]), "1\n2\n5\n6\n");
});

Deno.test("numbers keep their spelling in lines that did not change, and bytes that are no UTF-8 pass", async () => {
  const bytes = Uint8Array.of(...utf8('{"n": 1.50}\n"'), 0xff, ...utf8('"\n{"n": 9007199254740993}\n'));
  assertEquals(await through(ndjsonStream((value) => value), [bytes]), bytes);
  assertEquals(await through(ndjsonStream((value) => structuredClone(value)), [bytes]), bytes);
});

Deno.test("a value with which the line began is another one", async () => {
  assertEquals(await textThrough(ndjsonStream(() => 1), ["12\n1\n1 \r\n13"]), "1\n1\n1 \r\n1");
  assertEquals(await textThrough(ndjsonStream(() => 1), ["12\r\n", "1\r\n", "12"]), "1\r\n1\r\n1");
});

Deno.test("a line beyond the bound cuts the body; what JSON cannot say does too", async () => {
  const fed = new Fed(ndjsonStream(() => {}, { hold: 8 }));
  assertEquals(await fed.push("12345678\n1234"), "12345678\n");
  assertEquals(await fed.push("5678"), "");
  assertEquals(await fed.push("\n123456789\n"), "12345678\n");
  const error = fed.error as WeirError;
  assertStringIncludes(error.message, "ndjsonStream would have to hold back more than 8 bytes");
  assertEquals([error.code, fed.faults], ["limit", [error]]);
  for (const bad of [() => () => {}, () => Promise.resolve(Symbol("x")), () => 1n]) {
    const failed = new Fed(ndjsonStream(bad));
    assertEquals(await failed.push("1\n"), "");
    assertEquals((failed.error as WeirError).code, "addon");
  }
});

Deno.test("wrong arguments are refused when the stage is made", async () => {
  const untyped = ndjsonStream as unknown as (...given: unknown[]) => TransformStream;
  assertThrows(() => untyped("x"), TypeError, "ndjsonStream takes a function");
  assertThrows(() => untyped(() => {}, { hold: 1.5 }), TypeError, "hold");
  const stage = ndjsonStream(() => {});
  await through(stage, ["1\n"]);
  await assertRejects(() => through(stage, ["1\n"]), TypeError, "in use");
});
