/**
 * What a charset is to hooks, and how text holds bytes that are no text.
 *
 * A byte that is no text in its charset becomes a lone surrogate, U+DC80 to U+DCFF, as Python's "surrogateescape" has it; on
 * the way back it is that byte again. So whatever is edited, the rest of the body stays what it was.
 * @module
 */

/** One charset. */
export interface Charset {
  /** As the WHATWG calls it, lower case. */
  readonly name: string;
  decode(bytes: Uint8Array): string;
  /**
   * Bytes of `text`; null when it has characters that the charset has not. `before` is what the text was decoded from: where
   * a charset has several spellings for a character, the one that was used there is used again.
   */
  encode(text: string, before: Uint8Array): Uint8Array | null;
}

/** U+DC00 and the byte: what stands for a byte that is no text. */
export const ESCAPE = 0xdc00;

/** The byte that a surrogate without a partner stands for, or -1. */
export function escapedByte(unit: number): number {
  return unit >= ESCAPE + 0x80 && unit <= ESCAPE + 0xff ? unit & 0xff : -1;
}

/** A string of UTF-16 units, surrogates without a partner kept. */
export function fromUnits(units: Uint16Array): string {
  let text = "";
  for (let i = 0; i < units.length; i += 8192) {
    text += String.fromCharCode.apply(null, units.subarray(i, i + 8192) as unknown as number[]);
  }
  return text;
}
