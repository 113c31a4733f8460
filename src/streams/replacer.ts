/**
 * Replacing byte strings in text that comes in pieces, the same as if it had come whole.
 *
 * Only what could still become a match is held back: the longest end of the text that begins a pattern.
 * @module
 */
import { concat } from "@std/bytes";
import { Automaton } from "./automaton.ts";
import { asBytes, type BytesLike, EMPTY, nameOf } from "./bytes.ts";
import { GRAM, GramFilter } from "./grams.ts";
import { LiteralSearch, MIN_SEARCHED } from "./literal_search.ts";
import { Output } from "./output.ts";
import type { PieceEditor } from "./piece_stage.ts";

/** What takes the place of a match: bytes as they are, or a function of the match. */
export type Replacement = BytesLike | ((match: Uint8Array) => BytesLike);

/** Patterns with their replacements. */
export type Replacements =
  | Readonly<Record<string, Replacement>>
  | Iterable<readonly [string | Uint8Array, Replacement]>;

/** Shorter patterns are looked for byte by byte. */
const MIN_FILTERED = GRAM + 1;

/** Patterns that were made ready for searching; can be used for many streams. */
export class Patterns {
  readonly automaton: Automaton;
  readonly lengths: readonly number[];
  /** True for bytes with which a pattern begins. */
  readonly starts: Uint8Array = new Uint8Array(256);
  /** The only byte with which patterns begin, or -1. */
  readonly onlyStart: number;
  /** Passes over text in which no pattern begins; null when one is too short for that. */
  readonly filter: GramFilter | null;
  /** The only pattern; null when there are several. */
  readonly only: Uint8Array | null;
  readonly #replacements: readonly (Uint8Array | ((match: Uint8Array) => BytesLike))[];

  /**
   * @throws {TypeError} on a pattern or replacement that is no text and no bytes, and on an empty pattern.
   */
  constructor(replacements: Replacements) {
    const pairs = Symbol.iterator in replacements
      ? [...replacements as Iterable<readonly [string | Uint8Array, Replacement]>]
      : Object.entries(replacements);
    const patterns = pairs.map(([pattern]) => literal(pattern, "The pattern").slice());
    this.#replacements = pairs.map(([, by]) =>
      typeof by === "function" ? by : literal(by, "The replacement").slice()
    );
    this.automaton = new Automaton(patterns);
    this.only = patterns.length === 1 ? patterns[0] : null;
    this.lengths = patterns.map((pattern) => pattern.length);
    for (const pattern of patterns) this.starts[pattern[0]] = 1;
    const first = this.starts.indexOf(1);
    this.onlyStart = this.starts.indexOf(1, first + 1) === -1 ? first : -1;
    const least = Math.min(...this.lengths);
    this.filter = least >= MIN_FILTERED && least < Infinity ? filterOf(patterns, least) : null;
  }

  replacement(index: number, match: Uint8Array): Uint8Array {
    const by = this.#replacements[index];
    return typeof by === "function" ? literal(by(match), "The replacement function's result") : by;
  }
}

function filterOf(patterns: readonly Uint8Array[], least: number): GramFilter {
  const filter = new GramFilter(least);
  for (const pattern of patterns) {
    for (let index = 0; index <= filter.window - GRAM; index++) {
      filter.add(index, pattern[index], pattern[index + 1], pattern[index + 2]);
    }
  }
  return filter;
}

function literal(value: unknown, what: string): Uint8Array {
  const bytes = asBytes(value);
  if (bytes !== null) return bytes;
  const hint = value instanceof RegExp
    ? "a regular expression; several patterns are literal, and each expression has a replaceStream of its own"
    : nameOf(value);
  throw new TypeError(`${what} must be a string or bytes, not ${hint}.`);
}

/**
 * Replaces in one text. Matches are found from left to right and do not overlap, like
 * `String.prototype.replaceAll`; of several that begin at the same place, the longest is taken. Replacements
 * are not searched again.
 */
export class Replacer implements PieceEditor {
  readonly #patterns: Patterns;
  #held: Uint8Array = EMPTY;
  readonly #out = new Output();
  /** For large pieces, where there is one pattern. */
  readonly #search: LiteralSearch | null;
  #isSearching = false;
  #state = 0;
  /**
   * A match that is whole, but could still be part of a longer one: its pattern or -1, and where in the text
   * it is.
   */
  #found = -1;
  #foundStart = 0;
  #foundEnd = 0;

  constructor(patterns: Patterns) {
    this.#patterns = patterns;
    this.#search = patterns.only === null ? null : new LiteralSearch(patterns.only);
  }

  /** Takes the next piece of text; gives what can be sent now. */
  push(piece: Uint8Array): Uint8Array {
    return this.#run(piece, false);
  }

  /** The text has ended; gives what was held back. */
  end(): Uint8Array {
    return this.#run(EMPTY, true);
  }

  #run(piece: Uint8Array, atEnd: boolean): Uint8Array {
    const { automaton: { next, match, live, columnOf, width }, lengths } = this.#patterns;
    const text = this.#held.length === 0 ? piece : concat([this.#held, piece]);
    const out = this.#out, search = this.#search;
    this.#isSearching = search !== null && text.length >= MIN_SEARCHED;
    if (this.#isSearching) search!.load(text);
    let sent = 0, at = this.#held.length, state = this.#state;
    for (;;) {
      while (at < text.length) {
        if (state === 0 && (at = this.#nextStart(text, at)) === text.length) break;
        state = next[state * width + columnOf[text[at++]]];
        const found = match[state];
        if (found !== -1) {
          const start = at - lengths[found];
          // One that begins later than the one that was found would overlap it, or is found again after it.
          if (this.#found === -1 || start <= this.#foundStart) this.#find(found, start, at);
        }
        if (this.#found !== -1 && at - live[state] > this.#foundStart) break;
      }
      if (this.#found === -1) break;
      if (!atEnd && at - live[state] <= this.#foundStart) break;
      // No longer match can begin where this one does.
      out.put(text, sent, this.#foundStart);
      out.put(this.#patterns.replacement(this.#found, text.slice(this.#foundStart, this.#foundEnd)));
      sent = at = this.#foundEnd;
      state = 0;
      this.#found = -1;
    }
    if (this.#isSearching) search!.unload();
    const keep = atEnd ? text.length : text.length - live[state];
    out.put(text, sent, keep);
    this.#held = text.slice(keep);
    this.#foundStart -= keep;
    this.#foundEnd -= keep;
    this.#state = atEnd ? 0 : state;
    return this.decided();
  }

  decided(): Uint8Array {
    return this.#out.take();
  }

  #find(pattern: number, start: number, end: number): void {
    this.#found = pattern;
    this.#foundStart = start;
    this.#foundEnd = end;
  }

  /** The first place from `at` on where a pattern can begin, or the text's length. */
  #nextStart(text: Uint8Array, at: number): number {
    const { starts, onlyStart, filter } = this.#patterns;
    if (this.#isSearching) return this.#search!.next(at);
    if (filter !== null) return filter.next(text, at);
    if (onlyStart !== -1) {
      const start = text.indexOf(onlyStart, at);
      return start === -1 ? text.length : start;
    }
    while (at < text.length && starts[text[at]] === 0) at++;
    return at;
  }
}
