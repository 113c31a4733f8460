/**
 * Writes tnetstrings as texts of one character per byte (Latin-1): V8 joins such texts quickly, and turns them into bytes in
 * one go. What is too long for that lies between such texts, as {@linkcode Pieces}.
 * @module
 */
import { Buffer } from "node:buffer";
import type { BodySlice, StoredBody } from "../../streams/mod.ts";

/** What stands between texts. */
export type Raw = Uint8Array | StoredBody | BodySlice;

/** Texts are turned into bytes when they are so long. */
const MAX_TEXT = 1024 * 1024;

export const NULL = "0:~";

/** `#` */
export function int(value: number): string {
  const text = String(value);
  return `${text.length}:${text}#`;
}

/** `^` as Python writes and reads it. */
export function float(value: number): string {
  const text = Number.isFinite(value)
    ? String(value)
    : Number.isNaN(value)
    ? "nan"
    : value > 0
    ? "inf"
    : "-inf";
  return `${text.length}:${text}^`;
}

/** `!` */
export function bool(value: boolean): string {
  return value ? "4:true!" : "5:false!";
}

/** `;` in UTF-8. */
export function text(value: string): string {
  const coded = utf8(value);
  return `${coded.length}:${coded};`;
}

/** `,` of a text whose characters are bytes; one that has others as well is written in UTF-8. */
export function bytes(value: string): string {
  const coded = /^[\0-\xff]*$/.test(value) ? value : utf8(value);
  return `${coded.length}:${coded},`;
}

/** `]` of what `items` joined give. */
export function list(items: string): string {
  return `${items.length}:${items}]`;
}

/** `}` of what keys and values joined give. */
export function dict(items: string): string {
  return `${items.length}:${items}}`;
}

/** Characters that are the bytes of a text in UTF-8. */
function utf8(value: string): string {
  return /^[\0-\x7f]*$/.test(value) ? value : Buffer.from(value, "utf8").toString("latin1");
}

/** A JSON value; undefined for what is none, which is then left out. Whole numbers are `#`, others `^`. */
export function json(value: unknown, depth = 0): string | undefined {
  if (value === null) return NULL;
  if (typeof value === "string") return text(value);
  if (typeof value === "boolean") return bool(value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? int(value) : float(value);
  if (typeof value !== "object" || depth > 30) return undefined;
  if (Array.isArray(value)) return list(value.map((item) => json(item, depth + 1) ?? NULL).join(""));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  let items = "";
  for (const [key, item] of Object.entries(value)) {
    const coded = json(item, depth + 1);
    if (coded !== undefined) items += text(key) + coded;
  }
  return dict(items);
}

/** How many bytes that is. */
export function sizeOf(value: Raw): number {
  return value instanceof Uint8Array ? value.length : value.size;
}

/** Texts with bytes and stored bodies in between. */
export class Pieces {
  readonly parts: (string | Raw)[] = [];
  #text = "";
  #size = 0;
  #isLong = false;

  /** Bytes in all. */
  get size(): number {
    return this.#size;
  }

  /** True when there are bodies among its parts. */
  get isLong(): boolean {
    return this.#isLong;
  }

  /** Adds text of one character per byte. */
  add(latin1: string): this {
    this.#text += latin1;
    this.#size += latin1.length;
    if (this.#text.length > MAX_TEXT) this.#flush();
    return this;
  }

  /** Adds bytes, which must not change any more, or a body, without a prefix. */
  addRaw(value: Raw): this {
    this.#flush();
    this.parts.push(value);
    this.#size += sizeOf(value);
    this.#isLong ||= !(value instanceof Uint8Array);
    return this;
  }

  /** Adds a `,`. */
  addBytes(value: Raw): this {
    const size = sizeOf(value);
    return size === 0 ? this.add("0:,") : this.add(`${size}:`).addRaw(value).add(",");
  }

  /** Adds what another one holds, as a value with that tag. */
  addValue(inner: Pieces, tag: "]" | "}"): this {
    this.add(`${inner.size}:`);
    for (const part of inner.all()) typeof part === "string" ? this.add(part) : this.addRaw(part);
    return this.add(tag);
  }

  /** Makes all that is in it one value with that tag. */
  wrap(tag: "]" | "}"): this {
    const prefix = `${this.#size}:`;
    this.add(tag);
    const [first] = this.all();
    if (typeof first === "string") this.parts[0] = prefix + first;
    else this.parts.unshift(prefix);
    this.#size += prefix.length;
    return this;
  }

  /** All parts in order. */
  all(): readonly (string | Raw)[] {
    this.#flush();
    return this.parts;
  }

  #flush(): void {
    if (this.#text === "") return;
    this.parts.push(this.#text);
    this.#text = "";
  }
}
