/**
 * ISO-2022-JP (WHATWG Encoding §12.2): two sets of characters, and escape sequences between them. JIS X 0208 is as EUC-JP has
 * it, without the high bits.
 * @module
 */
import type { Charset } from "./charset_units.ts";

const TO_ASCII = [0x1b, 0x28, 0x42], TO_JIS = [0x1b, 0x24, 0x42];

/** Bytes that are no text are lost in it: they change what the bytes behind them mean. */
export class Iso2022Jp implements Charset {
  readonly name = "iso-2022-jp";
  readonly #eucJp: Charset;

  constructor(eucJp: Charset) {
    this.#eucJp = eucJp;
  }

  decode(bytes: Uint8Array): string {
    return new TextDecoder(this.name).decode(bytes);
  }

  encode(text: string): Uint8Array | null {
    const euc = this.#eucJp.encode(text, new Uint8Array(0));
    if (euc === null) return null;
    const bytes: number[] = [];
    let isJis = false;
    for (let at = 0; at < euc.length;) {
      const isTwo = euc[at] >= 0x80;
      // Half-width katakana and JIS X 0212 have no place in it.
      if (isTwo && euc[at] < 0xa1) return null;
      if (isTwo !== isJis) bytes.push(...(isTwo ? TO_JIS : TO_ASCII));
      isJis = isTwo;
      bytes.push(euc[at++] & 0x7f);
      if (isTwo) bytes.push(euc[at++] & 0x7f);
    }
    if (isJis) bytes.push(...TO_ASCII);
    return Uint8Array.from(bytes);
  }
}
