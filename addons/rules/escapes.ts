/**
 * Escapes in text, as Python has them in bytes (`codecs.escape_decode`, which mitmproxy uses): `\n \t \\ \x41 \101` and so on.
 * What is no escape stays as it is, backslash included.
 * @module
 */
import type { Part, Spec } from "./spec.ts";

const CONTROLS: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const encoder = new TextEncoder();

/** The bytes of a text in UTF-8, one character each. */
export function bytesAsText(text: string): string {
  return latin1(encoder.encode(text));
}

/** Bytes as text, one character each (Latin-1). */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/** What the escape at `offset` of a part stands for, and how long it is; null for what is none. @throws {OptionError} */
export function escapeAt(
  spec: Spec,
  { text, at }: Part,
  offset: number,
): { value: string; length: number } | null {
  const next = text[offset + 1];
  if (next === undefined) spec.refuse("a backslash at the end escapes nothing (write \\\\)", at + offset);
  if (Object.hasOwn(CONTROLS, next)) return { value: CONTROLS[next], length: 2 };
  if (next === "x") {
    const digits = /^[0-9a-fA-F]{2}/.exec(text.slice(offset + 2));
    if (digits === null) spec.refuse("two hexadecimal digits are needed behind \\x", at + offset);
    return { value: String.fromCharCode(parseInt(digits[0], 16)), length: 4 };
  }
  const octal = /^[0-7]{1,3}/.exec(text.slice(offset + 1));
  if (octal === null) return null;
  return { value: String.fromCharCode(parseInt(octal[0], 8) & 0xff), length: 1 + octal[0].length };
}

/** A part with its escapes undone: bytes, one character each. @throws {OptionError} */
export function unescaped(spec: Spec, part: Part): string {
  const { text } = part;
  let out = "";
  for (let from = 0;;) {
    const backslash = text.indexOf("\\", from);
    if (backslash < 0) return out + bytesAsText(text.slice(from));
    out += bytesAsText(text.slice(from, backslash));
    const escape = escapeAt(spec, part, backslash);
    out += escape?.value ?? "\\";
    from = backslash + (escape?.length ?? 1);
  }
}
