/**
 * Writing DER (ITU-T X.690 §8, §10), as much of it as PKCS#12 takes.
 * @module
 */
import { concat } from "@std/bytes";

/** One element: tag, length, and the contents put together. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  const size: number[] = [];
  if (length < 0x80) size.push(length);
  else {
    for (let rest = length; rest > 0; rest = rest >>> 8) size.unshift(rest & 0xff);
    size.unshift(0x80 | size.length);
  }
  return concat([Uint8Array.of(tag, ...size), ...contents]);
}

export const sequence = (...contents: readonly Uint8Array[]) => element(0x30, ...contents);
export const set = (...contents: readonly Uint8Array[]) => element(0x31, ...contents);
export const octets = (bytes: Uint8Array) => element(0x04, bytes);
/** `[0] EXPLICIT`. */
export const explicit0 = (content: Uint8Array) => element(0xa0, content);
export const nothing = () => element(0x05);

/** A non-negative integer below 2^31. */
export function integer(value: number): Uint8Array {
  const bytes = [value & 0xff];
  for (let rest = value >>> 8; rest > 0; rest = rest >>> 8) bytes.unshift(rest & 0xff);
  if (bytes[0] & 0x80) bytes.unshift(0);
  return element(0x02, Uint8Array.from(bytes));
}

/** An object identifier in dotted form. */
export function oid(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc & 0x7f];
    for (let high = arc >>> 7; high > 0; high = high >>> 7) digits.unshift(high & 0x7f | 0x80);
    bytes.push(...digits);
  }
  return element(0x06, Uint8Array.from(bytes));
}

/** Text as UTF-16 without surrogates: BMPString. */
export function bmpString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) new DataView(bytes.buffer).setUint16(i * 2, text.charCodeAt(i));
  return element(0x1e, bytes);
}
