/**
 * What stages are given wrongly, told when they are made.
 * @module
 */
import { nameOf } from "./bytes.ts";

/** @throws {TypeError} when `value` is no whole number, at least `least`. */
export function checkCount(stage: string, what: string, value: unknown, least = 0): asserts value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
    throw new TypeError(`${stage} takes ${what} as a whole number, at least ${least}, not ${nameOf(value)}.`);
  }
}

/** @throws {TypeError} when `value` is no function. */
export function checkFunction(stage: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${stage} takes a function, not ${nameOf(value)}.`);
}
