/**
 * A lock for what may not be interleaved: the hooks of one direction, the frames of one message. First come, first served.
 * @module
 */

/** A lock whose waiters are served in order. How many may wait is for the callers to bound. */
export class Mutex {
  #held = false;
  #waiting: (() => void)[] = [];

  /** True when nobody holds it. */
  get isFree(): boolean {
    return !this.#held;
  }

  /** Undefined when it is had at once (no promise for the usual case), else resolves when it is. */
  lock(): Promise<void> | undefined {
    if (this.#held) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#held = true;
  }

  /** The next in line has it. */
  unlock(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }
}
