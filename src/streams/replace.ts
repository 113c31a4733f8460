/**
 * `replaceStream`: replaces text in a body while it flows, also where a match lies across chunks.
 *
 * ```ts
 * import { type HttpFlow, replaceStream } from "weir";
 *
 * export function responseheaders(flow: HttpFlow) {
 *   flow.response!.stream = replaceStream({ "sk-live-1234": "[secret]", "db-password": "[secret]" });
 * }
 * ```
 * @module
 */
import { perChunk } from "./chunk_hook.ts";
import { Patterns, type Replacement, type Replacements, Replacer } from "./replacer.ts";

/**
 * A stream that replaces every `pattern`. Nothing is held back but the end of a chunk that could still become a match, and that
 * only until the next byte decides. Patterns are literal: a string stands for its UTF-8 bytes. What replaces them is literal too
 * (`$&` means nothing), or a function of the match.
 *
 * Several patterns are given as `{ pattern: replacement, … }` or as a list of pairs. The leftmost match wins, and of those that begin
 * at the same place the longest. Like every stream it serves one message: make a new one in each hook call.
 *
 * @throws {TypeError} on an empty pattern, or one that is neither text nor bytes (a regular expression, for instance).
 */
export function replaceStream(
  pattern: string | Uint8Array,
  replacement: Replacement,
): TransformStream<Uint8Array, Uint8Array>;
/** The same with several patterns. */
export function replaceStream(replacements: Replacements): TransformStream<Uint8Array, Uint8Array>;
export function replaceStream(
  pattern: string | Uint8Array | Replacements,
  replacement?: Replacement,
): TransformStream<Uint8Array, Uint8Array> {
  const isOne = typeof pattern === "string" || pattern instanceof Uint8Array || pattern instanceof RegExp;
  const replacements: Replacements = isOne
    ? [[pattern as string | Uint8Array, replacement as Replacement]]
    : pattern as Replacements;
  const replacer = new Replacer(new Patterns(replacements));
  return perChunk((chunk) => chunk.length === 0 ? replacer.end() : replacer.push(chunk));
}
