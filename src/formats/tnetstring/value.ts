/**
 * Values of tnetstrings (https://tnetstrings.info, with mitmproxy's `;` for text): `LENGTH:DATA` and a tag that says what it is.
 * @module
 */
import { Buffer } from "node:buffer";
import type { BodySlice, StoredBody } from "../../streams/mod.ts";

/**
 * What a value can be: `~` `!` `#` `^` `;` `,` `]` `}`. A long `,` is a {@linkcode StoredBody}; where there are many of them in a list
 * each is a slice of one.
 */
export type Value = null | boolean | number | string | ByteString | StoredBody | BodySlice | Value[] | Dict;

/** A `}`: keys are text. The last of several with the same key counts. */
export type Dict = Map<string, Value>;

/** A `,`: bytes, or text in Latin-1, as which heads are kept. */
export class ByteString {
  /** The bytes; they are part of the record's, and not copied. */
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** One character for each byte. */
  get latin1(): string {
    const { buffer, byteOffset, byteLength } = this.bytes;
    return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  }
}

/** What a value is called in messages. */
export function nameOf(value: Value | undefined): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  if (typeof value === "number") return "a number";
  if (typeof value === "boolean") return "a truth value";
  if (Array.isArray(value)) return "a list";
  return value instanceof Map ? "a dict" : "bytes";
}
