/**
 * Any character there is, for fast-check, whose own unit "binary" takes a second to be made.
 * @module
 */
import fc from "fast-check";

const SURROGATES = 0xd800, SURROGATE_COUNT = 0x800;

/** Every code point but the surrogates, the small ones more often. */
export const anyCharacter: fc.Arbitrary<string> = fc.oneof(
  fc.integer({ min: 0, max: 0x24f }),
  fc.integer({ min: 0, max: 0xffff - SURROGATE_COUNT }),
  fc.integer({ min: 0, max: 0x10ffff - SURROGATE_COUNT }),
).map((code) => String.fromCodePoint(code < SURROGATES ? code : code + SURROGATE_COUNT));
