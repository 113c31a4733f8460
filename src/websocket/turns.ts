/**
 * Turns: one at a time, first come first served. What may not be interleaved (the hooks of one direction, the frames of one
 * message) is done within a turn.
 * @module
 */

/** A lock whose waiters are served in order. How many may wait is for the callers to bound. */
export class Turns {
  #held = false;
  #waiting: (() => void)[] = [];

  /** True when a turn would be had at once. */
  get idle(): boolean {
    return !this.#held;
  }

  /** Takes a turn: undefined when it is had at once (no promise for the usual case), else resolves when it is. */
  take(): Promise<void> | undefined {
    if (this.#held) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#held = true;
  }

  /** Ends the turn; the next in line has it. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }
}
