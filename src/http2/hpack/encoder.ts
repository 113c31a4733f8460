/**
 * Field lists to header blocks (RFC 7541 §6), with a dynamic table for the fields that come again.
 * @module
 */
import { DEFAULT_TABLE_SIZE, DynamicTable, ENTRY_OVERHEAD } from "./dynamic_table.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";
import { encodeInteger, INTEGER_BYTES } from "./integer.ts";
import { STATIC_COUNT, STATIC_FIELDS, STATIC_NAMES } from "./static_table.ts";

/** RFC 7541 §7.1.3: values that an attacker could guess by their effect on the table are never indexed, here or further on. */
const SECRETS = new Set(["authorization", "proxy-authorization", "x-api-key"]);
/** A cookie shorter than this is guessed too easily (§7.1.3); long ones repeat and are worth an entry. */
const SHORT_COOKIE = 20;
/** Values that seldom come twice; an entry would only push out others. */
const FLEETING = new Set([
  ":path",
  "age",
  "content-length",
  "content-range",
  "etag",
  "if-modified-since",
  "if-none-match",
  "last-modified",
  "location",
  "set-cookie",
]);
/** An entry that takes more than this share of the table is not worth it. */
const MAX_SHARE = 0.75;

/** One direction's encoder. */
export class HpackEncoder {
  readonly #table = new DynamicTable(
    DEFAULT_TABLE_SIZE,
    (name, value) => this.#forget(name, value),
  );
  /** Name → value → number of the newest entry with both. */
  readonly #fields = new Map<string, Map<string, number>>();
  /** The smallest and the last size that the peer asked for since the last block, or -1. */
  #smallestSize = -1;
  #bytes = new Uint8Array(4096);
  #length = 0;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; more than the default is not used. */
  setMaxTableSize(size: number): void {
    const used = Math.min(size, DEFAULT_TABLE_SIZE);
    if (used === this.#table.maxSize && this.#smallestSize === -1) return;
    this.#smallestSize = this.#smallestSize === -1 ? used : Math.min(this.#smallestSize, used);
    this.#table.resize(used);
  }

  /** The block for a list of names (lower case) and values (Latin-1). Valid until the next call. */
  encode(fields: readonly string[]): Uint8Array {
    this.#length = 0;
    if (this.#smallestSize !== -1) {
      // §4.2: the smallest size in between must be seen, and then the last one.
      if (this.#smallestSize < this.#table.maxSize) this.#integer(this.#smallestSize, 5, 0x20);
      this.#integer(this.#table.maxSize, 5, 0x20);
      this.#smallestSize = -1;
    }
    for (let i = 0; i < fields.length; i += 2) this.#field(fields[i], fields[i + 1]);
    return this.#bytes.subarray(0, this.#length);
  }

  #field(name: string, value: string): void {
    const secret = SECRETS.has(name) || (name === "cookie" && value.length < SHORT_COOKIE);
    if (!secret) {
      const index = STATIC_FIELDS.get(name)?.get(value) ?? this.#indexOf(this.#fields.get(name)?.get(value));
      if (index !== undefined) return this.#integer(index, 7, 0x80);
    }
    const nameIndex = STATIC_NAMES.get(name) ?? this.#nameIndex(name) ?? 0;
    const size = name.length + value.length + ENTRY_OVERHEAD;
    if (secret) this.#literal(nameIndex, name, value, 4, 0x10);
    else if (FLEETING.has(name) || size > this.#table.maxSize * MAX_SHARE) {
      this.#literal(nameIndex, name, value, 4, 0x00);
    } else {
      this.#literal(nameIndex, name, value, 6, 0x40);
      this.#remember(name, value);
    }
  }

  #literal(nameIndex: number, name: string, value: string, prefix: number, flags: number): void {
    this.#integer(nameIndex, prefix, flags);
    if (nameIndex === 0) this.#string(name);
    this.#string(value);
  }

  #string(text: string): void {
    const coded = huffmanLength(text);
    if (coded < text.length) {
      this.#integer(coded, 7, 0x80);
      this.#reserve(coded);
      this.#length = huffmanEncode(text, this.#bytes, this.#length);
    } else {
      this.#integer(text.length, 7, 0);
      this.#reserve(text.length);
      for (let i = 0; i < text.length; i++) this.#bytes[this.#length++] = text.charCodeAt(i);
    }
  }

  #integer(value: number, prefix: number, flags: number): void {
    this.#reserve(INTEGER_BYTES);
    this.#length = encodeInteger(value, prefix, flags, this.#bytes, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  #indexOf(number: number | undefined): number | undefined {
    return number === undefined ? undefined : STATIC_COUNT + this.#table.next - number;
  }

  /** The index of any entry with this name. */
  #nameIndex(name: string): number | undefined {
    const values = this.#fields.get(name);
    if (values === undefined) return undefined;
    for (const number of values.values()) return this.#indexOf(number);
    return undefined;
  }

  #remember(name: string, value: string): void {
    const number = this.#table.next;
    if (!this.#table.add(name, value)) return;
    const values = this.#fields.get(name);
    if (values === undefined) this.#fields.set(name, new Map([[value, number]]));
    else values.set(value, number);
  }

  /** A field is never in the table twice: the second time it is indexed. */
  #forget(name: string, value: string): void {
    const values = this.#fields.get(name)!;
    values.delete(value);
    if (values.size === 0) this.#fields.delete(name);
  }
}
