/**
 * Finds the entries of a HAR while it is read (RFC 8259): `log.entries` wherever it stands, one entry in memory at a time.
 * @module
 */
import { FormatError } from "../error.ts";
import type { Input } from "../input.ts";

/** Bytes of one entry: V8's texts have half a gigabyte, and base64 takes a third more than what it stands for. */
const MAX_ENTRY = 256 * 1024 * 1024;
/** How deep values may lie in each other. */
const MAX_DEPTH = 512;
/** Bytes of a key that is looked at. */
const MAX_KEY = 16;
/** Entries' depth: in an array, in `log`, in the whole. */
const ENTRY_DEPTH = 3;

const BOM = [0xef, 0xbb, 0xbf];
const QUOTE = 0x22, BACKSLASH = 0x5c, COLON = 0x3a, COMMA = 0x2c;
const OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d, OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d;

/** An entry's JSON, where it begins, and its number, from 0. */
export interface EntryText {
  readonly at: number;
  readonly index: number;
  readonly json: string;
}

/** The entries of a HAR, in order. @throws {FormatError} when it is none, ends early, or has an entry that is no object. */
export async function* splitEntries(input: Input): AsyncGenerator<EntryText, void> {
  const splitter = new Splitter();
  if (await input.has(BOM.length) && BOM.every((byte, i) => input.view[i] === byte)) input.skip(BOM.length);
  for (let piece; (piece = await input.some(64 * 1024)) !== null;) {
    const base = input.offset - piece.length;
    for (let at = 0; at < piece.length;) {
      at = splitter.push(piece, at, base);
      if (splitter.found !== null) {
        yield splitter.found;
        splitter.found = null;
      }
    }
  }
  splitter.end(input.offset);
}

/** Goes through the bytes. */
class Splitter {
  /** An entry that has just ended. */
  found: EntryText | null = null;
  /** The brackets that are open. */
  readonly #open: number[] = [];
  #inString = false;
  #escaped = false;
  /** The last string, where it may be a key that matters. */
  #text = "";
  /** The keys that lead to where it is, by depth. */
  readonly #keys: string[] = [];
  #isOver = false;
  #hasEntries = false;
  /** It is in `log.entries`. */
  #isInEntries = false;
  #count = 0;
  #entryAt = -1;
  #entry = new Uint8Array(64 * 1024);
  #length = 0;

  /** Looks at bytes from `at` on, as far as an entry's end; gives the place behind what was looked at. */
  push(bytes: Uint8Array, at: number, base: number): number {
    let from = at;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
        else if (this.#open.length < ENTRY_DEPTH && this.#text.length < MAX_KEY) {
          this.#text += String.fromCharCode(byte);
        }
        continue;
      }
      if (byte <= 0x20) {
        if (!isBlank(byte)) throw noJson(byte, base + at);
        continue;
      }
      this.#check(byte, base + at);
      if (byte === QUOTE) {
        this.#inString = true;
        this.#text = "";
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#isAtEntry) {
          this.#entryAt = base + at;
          from = at;
        }
        this.#enter(byte, base + at);
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#leave(byte, base + at);
        if (this.#entryAt >= 0 && this.#open.length === ENTRY_DEPTH) {
          this.#keep(bytes.subarray(from, at + 1));
          this.#finish();
          return at + 1;
        }
      } else if (byte === COLON) {
        if (this.#open.length < ENTRY_DEPTH) this.#keys[this.#open.length] = this.#text;
      } else if (byte === COMMA) {
        if (this.#open.length < ENTRY_DEPTH) this.#keys.length = this.#open.length;
      }
    }
    if (this.#entryAt >= 0) this.#keep(bytes.subarray(from));
    return at;
  }

  /** The source has ended, `size` bytes long. @throws {FormatError} when the HAR has not. */
  end(size: number): void {
    if (this.#entryAt >= 0) {
      const dropped = size - this.#entryAt;
      throw new FormatError(
        this.#entryAt,
        `the file ends in the middle of an entry; ${dropped} bytes are dropped`,
      );
    }
    if (!this.#isOver) throw new FormatError(size, "the JSON ends before its end");
    if (!this.#hasEntries) throw new FormatError(size, "this is no HAR: it has no log with entries");
  }

  /** An item of `entries` begins here, if anything does. */
  get #isAtEntry(): boolean {
    return this.#isInEntries && this.#entryAt < 0 && this.#open.length === ENTRY_DEPTH;
  }

  /** @throws {FormatError} for what cannot stand here. */
  #check(byte: number, at: number): void {
    if (this.#isOver) throw new FormatError(at, "there is more behind the end of the JSON");
    if (this.#open.length === 0 && byte !== OPEN_BRACE) {
      throw new FormatError(at, "this is no HAR: it is no object");
    }
    if (!STRUCTURE.has(byte) && !SCALAR.has(byte)) throw noJson(byte, at);
    if (this.#isAtEntry && byte !== OPEN_BRACE && byte !== COMMA && byte !== CLOSE_BRACKET) {
      throw new FormatError(at, `entry ${this.#count} is no object`);
    }
  }

  #enter(byte: number, at: number): void {
    this.#open.push(byte);
    if (this.#open.length > MAX_DEPTH) {
      throw new FormatError(at, `values are more than ${MAX_DEPTH} levels deep`);
    }
    const isEntries = this.#open.length === ENTRY_DEPTH && byte === OPEN_BRACKET && this.#keys[1] === "log" &&
      this.#keys[2] === "entries";
    if (isEntries) this.#isInEntries = this.#hasEntries = true;
  }

  #leave(byte: number, at: number): void {
    const opened = this.#open.pop();
    if (opened !== byte - 2) throw new FormatError(at, "a bracket closes what was not opened");
    if (this.#open.length < ENTRY_DEPTH) this.#isInEntries = false;
    if (this.#open.length === 0) this.#isOver = true;
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > MAX_ENTRY) {
      throw new FormatError(this.#entryAt, `entry ${this.#count} has more than ${MAX_ENTRY} bytes`);
    }
    if (needed > this.#entry.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(2 * this.#entry.length, MAX_ENTRY)));
      grown.set(this.#entry.subarray(0, this.#length));
      this.#entry = grown;
    }
    this.#entry.set(bytes, this.#length);
    this.#length = needed;
  }

  #finish(): void {
    try {
      const json = decoder.decode(this.#entry.subarray(0, this.#length));
      this.found = { at: this.#entryAt, index: this.#count++, json };
    } catch (cause) {
      throw new FormatError(this.#entryAt, `entry ${this.#count} is not UTF-8`, { cause });
    }
    this.#entryAt = -1;
    this.#length = 0;
    // One long entry is no reason to hold as much for the next ones.
    if (this.#entry.length > LARGE) this.#entry = new Uint8Array(64 * 1024);
  }
}

const LARGE = 8 * 1024 * 1024;
const decoder = new TextDecoder("utf-8", { fatal: true });
const STRUCTURE = new Set([...'{}[]:,"'].map((char) => char.charCodeAt(0)));
/** What numbers, true, false and null are made of. */
const SCALAR = new Set([..."+-.0123456789Eaeflnrstu"].map((char) => char.charCodeAt(0)));

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function noJson(byte: number, at: number): FormatError {
  return new FormatError(at, `0x${byte.toString(16).padStart(2, "0")} is no JSON`);
}
