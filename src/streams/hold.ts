/**
 * How much a stage may hold back: what must be whole before it can be looked at has a bound.
 * @module
 */
import { WeirError } from "../errors.ts";
import { nameOf } from "./bytes.ts";

/** The last argument of every stage that holds bytes back. */
export interface HoldOptions {
  /**
   * Most bytes that are held back; where more would have to be, the stage fails (code `limit`) and the body
   * is cut.
   */
  hold?: number;
}

/** Bytes that are held where nothing else is said. */
export const HOLD = 1024 * 1024;

/** The bound that `options` set. @throws {TypeError} when it is no whole number of bytes, at least 1. */
export function holdOf(options: HoldOptions | undefined, fallback = HOLD): number {
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw new TypeError(`The options must be an object like { hold: ${fallback} }, not ${nameOf(options)}.`);
  }
  const hold = options?.hold ?? fallback;
  if (!Number.isSafeInteger(hold) || hold < 1) {
    throw new TypeError(`hold must be a whole number of bytes, at least 1, not ${nameOf(hold)}.`);
  }
  return hold;
}

/** The failure of a stage (`what`, as its user calls it) that would have to hold back more. */
export function tooMuchHeld(what: string, hold: number): WeirError {
  return new WeirError(
    "weir",
    "limit",
    `${what} would have to hold back more than ${hold} bytes; { hold } as its last argument allows more.`,
  );
}
