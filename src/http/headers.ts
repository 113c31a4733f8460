/**
 * Header and trailer fields (RFC 9110 §5): ordered, with their case, and with the web `Headers` methods.
 *
 * Values are kept as Latin-1 strings, one character per byte, so that what came in goes out unchanged.
 * @module
 */
import { shortened, shown } from "../shown.ts";

/** What a {@linkcode Headers} can be made from. */
export type HeadersInit =
  | Headers
  | globalThis.Headers
  | Iterable<readonly [string, string]>
  | Record<string, string>;

/** RFC 9110 §5.6.2: token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: no CR, LF or NUL, no character beyond one byte. */
const VALUE = /^[^\0\r\n\u0100-\uffff]*$/;

/**
 * An ordered list of fields. Names are compared without case and keep the case they came with.
 *
 * ```ts
 * const headers = new Headers([["X-Id", "1"], ["x-id", "2"]]);
 * headers.get("X-ID"); // "1, 2"
 * ```
 */
export class Headers {
  /** Name, value, name, value, … as on the wire. Parsers hand it over; everyone else uses the methods. */
  readonly raw: string[];

  /**
   * From fields in their order.
   * @throws {TypeError} on a name that is no token or a value with CR, LF, NUL or a character above U+00FF.
   */
  constructor(init?: HeadersInit) {
    this.raw = [];
    if (init === undefined) return;
    if (init instanceof Headers) this.raw.push(...init.raw);
    else {
      const pairs = Symbol.iterator in init
        ? init as Iterable<readonly [string, string]>
        : Object.entries(init);
      for (const [name, value] of pairs) this.append(name, value);
    }
  }

  /** Takes over a raw list that a parser has already checked. */
  static fromRaw(raw: string[]): Headers {
    const headers = new Headers();
    (headers as { raw: string[] }).raw = raw;
    return headers;
  }

  /** All values of `name` joined by ", ", or null. */
  get(name: string): string | null {
    const { raw } = this;
    let found: string | null = null;
    for (let i = 0; i < raw.length; i += 2) {
      if (sameName(raw[i], name)) found = found === null ? raw[i + 1] : `${found}, ${raw[i + 1]}`;
    }
    return found;
  }

  /** The values of `name`, one for each field line. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let i = 0; i < this.raw.length; i += 2) {
      if (sameName(this.raw[i], name)) values.push(this.raw[i + 1]);
    }
    return values;
  }

  /** The values of `set-cookie`, which cannot be joined (RFC 9110 §5.3). */
  getSetCookie(): string[] {
    return this.getAll("set-cookie");
  }

  /** True when there is a field of that name. */
  has(name: string): boolean {
    for (let i = 0; i < this.raw.length; i += 2) if (sameName(this.raw[i], name)) return true;
    return false;
  }

  /**
   * Replaces the first field of that name in its place (its case stays), removes the others; appends when there is none.
   * @throws {TypeError} as the constructor does.
   */
  set(name: string, value: string): void {
    check(name, value);
    const { raw } = this;
    let write = 0, placed = false;
    for (let read = 0; read < raw.length; read += 2) {
      if (sameName(raw[read], name)) {
        if (placed) continue;
        placed = true;
        raw[write] = raw[read];
        raw[write + 1] = value;
      } else {
        raw[write] = raw[read];
        raw[write + 1] = raw[read + 1];
      }
      write += 2;
    }
    raw.length = write;
    if (!placed) raw.push(name, value);
  }

  /** Adds a field at the end. @throws {TypeError} as the constructor does. */
  append(name: string, value: string): void {
    check(name, value);
    this.raw.push(name, value);
  }

  /** Removes all fields of that name. */
  delete(name: string): void {
    const { raw } = this;
    let write = 0;
    for (let read = 0; read < raw.length; read += 2) {
      if (sameName(raw[read], name)) continue;
      raw[write] = raw[read];
      raw[write + 1] = raw[read + 1];
      write += 2;
    }
    raw.length = write;
  }

  /** Names, in their case, and values, in order; one pair for each field line. */
  *entries(): IterableIterator<[string, string]> {
    for (let i = 0; i < this.raw.length; i += 2) yield [this.raw[i], this.raw[i + 1]];
  }

  /** Names, in their case and in order; one for each field line. */
  *keys(): IterableIterator<string> {
    for (let i = 0; i < this.raw.length; i += 2) yield this.raw[i];
  }

  /** Values, in order; one for each field line. */
  *values(): IterableIterator<string> {
    for (let i = 0; i < this.raw.length; i += 2) yield this.raw[i + 1];
  }

  /** The same as `entries`. */
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  /** Calls back for each field line, in order. */
  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArg?: unknown): void {
    for (const [name, value] of this.entries()) callback.call(thisArg, value, name, this);
  }

  /** A copy that can be changed on its own. */
  clone(): Headers {
    return Headers.fromRaw(this.raw.slice());
  }
}

/** True when two field names are the same but for case. */
export function sameName(a: string, b: string): boolean {
  return a.length === b.length && (a === b || a.toLowerCase() === b.toLowerCase());
}

/** True for a token (RFC 9110 §5.6.2): what names of fields, methods and protocols are made of. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

function check(name: string, value: string): void {
  if (!isToken(name)) throw new TypeError(`Header name ${shown(name)} is not a token.`);
  if (!VALUE.test(value)) {
    throw new TypeError(
      `Value of header ${shortened(name)} has a line break, a NUL or a character beyond Latin-1.`,
    );
  }
}
