/**
 * The forms in which a text may stand in a body: as it is, escaped for JSON (RFC 8259 §7), percent-encoded
 * (RFC 3986 §2.1, and `+` for a space as in HTML forms), escaped for HTML (§13.5), as hexadecimal digits, as
 * Base64 (RFC 4648 §4, §5).
 *
 * The first four may be mixed, character by character.
 * @module
 */
import type { Part } from "../regexp/parser.ts";

/** How text was found. */
export type Form = "plain" | "json" | "percent" | "html" | "hex" | "base64";

const encoder = new TextEncoder();

/** Zeros that may stand before the digits of a character's number in HTML. */
const MAX_ZEROS = 5;

/** Short escapes of JSON. */
const JSON_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
};

/** Names of the ASCII characters that have one in HTML; the first is how they are written. */
const HTML_NAMES: Readonly<Record<string, string>> = {
  "\t": "Tab",
  "\n": "NewLine",
  "!": "excl",
  '"': "quot QUOT",
  "#": "num",
  "$": "dollar",
  "%": "percnt",
  "&": "amp AMP",
  "'": "apos",
  "(": "lpar",
  ")": "rpar",
  "*": "ast midast",
  "+": "plus",
  ",": "comma",
  ".": "period",
  "/": "sol",
  ":": "colon",
  ";": "semi",
  "<": "lt LT",
  "=": "equals",
  ">": "gt GT",
  "?": "quest",
  "@": "commat",
  "[": "lsqb lbrack",
  "\\": "bsol",
  "]": "rsqb rbrack",
  "^": "Hat",
  "_": "lowbar UnderBar",
  "`": "grave DiacriticalGrave",
  "{": "lcub lbrace",
  "|": "vert verbar VerticalLine",
  "}": "rcub rbrace",
};

function sequence(...parts: Part[]): Part {
  return parts.length === 1 ? parts[0] : { type: "sequence", parts };
}

function choice(...parts: Part[]): Part {
  return parts.length === 1 ? parts[0] : { type: "choice", parts };
}

function bytes(values: Iterable<number>): Part {
  return sequence(...Array.from(values, (value): Part => ({ type: "set", ranges: [value, value] })));
}

const ascii = (text: string) => bytes(encoder.encode(text));

/** Hexadecimal digits in either case. */
function digits(hex: string): Part {
  return sequence(...Array.from(hex, (digit): Part => {
    const lower = digit.toLowerCase().charCodeAt(0), upper = digit.toUpperCase().charCodeAt(0);
    return { type: "set", ranges: upper === lower ? [upper, upper] : [upper, upper, lower, lower] };
  }));
}

const hexOf = (value: number, length: number) => value.toString(16).padStart(length, "0");

/** A byte as it is, or percent-encoded. */
function byte(value: number): Part {
  return choice(sequence(ascii("%"), digits(hexOf(value, 2))), bytes([value]));
}

/** UTF-16 code units as JSON escapes them. */
function escaped(character: string): Part {
  return sequence(
    ...character.split("").map((unit) => sequence(ascii("\\u"), digits(hexOf(unit.charCodeAt(0), 4)))),
  );
}

/** A character's number or names in HTML. */
function references(character: string): Part[] {
  const point = character.codePointAt(0)!;
  const zeros: Part = {
    type: "repeat",
    part: ascii("0"),
    min: 0,
    max: MAX_ZEROS,
    isLazy: false,
    groups: [0, 0],
  };
  const hex = sequence({ type: "set", ranges: [0x58, 0x58, 0x78, 0x78] }, zeros, digits(hexOf(point, 1)));
  const number = sequence(ascii("&#"), choice(hex, sequence(zeros, ascii(String(point)))), ascii(";"));
  return [number, ...(HTML_NAMES[character]?.split(" ") ?? []).map((name) => ascii(`&${name};`))];
}

/** One character in any of the forms that can be mixed, the longer ones first. */
function character(text: string): Part {
  const parts = [...references(text), escaped(text)];
  if (text in JSON_ESCAPES) parts.push(ascii("\\" + JSON_ESCAPES[text]));
  parts.push(sequence(...Array.from(encoder.encode(text), byte)));
  if (text === " ") parts.push(ascii("+"));
  return choice(...parts);
}

/** Text, each character as it is or escaped. Bytes that are no UTF-8 are as they are or percent-encoded. */
export function textPart(secret: Uint8Array): Part {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(secret);
  } catch {
    return sequence(...Array.from(secret, byte));
  }
  return sequence(...Array.from(text, character));
}

/** All bytes as two hexadecimal digits each. */
export function hexPart(secret: Uint8Array): Part {
  return digits(secret.toHex());
}

/**
 * Base64 of something that has the secret in it, with so many bytes (modulo 3) before it: the digits that
 * depend on nothing else. Those that are no letters may be escaped, for JSON or in a URL.
 */
export function base64Part(secret: Uint8Array, before: number): Part {
  const padded = new Uint8Array(before + secret.length + 2);
  padded.set(secret, before);
  const inner = padded.toBase64().slice(
    Math.ceil(before * 8 / 6),
    Math.floor((before + secret.length) * 8 / 6),
  );
  return sequence(...Array.from(inner, (digit) => {
    if (digit === "+") return choice(escaped("+"), byte(0x2b), ascii("-"));
    if (digit === "/") return choice(escaped("/"), ascii("\\/"), byte(0x2f), ascii("_"));
    return ascii(digit);
  }));
}

/** How text is written that was found with `textPart`, by its first escape. */
export function formOf(found: Uint8Array, secret: Uint8Array): Form {
  let at = 0;
  while (at < found.length && found[at] === secret[at]) at++;
  if (at === found.length) return "plain";
  const sign = String.fromCharCode(found[at]);
  if (sign === "\\" || secret[at] === 0x5c) return "json";
  if (sign === "&" || secret[at] === 0x26) return "html";
  return "percent";
}

/** `text` in a form. Base64 has no form of its own: what was found there is wiped. */
export function inForm(text: string, form: Form, found: Uint8Array): Uint8Array {
  switch (form) {
    case "json":
      return encoder.encode(JSON.stringify(text).slice(1, -1));
    case "percent":
      return encoder.encode(encodeURIComponent(text.toWellFormed()));
    case "html":
      return encoder.encode(text.replace(/["&'<>]/g, (sign) => `&#${sign.charCodeAt(0)};`));
    case "hex":
      return encoder.encode(encoder.encode(text).toHex());
    case "base64":
      return wiped(found);
  }
  return encoder.encode(text);
}

/** As many `A` as there are Base64 digits. */
export function wiped(found: Uint8Array): Uint8Array {
  // An escaped digit is one: its escape begins with % or \ and has a length of its own.
  const text = new TextDecoder("latin1").decode(found);
  return new Uint8Array(text.replace(/%..|\\u....|\\./g, "A").length).fill(0x41);
}
