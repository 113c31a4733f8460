/**
 * Passing over text in which no match can begin, several bytes at a time (Wu and Manber 1994).
 *
 * Matches have at least so many bytes. Of the first of them, all groups of three that can stand there are
 * known, with their distance to the end of that window: three bytes that stand in none let the search go on
 * behind them.
 * @module
 */

/** Bytes that are looked at together. */
export const GRAM = 3;
/** Largest window: larger ones make longer steps, and more groups that stop them. */
const MAX_WINDOW = 16;

/**
 * Where three bytes lead, from a table of 64 KiB; different ones may share an entry, which only makes steps
 * shorter.
 */
export class GramFilter {
  /** How many of a match's first bytes are known. */
  readonly window: number;
  readonly #steps: Uint8Array;

  /** For matches of at least `least` (3 or more) bytes. */
  constructor(least: number) {
    this.window = Math.min(least, MAX_WINDOW);
    this.#steps = new Uint8Array(0x10000).fill(this.window - GRAM + 1);
  }

  /** A match can have these bytes, the first of them as its byte number `index` (from 0). */
  add(index: number, a: number, b: number, c: number): void {
    const at = (a << 8 ^ b << 4 ^ c) & 0xffff, step = this.window - GRAM - index;
    if (step < this.#steps[at]) this.#steps[at] = step;
  }

  /** The first place from `at` on where a match may begin. */
  next(text: Uint8Array, at: number): number {
    const steps = this.#steps, ahead = this.window - GRAM, end = text.length - 2;
    let i = at + ahead;
    while (i < end) {
      const step = steps[(text[i] << 8 ^ text[i + 1] << 4 ^ text[i + 2]) & 0xffff];
      if (step === 0) return i - ahead;
      i += step;
    }
    // What is too short for the window may still begin one.
    return Math.min(i - ahead, text.length);
  }
}
