/**
 * Reads tnetstrings that are in memory.
 * @module
 */
import { Buffer } from "node:buffer";
import { FormatError } from "../error.ts";
import { knownName } from "./keys.ts";
import { ByteString, type Dict, type Value } from "./value.ts";

/** Digits of a length: mitmproxy reads no more. */
export const MAX_DIGITS = 12;
/** How deep lists and dicts may lie in each other: mitmproxy's records have seven levels, an addon's metadata may have more. */
const MAX_DEPTH = 64;
/** Characters of a number: more is no number that anybody wrote. */
const MAX_NUMBER = 400;

const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

/** A length, and how many bytes it and its colon take. */
export interface Prefix {
  readonly length: number;
  readonly size: number;
}

/**
 * The length at `at`; undefined when the bytes end (at `end`) before its colon does.
 * @throws {FormatError} when there is none; `base` is where `bytes` begin in the file.
 */
export function parsePrefix(
  bytes: Uint8Array,
  at: number,
  base: number,
  end: number = bytes.length,
): Prefix | undefined {
  let length = 0;
  for (let i = at; i < end; i++) {
    const byte = bytes[i];
    if (byte === COLON && i > at) return { length, size: i + 1 - at };
    if (byte < ZERO || byte > NINE) {
      const found = byte >= 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `0x${hex(byte)}`;
      throw new FormatError(base + i, `a length was expected, there is ${found}`);
    }
    if (i - at === MAX_DIGITS) {
      throw new FormatError(base + at, `a length has more than ${MAX_DIGITS} digits`);
    }
    length = length * 10 + byte - ZERO;
  }
  return undefined;
}

/** Reads values out of `bytes`, which begin at `base` in the file. */
export class Parser {
  readonly #plain: Uint8Array;
  /** The same, with ways to get texts. */
  readonly #bytes: Buffer;
  readonly #base: number;
  /** Behind the value that was read last. */
  #next = 0;

  constructor(bytes: Uint8Array, base: number) {
    this.#plain = bytes;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#base = base;
  }

  /** The value whose data is from `start` on, `length` bytes long, with its tag behind it. @throws {FormatError} */
  value(start: number, length: number, depth = 0): Value {
    const end = start + length;
    this.#next = end + 1;
    switch (this.#bytes[end]) {
      case 0x2c: // ,
        return new ByteString(this.#plain.subarray(start, end));
      case 0x3b: // ;
        return this.#text(start, end);
      case 0x23: // #
        return this.#number(start, end, /^[+-]?\d+$/);
      case 0x5e: // ^
        return this.#number(start, end, /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i);
      case 0x21: // !
        return this.#boolean(start, end);
      case 0x7e: // ~
        if (length > 0) throw this.#error(start, "a null has data");
        return null;
      case 0x5d: // ]
        return this.#list(start, end, depth);
      case 0x7d: // }
        return this.#dict(start, end, depth);
      default:
        throw this.#error(end, `${this.#shown(end)} is no tag of a value`);
    }
  }

  /** The value at `at` within what ends at `end`. */
  #member(at: number, end: number, depth: number): Value {
    const prefix = parsePrefix(this.#bytes, at, this.#base, end);
    if (prefix === undefined) throw this.#error(at, "a length has no end");
    const { length, size } = prefix;
    if (at + size + length >= end) {
      throw this.#error(at, `a length of ${length} runs over the end of what it is in`);
    }
    return this.value(at + size, length, depth);
  }

  #list(start: number, end: number, depth: number): Value[] {
    this.#checkDepth(start, depth);
    const items: Value[] = [];
    for (let at = start; at < end; at = this.#next) items.push(this.#member(at, end, depth + 1));
    this.#next = end + 1;
    return items;
  }

  #dict(start: number, end: number, depth: number): Dict {
    this.#checkDepth(start, depth);
    const dict: Dict = new Map();
    for (let at = start; at < end; at = this.#next) {
      const key = this.#member(at, end, depth + 1);
      if (typeof key !== "string") throw this.#error(at, "a key is no text");
      if (this.#next >= end) throw this.#error(at, `the key ${key.slice(0, 100)} has no value`);
      dict.set(key, this.#member(this.#next, end, depth + 1));
    }
    this.#next = end + 1;
    return dict;
  }

  #checkDepth(at: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw this.#error(at, `lists and dicts are more than ${MAX_DEPTH} levels deep`);
  }

  #text(start: number, end: number): string {
    const name = knownName(this.#plain, start, end);
    if (name !== undefined) return name;
    for (let i = start; i < end; i++) if (this.#bytes[i] > 0x7f) return this.#utf8(start, end);
    return this.#bytes.toString("latin1", start, end);
  }

  #utf8(start: number, end: number): string {
    try {
      return decoder.decode(this.#bytes.subarray(start, end));
    } catch (cause) {
      throw new FormatError(this.#base + start, "a text is not UTF-8", { cause });
    }
  }

  #number(start: number, end: number, form: RegExp): number {
    const text = this.#bytes.toString("latin1", start, Math.min(end, start + MAX_NUMBER + 1));
    if (text.length > MAX_NUMBER || !form.test(text)) throw this.#error(start, "this is no number");
    const word = /^([+-]?)(inf|nan)/i.exec(text);
    if (word === null) return Number(text);
    return word[2].toLowerCase() === "nan" ? NaN : word[1] === "-" ? -Infinity : Infinity;
  }

  #boolean(start: number, end: number): boolean {
    const text = this.#bytes.toString("latin1", start, Math.min(end, start + 6));
    if (text !== "true" && text !== "false") {
      throw this.#error(start, "a truth value is neither true nor false");
    }
    return text === "true";
  }

  #shown(at: number): string {
    return `0x${hex(this.#bytes[at])}`;
  }

  #error(at: number, what: string): FormatError {
    return new FormatError(this.#base + at, what);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
