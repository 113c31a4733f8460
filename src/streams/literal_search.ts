/**
 * Finding one literal in large pieces of text: the text is made a string of one character per byte, which V8
 * searches with the machine's vector instructions; it does not do that for bytes.
 * @module
 */
import { latin1 } from "../latin1.ts";

/** Shorter texts are searched faster as they are. */
export const MIN_SEARCHED = 1024;
/** V8 searches for so many characters by the first of them. */
const NEEDLE = 6;
/** How many bytes of a text are looked at to see which ones are rare in it. */
const SAMPLES = 256;

/** Searches texts, one after the other, for a pattern. */
export class LiteralSearch {
  readonly #bytes: Uint8Array;
  readonly #pattern: string;
  readonly #counts = new Uint16Array(256);
  #text = "";
  /** What is searched for first, and where in the pattern it stands. */
  #needle = "";
  #offset = 0;

  constructor(pattern: Uint8Array) {
    this.#bytes = pattern;
    this.#pattern = latin1(pattern);
  }

  /** The text to be searched from now on. */
  load(text: Uint8Array): void {
    this.#text = latin1(text);
    this.#offset = this.#rarest(text);
    this.#needle = this.#pattern.slice(this.#offset, this.#offset + NEEDLE);
  }

  /** Forgets the text. */
  unload(): void {
    this.#text = "";
  }

  /**
   * Where the pattern next stands as a whole, from `at` on; else where its beginning can stand at the end.
   */
  next(at: number): number {
    const text = this.#text, pattern = this.#pattern, needle = this.#needle, offset = this.#offset;
    for (let found = at + offset; (found = text.indexOf(needle, found)) !== -1; found++) {
      if (text.startsWith(pattern, found - offset)) return found - offset;
    }
    return Math.max(at, text.length - pattern.length + 1);
  }

  /** The place in the pattern of the byte that is the rarest in the text, as far as a sample tells. */
  #rarest(text: Uint8Array): number {
    const counts = this.#counts.fill(0), step = text.length / SAMPLES, bytes = this.#bytes;
    for (let i = 0; i < SAMPLES; i++) counts[text[i * step | 0]]++;
    let best = 0;
    for (let i = 1; i < bytes.length; i++) if (counts[bytes[i]] < counts[bytes[best]]) best = i;
    return best;
  }
}
