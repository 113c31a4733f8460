/**
 * Charsets as the texts of hooks need them (WHATWG Encoding): decoding that loses nothing, and encoding.
 * @module
 */
import { Iso2022Jp } from "./charset_iso2022jp.ts";
import { TableCharset } from "./charset_table.ts";
import { type Charset, ESCAPE, escapedByte, fromUnits } from "./charset_units.ts";

/** UTF-8 (§8), which most bodies are in. */
export const UTF8: Charset = {
  name: "utf-8",
  decode(bytes) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return decodeUtf8(bytes);
    }
  },
  encode(text) {
    return text.isWellFormed() ? new TextEncoder().encode(text) : encodeUtf8(text);
  },
};

/** As TextEncoder does it, escaped bytes aside. */
function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(3 * text.length);
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!, byte = escapedByte(point);
    if (byte !== -1) bytes[size++] = byte;
    else if (point < 0x80) bytes[size++] = point;
    else {
      const isAlone = point >= 0xd800 && point <= 0xdfff;
      size = putUtf8(bytes, size, isAlone ? 0xfffd : point);
      if (point > 0xffff) i++;
    }
  }
  return bytes.slice(0, size);
}

/** Writes a character beyond ASCII; gives the place behind it. */
function putUtf8(bytes: Uint8Array, at: number, point: number): number {
  if (point < 0x800) bytes[at++] = 0xc0 | point >> 6;
  else {
    if (point < 0x10000) bytes[at++] = 0xe0 | point >> 12;
    else {
      bytes[at++] = 0xf0 | point >> 18;
      bytes[at++] = 0x80 | point >> 12 & 0x3f;
    }
    bytes[at++] = 0x80 | point >> 6 & 0x3f;
  }
  bytes[at++] = 0x80 | point & 0x3f;
  return at;
}

function decodeUtf8(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let size = 0;
  for (let at = 0; at < bytes.length;) {
    const length = lengthOfUtf8(bytes, at), first = bytes[at];
    if (length === 0) units[size++] = ESCAPE | first;
    else if (length === 1) units[size++] = first;
    else if (length === 2) units[size++] = (first & 0x1f) << 6 | bytes[at + 1] & 0x3f;
    else {
      const low = (bytes[at + length - 2] & 0x3f) << 6 | bytes[at + length - 1] & 0x3f;
      if (length === 3) units[size++] = (first & 0x0f) << 12 | low;
      else {
        const over = ((first & 7) << 18 | (bytes[at + 1] & 0x3f) << 12 | low) - 0x10000;
        units[size++] = 0xd800 | over >> 10;
        units[size++] = ESCAPE | over & 0x3ff;
      }
    }
    at += length || 1;
  }
  return fromUnits(units.subarray(0, size));
}

/** Bytes of the well-formed sequence at `at` (Unicode §3.9, table 3-7); 0 when there is none. */
function lengthOfUtf8(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes[at + 1];
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  return length;
}

/** Units as they are; a last byte without a partner is not seen in the text and stays where it is. */
class Utf16 implements Charset {
  constructor(readonly name: string, readonly isLittle: boolean) {}

  decode(bytes: Uint8Array): string {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const units = new Uint16Array(bytes.length >> 1);
    for (let i = 0; i < units.length; i++) units[i] = view.getUint16(2 * i, this.isLittle);
    return fromUnits(units);
  }

  encode(text: string, before: Uint8Array): Uint8Array {
    const odd = before.length % 2;
    const bytes = new Uint8Array(2 * text.length + odd), view = new DataView(bytes.buffer);
    for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), this.isLittle);
    if (odd === 1) bytes[bytes.length - 1] = before[before.length - 1];
    return bytes;
  }
}

/** Those that were asked for; the WHATWG knows 40. */
const known = new Map<string, Charset>([
  ["utf-8", UTF8],
  ["utf-16le", new Utf16("utf-16le", true)],
  ["utf-16be", new Utf16("utf-16be", false)],
]);

/** The charset that a label stands for (WHATWG Encoding §4.2); null when there is none. */
export function charsetNamed(label: string): Charset | null {
  let name: string;
  try {
    name = new TextDecoder(label).encoding;
  } catch {
    return null;
  }
  let charset = known.get(name);
  if (charset === undefined) {
    charset = name === "iso-2022-jp" ? new Iso2022Jp(charsetNamed("euc-jp")!) : new TableCharset(name);
    known.set(name, charset);
  }
  return charset;
}
