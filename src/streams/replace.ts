/**
 * `replaceStream`: replaces text in a body while it flows, also where a match lies across chunks.
 *
 * Literals are found by `./replacer.ts`, regular expressions by `./regexp/replacer.ts`.
 * @module
 */
import type { BytesLike } from "./bytes.ts";
import { holdOf, type HoldOptions } from "./hold.ts";
import { type MatchFunction, RegExpReplacer } from "./regexp/replacer.ts";
import { editorStage, type PieceEditor } from "./piece_stage.ts";
import { Patterns, type Replacement, type Replacements, Replacer } from "./replacer.ts";

/** The last argument of {@linkcode replaceStream} with a regular expression. */
export interface ReplaceOptions extends HoldOptions {
  /** The expression is one for bytes. */
  bytes?: boolean;
}

/**
 * A stage that replaces every `pattern`. Nothing is held back but the end of the text that could still become
 * (part of) a match, and that only until the next byte decides.
 *
 * A string or bytes as pattern are literal (a string stands for its UTF-8 bytes), and so is what replaces
 * them (`$&` means nothing), or it is a function of the match's bytes. Several are given as `{ pattern:
 * replacement, … }` or as a list of pairs: the leftmost match wins, and of those that begin at the same place
 * the longest.
 *
 * With a regular expression the result is that of `text.replace(regexp, replacement)` with the flag `g`, for
 * the whole text: the replacement may have `$1`, `$<name>`, `$&`, `$$`, or is a function that gets the match,
 * its groups, its place and the named groups. The flags `i`, `m`, `s`, `u` work; time is in proportion to the
 * text whatever the expression. Bytes that are no UTF-8 pass and match nothing.
 *
 * With `bytes` the expression sees bytes as characters U+0000 to U+00FF, one each, whatever they mean, and so
 * does its replacement: for `pythonRegex` with the option of the same name, and for what is no text.
 *
 * Like every stage it serves one body: make a new one in each hook call.
 *
 * @example Key numbers in a stream of events
 * ```ts
 * import { replaceStream } from "weir";
 *
 * const body = new Response("data: the key is sk-abcdefghijklmnopqrst0\n\n").body!;
 * const clean = body.pipeThrough(replaceStream(/sk-[a-z0-9]{20,}/i, "[secret]"));
 * console.log(await new Response(clean).text()); // data: the key is [secret]
 * ```
 *
 * @throws {TypeError} on an empty literal, on a pattern that is neither text nor bytes nor an expression, and
 * on what cannot be done exactly while text flows: lookahead, lookbehind, back-references, the flags `y`, `v`
 * and `d`, and `` $` `` and `$'` in the replacement. The stage fails with a {@linkcode WeirError} of code
 * `limit` where more than `hold` bytes (1 MiB) would have to be held.
 */
export function replaceStream(
  pattern: RegExp,
  replacement: BytesLike | MatchFunction,
  options?: ReplaceOptions,
): TransformStream<Uint8Array, Uint8Array>;
/** The same with a literal pattern. */
export function replaceStream(
  pattern: string | Uint8Array,
  replacement: Replacement,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array>;
/** The same with a pattern of either kind. */
export function replaceStream(
  pattern: string | Uint8Array | RegExp,
  replacement: BytesLike,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array>;
/** The same with several literal patterns. */
export function replaceStream(
  replacements: Replacements,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array>;
export function replaceStream(
  pattern: string | Uint8Array | RegExp | Replacements,
  replacement?: Replacement | MatchFunction | HoldOptions,
  options?: ReplaceOptions,
): TransformStream<Uint8Array, Uint8Array> {
  return editorStage(replacerFor(pattern, replacement, options));
}

/** Literals without a stream, for whoever has pieces of its own: a message of a WebSocket. */
export function literalReplacer(replacements: Replacements): Replacer {
  return new Replacer(new Patterns(replacements));
}

function replacerFor(
  pattern: string | Uint8Array | RegExp | Replacements,
  replacement?: Replacement | MatchFunction | HoldOptions,
  options?: ReplaceOptions,
): PieceEditor {
  if (pattern instanceof RegExp) {
    const by = replacement as BytesLike | MatchFunction;
    return new RegExpReplacer(pattern, by, holdOf(options), options?.bytes === true);
  }
  const isOne = typeof pattern === "string" || pattern instanceof Uint8Array;
  const hold = holdOf(isOne ? options : replacement as HoldOptions | undefined);
  const patterns = new Patterns(isOne ? [[pattern, replacement as Replacement]] : pattern);
  const longest = Math.max(0, ...patterns.lengths);
  if (longest > hold) {
    throw new TypeError(`A pattern has ${longest} bytes; with { hold: ${hold} } it can never be found.`);
  }
  return new Replacer(patterns);
}
