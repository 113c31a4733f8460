/**
 * Chance that can be repeated: the same seed gives the same row of answers.
 * @module
 */

/** Gives true with a probability; `seed` null takes what the system gives. `row` tells rows of one seed apart. */
export class Chance {
  readonly #probability: number;
  /** Null: nothing is to be repeated. */
  #state: number | null;

  constructor(probability: number, seed: number | null, row: number) {
    this.#probability = probability;
    this.#state = seed === null ? null : Math.imul(seed ^ Math.imul(row + 1, 0x9e3779b9), 0x85ebca6b) | 0;
  }

  /** The next answer. */
  draw(): boolean {
    return this.#next() < this.#probability;
  }

  /** From 0 to below 1 (mulberry32). */
  #next(): number {
    if (this.#state === null) return Math.random();
    const state = this.#state = this.#state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  }
}
