/**
 * Integers of HPACK (RFC 7541 §5.1): in the low bits of a byte, or from there on in groups of seven.
 * @module
 */
import { HpackError } from "./error.ts";

/** No index or length in a sane block comes near; it keeps 32-bit arithmetic safe (RFC 7541 §7.4). */
const MAX_INTEGER = 1 << 27;

/** A place in a header block. */
export class Cursor {
  constructor(readonly bytes: Uint8Array, public at: number, readonly end: number) {}

  /** The integer whose first byte is at the cursor, in its low `prefix` bits. */
  integer(prefix: number): number {
    const full = (1 << prefix) - 1;
    let value = this.byte() & full;
    if (value < full) return value;
    for (let shift = 0;; shift += 7) {
      const byte = this.byte();
      // Four groups reach 2^28; a fifth can only be padding (or an overflow).
      if (shift > 21) throw new HpackError("An integer in a header block is too large.");
      value += (byte & 0x7f) << shift;
      if (value > MAX_INTEGER) throw new HpackError("An integer in a header block is too large.");
      if (byte < 0x80) return value;
    }
  }

  byte(): number {
    if (this.at >= this.end) throw new HpackError("A header block ends in mid field.");
    return this.bytes[this.at++];
  }
}

/** Writes `value` with `prefix` bits in the first byte, whose other bits are `flags`; gives the position after it. */
export function encodeInteger(
  value: number,
  prefix: number,
  flags: number,
  into: Uint8Array,
  at: number,
): number {
  const full = (1 << prefix) - 1;
  if (value < full) {
    into[at++] = flags | value;
    return at;
  }
  into[at++] = flags | full;
  value -= full;
  while (value >= 0x80) {
    into[at++] = value & 0x7f | 0x80;
    value >>>= 7;
  }
  into[at++] = value;
  return at;
}

/** Bytes that an integer takes at most. */
export const INTEGER_BYTES = 6;
