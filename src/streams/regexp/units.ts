/**
 * UTF-8 as the units that a regular expression looks at: code points with the flag `u`, else UTF-16 code
 * units.
 *
 * A character outside the BMP has four bytes and, without `u`, two units: the second one is taken to begin at
 * its third byte. Bytes that are no UTF-8 are one unit, `INVALID`, per sequence that a decoder would replace
 * by one U+FFFD (Encoding Standard §4.1).
 * @module
 */

/** What bytes are that are no UTF-8. */
export const INVALID = -1;

/** What a text is taken to be made of. */
export type Unit = "byte" | "codeUnit" | "codePoint";

/** Reads units one at a time. */
export class TextUnitReader {
  /** The unit that was read last. */
  unit = 0;
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  /** Reads the unit at `at`; gives its length in bytes, or 0 when bytes of it are still to come. */
  read(text: Uint8Array, at: number, atEnd: boolean): number {
    const first = text[at];
    if (first < 0x80 || this.#unit === "byte") {
      this.unit = first;
      return 1;
    }
    if (first < 0xc0) {
      if (this.#unit === "codeUnit" && isMiddle(text, at)) {
        this.unit = 0xdc00 | (text[at] & 0x0f) << 6 | text[at + 1] & 0x3f;
        return 2;
      }
      this.unit = INVALID;
      return 1;
    }
    const length = sequenceLength(first);
    let read = 1;
    while (read < length && at + read < text.length && continues(first, read, text[at + read])) read++;
    if (read < length) {
      this.unit = INVALID;
      return at + read === text.length && !atEnd ? 0 : read;
    }
    if (length === 2) this.unit = (first & 0x1f) << 6 | text[at + 1] & 0x3f;
    else if (length === 3) {
      this.unit = (first & 0x0f) << 12 | (text[at + 1] & 0x3f) << 6 | text[at + 2] & 0x3f;
    } else if (length === 4) {
      const point = (first & 0x07) << 18 | (text[at + 1] & 0x3f) << 12 | (text[at + 2] & 0x3f) << 6 |
        text[at + 3] & 0x3f;
      if (this.#unit === "codeUnit") {
        this.unit = 0xd800 | (point - 0x10000) >> 10;
        return 2;
      }
      this.unit = point;
    } else this.unit = INVALID;
    return length;
  }
}

/** Bytes in a sequence that begins like this; 1 when none does. */
function sequenceLength(first: number): number {
  if (first < 0xc2 || first > 0xf4) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/**
 * True when `byte` can be the byte number `index` (from 0) of a sequence that begins with `first` (RFC 3629
 * §4).
 */
function continues(first: number, index: number, byte: number): boolean {
  if (index === 1) {
    if (first === 0xe0) return byte >= 0xa0 && byte <= 0xbf;
    if (first === 0xed) return byte >= 0x80 && byte <= 0x9f;
    if (first === 0xf0) return byte >= 0x90 && byte <= 0xbf;
    if (first === 0xf4) return byte >= 0x80 && byte <= 0x8f;
  }
  return byte >= 0x80 && byte <= 0xbf;
}

/** True when `at` is the place between the two code units of a character outside the BMP. */
export function isMiddle(text: Uint8Array, at: number): boolean {
  if (at < 2 || at + 1 >= text.length) return false;
  const first = text[at - 2];
  return first >= 0xf0 && first <= 0xf4 && continues(first, 1, text[at - 1]) &&
    continues(first, 2, text[at]) &&
    continues(first, 3, text[at + 1]);
}

/**
 * The code points that the beginning of a sequence (which is all of `text` from `at` on) can still become.
 */
export function pointsFrom(text: Uint8Array, at: number): [from: number, to: number] {
  const first = text[at], length = sequenceLength(first);
  let from = first & (0xff >> length + 1), to = from;
  for (let index = 1; index < length; index++) {
    const known = at + index < text.length;
    let low = 0x80, high = 0xbf;
    if (known) low = high = text[at + index];
    else if (index === 1) {
      while (!continues(first, 1, low)) low++;
      while (!continues(first, 1, high)) high--;
    }
    from = from << 6 | low & 0x3f;
    to = to << 6 | high & 0x3f;
  }
  return [from, to];
}

/** How long a string is (in UTF-16 code units) that is decoded from these bytes. */
export function lengthInUnits(text: Uint8Array, from: number, to: number): number {
  let units = 0;
  const reader = new TextUnitReader("codeUnit");
  for (let at = from; at < to;) {
    if (text[at] < 0x80) at++;
    else at += reader.read(text, at, true);
    units++;
  }
  return units;
}

/** The place where the unit begins inside which the text ends; its end when it ends with a whole one. */
export function wholeUnits(text: Uint8Array): number {
  const reader = new TextUnitReader("codePoint");
  for (let at = text.length - 1; at >= 0 && at >= text.length - 3; at--) {
    if (text[at] >= 0xc0) return reader.read(text, at, false) === 0 ? at : text.length;
  }
  return text.length;
}
