/**
 * The members of a record's dicts, with the types that they must have.
 * @module
 */
import { BodySlice, StoredBody } from "../../streams/mod.ts";
import { FormatError } from "../error.ts";
import { ByteString, type Dict, nameOf, type Value } from "../tnetstring/mod.ts";

/** Part of a record: each method gives one member, or throws a {@linkcode FormatError} that names it. */
export class Fields {
  readonly #dict: Dict;
  readonly #at: number;
  readonly #name: string;

  /** `at` is where the record begins, `name` what the part is called in messages ("" for the record itself). */
  constructor(dict: Dict, at: number, name: string) {
    this.#dict = dict;
    this.#at = at;
    this.#name = name;
  }

  has(key: string): boolean {
    return this.#dict.has(key);
  }

  /** Any value; undefined when it is missing. */
  any(key: string): Value | undefined {
    return this.#dict.get(key);
  }

  /** `name` where the file is new, `old` where it is of an earlier version. */
  either(name: string, old: string): string {
    return this.has(name) ? name : old;
  }

  text(key: string): string {
    const value = this.any(key);
    return typeof value === "string" ? value : this.wrong(key, "text");
  }

  textOrNull(key: string): string | null {
    return this.any(key) === null ? null : this.text(key);
  }

  /** Bytes as text of one character each. */
  latin1(key: string): string {
    const value = this.any(key);
    return value instanceof ByteString ? value.latin1 : this.wrong(key, "bytes");
  }

  number(key: string): number {
    const value = this.any(key);
    return typeof value === "number" ? value : this.wrong(key, "a number");
  }

  integer(key: string): number {
    const value = this.any(key);
    return Number.isSafeInteger(value) ? value as number : this.wrong(key, "a whole number");
  }

  boolean(key: string): boolean {
    const value = this.any(key);
    return typeof value === "boolean" ? value : this.wrong(key, "a truth value");
  }

  /** Milliseconds of a time in seconds, to the microsecond; null for null. */
  timeOrNull(key: string): number | null {
    if (this.any(key) === null) return null;
    const seconds = this.number(key);
    return Number.isFinite(seconds) ? Math.round(seconds * 1e6) / 1e3 : this.wrong(key, "a time");
  }

  time(key: string): number {
    return this.timeOrNull(key) ?? this.wrong(key, "a time");
  }

  list(key: string): Value[] {
    const value = this.any(key);
    return Array.isArray(value) ? value : this.wrong(key, "a list");
  }

  fields(key: string): Fields {
    return this.fieldsOrNull(key) ?? this.wrong(key, "a dict");
  }

  fieldsOrNull(key: string): Fields | null {
    const value = this.any(key);
    if (value === null) return null;
    return value instanceof Map ? new Fields(value, this.#at, this.#path(key)) : this.wrong(key, "a dict");
  }

  /** A body: bytes, a long one that was stored, or null. */
  body(key: string): Uint8Array | StoredBody | null {
    const value = this.any(key);
    if (value === null || value instanceof StoredBody) return value;
    return value instanceof ByteString ? value.bytes : this.wrong(key, "bytes");
  }

  /** Pairs of names and values as name, value, name, value, …; null for null. */
  headersOrNull(key: string): string[] | null {
    if (this.any(key) === null) return null;
    const raw: string[] = [];
    for (const pair of this.list(key)) {
      const [name, value] = Array.isArray(pair) && pair.length === 2 ? pair : [];
      if (!(name instanceof ByteString) || !(value instanceof ByteString)) {
        return this.wrong(key, "a list of pairs of bytes");
      }
      raw.push(name.latin1, value.latin1);
    }
    return raw;
  }

  /** Throws: a member is not what it should be. */
  wrong(key: string, wanted: string): never {
    const value = this.any(key);
    const what = value === undefined ? "is missing" : `is ${nameOf(value)}, not ${wanted}`;
    throw new FormatError(this.#at, `${this.#path(key)} of a flow ${what}`);
  }

  /** Throws: the record is not one that weir reads. */
  fail(what: string): never {
    throw new FormatError(this.#at, what);
  }

  #path(key: string): string {
    return this.#name === "" ? key : `${this.#name}.${key}`;
  }
}

/** A value as JSON has it; what JSON has not becomes text. */
export function jsonOf(value: Value): unknown {
  if (value instanceof ByteString) return value.latin1;
  if (value instanceof StoredBody || value instanceof BodySlice) return null;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, item]) => [key, jsonOf(item)]));
}
