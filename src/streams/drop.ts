/**
 * `drop`: what a function returns for a unit or a value that is not to be sent.
 * @module
 */

/**
 * Returned by (or given in place of) the function of a stage: what it was called for is not sent. It says so
 * where `null` is a value of its own, as in JSON.
 *
 * @example
 * ```ts
 * import { drop } from "weir";
 *
 * const withoutPings = (event: { event: string | null }) => event.event === "ping" ? drop : undefined;
 * console.log(withoutPings({ event: "ping" }) === drop); // true
 * ```
 */
export const drop: unique symbol = Symbol.for("weir.drop");
