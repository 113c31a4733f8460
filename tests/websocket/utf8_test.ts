import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../support/characters.ts";
import { textCut, Utf8Validator } from "../../src/websocket/utf8.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

function valid(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function check(bytes: Uint8Array, sizes: number[]): boolean {
  const validator = new Utf8Validator();
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + sizes[turn % sizes.length];
    if (!validator.push(bytes.subarray(at, end))) return false;
    at = end;
  }
  return validator.end();
}

const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 });

Deno.test("any text is valid at any split", () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), sizes, (text, sizes) => {
    const bytes = new TextEncoder().encode(text);
    assert(check(bytes, sizes) && check(bytes, [1]) && check(bytes, [bytes.length || 1]));
  }));
});

Deno.test("any bytes are judged as TextDecoder judges them, at any split", () => {
  const nasty = fc.constantFrom(
    0x41,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
  )
    .map((n) => [n]);
  const more = fc.constantFrom(0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff).map((n) => [n]);
  const good = fc.constantFrom("é", "€", "😀", "\ufffd", "\u{10ffff}").map((
    c,
  ) => [...new TextEncoder().encode(c)]);
  fc.assert(
    fc.property(fc.array(fc.oneof(nasty, more, good), { maxLength: 8 }), sizes, (parts, sizes) => {
      const bytes = new Uint8Array(parts.flat());
      assertEquals(check(bytes, sizes), valid(bytes));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a text fails at its first bad byte, not at its end", () => {
  for (
    const [good, bad] of [[[], 0xc0], [[0xe0], 0x9f], [[0xed], 0xa0], [[0xf0], 0x8f], [[0xf4], 0x90], [[
      0xe2,
      0x82,
    ], 0x41]] as const
  ) {
    const validator = new Utf8Validator();
    assert(validator.push(new Uint8Array([0x41, ...good])));
    assert(!validator.push(new Uint8Array([bad])));
    assert(!new Utf8Validator().push(new Uint8Array([0x41, ...good, bad])));
  }
});

Deno.test("the validator is ready for the next text after the end", () => {
  const validator = new Utf8Validator();
  assert(validator.push(new Uint8Array([0xe2, 0x82])));
  assert(!validator.end());
  assert(validator.push(new Uint8Array([0x41])));
  assert(validator.end());
});

Deno.test("cuts are between code points, and always get on", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: anyCharacter, minLength: 1 }),
      fc.integer({ min: 1, max: 9 }),
      (text, size) => {
        const bytes = new TextEncoder().encode(text);
        let joined = "";
        for (let at = 0; at < bytes.length;) {
          const end = textCut(bytes, at, size);
          assert(end > at);
          const piece = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
            bytes.subarray(at, end),
          );
          assert(end - at <= size || [...piece].length === 1);
          joined += piece;
          at = end;
        }
        assertEquals(joined, text.toWellFormed());
      },
    ),
  );
});
