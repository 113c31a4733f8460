/**
 * `ndjsonStream`: a function for each value of a body of newline-delimited JSON.
 * @module
 */
import { nameOf } from "../bytes.ts";
import type { drop } from "../drop.ts";
import { holdOf, type HoldOptions } from "../hold.ts";
import { endOf, type JsonLine, NdjsonCutter } from "./ndjson.ts";
import { checkFunction, type UnitRules, unitStage } from "./unit_body.ts";

const LF = 10, CR = 13;
const encoder = new TextEncoder();

/**
 * A stage that calls `fn` for each line that is JSON, with its value and its number among those. The function
 * may change an object or array in place, return another value to send instead (also `null`), `drop` to send
 * none, or an iterator of several (a generator's call, also an async one); it may be async, and the next line
 * waits for it.
 *
 * Lines whose value did not change go out byte for byte as they came, as do lines that are no JSON and empty
 * ones, which the function does not see. What changed is written anew, with the end that the line had.
 *
 * A line of more than `hold` bytes (1 MiB) fails the stage (code `limit`), as does a function that throws or
 * gives what JSON cannot say (code `addon`): the body is cut.
 *
 * @example
 * ```ts
 * import { drop, ndjsonStream } from "weir";
 *
 * const source = new Response('{"n":1}\n{"n":2}\n').body!;
 * const stage = ndjsonStream((value, index) => index === 0 ? drop : { ...value as object, last: true });
 * const text = await new Response(source.pipeThrough(stage)).text();
 * if (text !== '{"n":2,"last":true}\n') throw new Error(text);
 * ```
 *
 * @throws {TypeError} when `fn` is no function.
 */
export function ndjsonStream(
  // deno-lint-ignore no-explicit-any -- only the function's author knows what a line says, as with JSON.parse
  fn: (value: any, index: number) => unknown | typeof drop,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  checkFunction(fn, "ndjsonStream", "ndjsonStream((value, index) => …)");
  const hold = holdOf(options);
  return unitStage(() => ndjsonRules(fn, "ndjsonStream", hold));
}

/** The rules of a stage for one body. */
function ndjsonRules(
  fn: (value: unknown, index: number) => unknown,
  name: string,
  hold: number,
): UnitRules<JsonLine> {
  let index = 0;
  /** The value that the function was called for, as it was; null where its line is to tell. */
  let before: string | null = null;
  /**
   * The last line was written as `JSON.stringify` does it, and sent as it came: the next one may well be so,
   * too.
   */
  let isCompact = true;
  return {
    name,
    cutter: new NdjsonCutter(hold, name),
    isJson: true,
    call({ value }) {
      before = isCompact || !isObject(value) ? null : JSON.stringify(value);
      return fn(value, index++);
    },
    edited(value, { bytes, unit }) {
      const { value: old, text } = unit!;
      const isOld = value === undefined || value === old;
      if (isOld && !isObject(old)) return bytes;
      const json = jsonOf(isOld ? old : value);
      isCompact = json.length === lengthOf(text) && text.slice(0, json.length) === json;
      if (isCompact) return bytes;
      // What the function had may have been changed by it.
      before ??= JSON.stringify(JSON.parse(text));
      return json === before ? bytes : lineOf(json, bytes);
    },
    added(value, segment, index) {
      return lineOf(jsonOf(value), segment!.bytes, index);
    },
  };
}

/** Characters of a line without its end. */
function lengthOf(line: string): number {
  const last = line.length - 1;
  if (line.charCodeAt(last) !== LF) return last + 1;
  return line.charCodeAt(last - 1) === CR ? last - 1 : last;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** A line that ends as another one does; several in the place of a last one without end are parted. */
function lineOf(json: string, like: Uint8Array, index = 0): Uint8Array {
  const end = endOf(like);
  return encoder.encode((end === "" && index > 0 ? "\n" : "") + json + end);
}

/** @throws {TypeError} on what JSON has no form for. */
function jsonOf(value: unknown): string {
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) {
    throw new TypeError(`a line must be a value that JSON can say, not ${nameOf(value)}`);
  }
  return json;
}
