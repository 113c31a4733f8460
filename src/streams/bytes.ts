/**
 * What counts as bytes when an addon hands over a piece of a body.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { shortened } from "../shown.ts";

/** Anything an addon may give where bytes are wanted; a string is sent as UTF-8. */
export type BytesLike = Uint8Array | ArrayBuffer | ArrayBufferView | string;

/** No bytes at all; what a per-chunk hook is called with at the end. */
export const EMPTY: Uint8Array = new Uint8Array(0);

const encoder = new TextEncoder();

/** The bytes of `value`, without copying where it can be helped; null when it is nothing that has bytes. */
export function asBytes(value: unknown): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return null;
}

/** A short name for any value, for messages about values of the wrong type. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") {
    const name: unknown = value.constructor?.name;
    return typeof name === "string" && name !== "" ? `a value of type ${name}` : "an object";
  }
  if (typeof value === "function") return "a function";
  return `the ${typeof value} ${shortened(String(value))}`;
}

/** The error for a piece of a body that is no bytes. */
export function notBytes(what: string, value: unknown): WeirError {
  return new WeirError(
    "weir",
    "addon",
    `${what} gave ${nameOf(value)} where bytes or a string were expected.`,
  );
}

/** The error for something that an addon threw while a body was on its way. */
export function threw(what: string, cause: unknown): WeirError {
  return new WeirError("weir", "addon", `${what} threw: ${messageOf(cause)}`, { cause });
}
