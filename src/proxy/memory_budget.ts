/**
 * The bytes that all buffered bodies together hold, against `memory_limit`.
 * @module
 */

/** Counts what exchanges buffer. */
export class MemoryBudget {
  #used = 0;
  readonly #limit: () => number | null;

  constructor(limit: () => number | null) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Books `bytes` more; false when that passes the limit (they are booked all the same: they are in memory). */
  take(bytes: number): boolean {
    this.#used += bytes;
    const limit = this.#limit();
    return limit === null || this.#used <= limit;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
