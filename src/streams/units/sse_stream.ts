/**
 * `sseStream`: a function for each server-sent event of a body.
 * @module
 */
import { holdOf, type HoldOptions } from "../hold.ts";
import type { SseEvent } from "./sse.ts";
import { type SseOutput, sseRules } from "./sse_rules.ts";
import { checkFunction, unitStage } from "./unit_body.ts";

/**
 * A stage that calls `fn` for each server-sent event (HTML standard §9.2). The function may change the event
 * in place, return another one to send instead, `null` (or `drop`) to send none, or an iterator of several (a
 * generator's call, also an async one); it may be async, and the next event waits for it. An event is on its
 * way in the turn of the event loop in which it came.
 *
 * What is not changed goes out byte for byte as it came: other fields, comments, line ends, blocks without
 * data, and a last block without its empty line, which the function does not see. Data is written as one
 * `data:` line per line.
 *
 * An event of more than `hold` bytes (1 MiB) fails the stage (code `limit`), as does a function that throws
 * or gives what is no event (code `addon`): the body is cut.
 *
 * @example
 * ```ts
 * import { sseStream } from "weir";
 *
 * const source = new Response("event: tick\ndata: 1\n\ndata: hello\n\n").body!;
 * const stage = sseStream((event) => {
 *   if (event.event === "tick") return null;
 *   event.data = event.data.toUpperCase();
 * });
 * const text = await new Response(source.pipeThrough(stage)).text();
 * if (text !== "data: HELLO\n\n") throw new Error(text);
 * ```
 *
 * @throws {TypeError} when `fn` is no function.
 */
export function sseStream(
  fn: (event: SseEvent) => SseOutput | PromiseLike<SseOutput>,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  checkFunction(fn, "sseStream", "sseStream((event) => { event.data = … })");
  const hold = holdOf(options);
  return unitStage(() => sseRules(fn, "sseStream", hold));
}
