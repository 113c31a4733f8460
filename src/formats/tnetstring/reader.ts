/**
 * Reads tnetstrings from a stream. Values of some MiB are read whole; of longer ones what is in them is read one by one, and
 * long bytes go into a {@linkcode StoredBody}: no value is one buffer because its length says so.
 *
 * The tag comes behind the data, so what a long value is must be known before: the key says it.
 * @module
 */
import { BodySlice, StoredBody } from "../../streams/mod.ts";
import { FormatError } from "../error.ts";
import type { Input } from "../input.ts";
import { MAX_DIGITS, parsePrefix, Parser } from "./parse.ts";
import { ByteString, type Dict, nameOf, type Value } from "./value.ts";

/** Values up to this size are read whole. */
const WHOLE = 4 * 1024 * 1024;
/** Bytes up to this size, in a value that is not read whole, are kept in memory. */
const IN_MEMORY = 256 * 1024;
/** What the values of one record may have in memory together, if it is not read whole. */
const MAX_HELD = 256 * 1024 * 1024;
/** Messages of a long list that are shorter cost no more in memory than a place in a file would. */
const MIN_SPILLED = 256;

/** What a long value with that key is; "skip": nobody needs it. */
export type LongValue = "dict" | "list" | "bytes" | "skip" | undefined;

/** Reads one record after the other. */
export class TnetstringReader {
  readonly #input: Input;
  readonly #longValue: (key: string) => LongValue;
  /** Where the record that is being read begins. */
  #start = 0;
  #held = 0;
  /** The bodies of the record that is being read. */
  #bodies: StoredBody[] = [];
  /** Where the contents of a long list's messages are. */
  #spill: StoredBody | null = null;

  /** `longValue` says what the long values of records are. */
  constructor(input: Input, longValue: (key: string) => LongValue) {
    this.#input = input;
    this.#longValue = longValue;
  }

  /** Where the record that was read last begins. */
  get start(): number {
    return this.#start;
  }

  /** What was stored of the record that was read last. */
  get bodies(): readonly StoredBody[] {
    return this.#bodies;
  }

  /** The next record, a dict; null at the end. @throws {FormatError} */
  async next(): Promise<Dict | null> {
    this.#start = this.#input.offset;
    this.#held = 0;
    this.#bodies = [];
    this.#spill = null;
    if (!await this.#input.has(1)) return null;
    try {
      const length = await this.#prefix(Infinity);
      const value = length <= WHOLE ? await this.#whole(length) : await this.#long("dict", length);
      (this.#spill as StoredBody | null)?.end(null);
      if (value instanceof Map) return value;
      throw new FormatError(this.#start, `a record is ${nameOf(value)}, not a dict`);
    } catch (error) {
      for (const body of this.#bodies) body.dispose();
      throw error;
    }
  }

  /** Takes a length that leaves room before `end`. */
  async #prefix(end: number): Promise<number> {
    const { offset } = this.#input;
    for (let count = 1; count <= MAX_DIGITS + 2; count++) {
      const isThere = await this.#input.has(count);
      const prefix = parsePrefix(this.#input.view, 0, offset);
      if (prefix === undefined) {
        if (isThere) continue;
        throw await this.#torn();
      }
      const { length, size } = prefix;
      if (offset + size + length >= end) {
        throw new FormatError(offset, `a length of ${length} runs over the end of what it is in`);
      }
      this.#input.skip(size);
      return length;
    }
    throw new FormatError(offset, "a length has no end");
  }

  /** A value that is read at once. */
  async #whole(length: number): Promise<Value> {
    const { offset } = this.#input;
    if (!await this.#input.has(length + 1)) throw await this.#torn();
    return new Parser(this.#input.take(length + 1), offset).value(0, length);
  }

  async #long(kind: LongValue, length: number): Promise<Value> {
    if (kind === "bytes") return await this.#bytes(length);
    if (kind === "skip") {
      await this.#pass(length + 1, () => undefined);
      return null;
    }
    const end = this.#input.offset + length;
    const value = kind === "list" ? await this.#list(end) : await this.#dict(end);
    await this.#tag(kind === "list" ? 0x5d : 0x7d);
    return value;
  }

  async #dict(end: number): Promise<Dict> {
    const dict: Dict = new Map();
    while (this.#input.offset < end) {
      const at = this.#input.offset;
      const length = await this.#prefix(end);
      const key = length > 1000 ? null : await this.#whole(length);
      if (typeof key !== "string") throw new FormatError(at, "a key is no text, or a very long one");
      dict.set(key, await this.#member(this.#longValue(key), end, key));
    }
    return dict;
  }

  async #list(end: number): Promise<Value[]> {
    const items: Value[] = [];
    while (this.#input.offset < end) {
      // Only what a message is made of can be long in a list: the message itself, and in it its content.
      const isMessage = items.length === 0 || Array.isArray(items[0]);
      const item = await this.#member(isMessage ? "message" : "bytes", end, "a list's item");
      if (Array.isArray(item)) await this.#putAside(item);
      items.push(item);
    }
    return items;
  }

  /** Moves the contents of a message into the file for those. */
  async #putAside(message: Value[]): Promise<void> {
    for (const [i, value] of message.entries()) {
      if (!(value instanceof ByteString)) continue;
      const { length } = value.bytes;
      if (length < MIN_SPILLED) {
        // A copy: what it is a part of may go.
        message[i] = new ByteString(value.bytes.slice());
        continue;
      }
      this.#held -= length;
      const spill = this.#spilled(), { size } = spill;
      await spill.append(value.bytes);
      if (spill.error !== null) throw spill.error;
      message[i] = new BodySlice(spill, size, length);
    }
  }

  #spilled(): StoredBody {
    if (this.#spill === null) this.#bodies.push(this.#spill = new StoredBody());
    return this.#spill;
  }

  /** A value in one that is not read whole. */
  async #member(kind: LongValue | "message" | "content", end: number, what: string): Promise<Value> {
    const { offset } = this.#input;
    const length = await this.#prefix(end);
    const isShort = length <= (kind === "bytes" || kind === "content" ? IN_MEMORY : WHOLE);
    if (isShort) {
      this.#held += length;
      if (this.#held > MAX_HELD) {
        throw new FormatError(this.#start, `a record has more than ${MAX_HELD} bytes besides its bodies`);
      }
      return await this.#whole(length);
    }
    if (kind === undefined) throw new FormatError(offset, `${what} has ${length} bytes; ${WHOLE} are read`);
    if (kind === "message") return await this.#message(length);
    return kind === "content" ? await this.#content(length) : await this.#long(kind, length);
  }

  /** A message of a WebSocket or a raw conversation: a list in which one item is long. */
  async #message(length: number): Promise<Value[]> {
    const end = this.#input.offset + length;
    const items: Value[] = [];
    while (this.#input.offset < end) items.push(await this.#member("content", end, "a message's item"));
    await this.#tag(0x5d);
    return items;
  }

  async #bytes(length: number): Promise<StoredBody> {
    const body = new StoredBody();
    this.#bodies.push(body);
    await this.#store(length, body);
    body.end(null);
    return body;
  }

  /** The content of a message. */
  async #content(length: number): Promise<BodySlice> {
    const spill = this.#spilled(), { size } = spill;
    await this.#store(length, spill);
    return new BodySlice(spill, size, length);
  }

  async #store(length: number, body: StoredBody): Promise<void> {
    await this.#pass(length, (piece) => body.append(piece));
    if (body.error !== null) throw body.error;
    await this.#tag(0x2c);
  }

  /** Hands so many bytes on as they come. */
  async #pass(length: number, use: (piece: Uint8Array) => Promise<void> | undefined): Promise<void> {
    for (let left = length; left > 0;) {
      const piece = await this.#input.some(left);
      if (piece === null) throw await this.#torn();
      left -= piece.length;
      const pending = use(piece);
      if (pending) await pending;
    }
  }

  async #tag(tag: number): Promise<void> {
    if (!await this.#input.has(1)) throw await this.#torn();
    const found = this.#input.view[0];
    if (found !== tag) {
      const [wanted, there] = [tag, found].map((code) => JSON.stringify(String.fromCharCode(code)));
      throw new FormatError(this.#input.offset, `the tag ${wanted} was expected, there is ${there}`);
    }
    this.#input.skip(1);
  }

  /** The file ends in a record. */
  async #torn(): Promise<FormatError> {
    while (await this.#input.some(Infinity) !== null);
    const dropped = this.#input.offset - this.#start;
    return new FormatError(
      this.#start,
      `the file ends in the middle of a flow; ${dropped} bytes are dropped`,
    );
  }
}
