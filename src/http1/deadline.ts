/**
 * A deadline that is moved far more often than it passes: setting it later costs a clock reading, no new timer.
 * @module
 */

/** Calls back when the time set last is over. `dispose` it, or its timer stays. */
export class Deadline {
  readonly #onExpired: () => void;
  #at = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;

  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  /** Expires `milliseconds` from now, unless set again or cleared before. */
  set(milliseconds: number): void {
    const now = performance.now();
    this.#at = now + milliseconds;
    if (this.#timer === undefined || this.#timerAt > this.#at) this.#arm(now);
  }

  /** Nothing to wait for; a timer that is under way finds out by itself. */
  clear(): void {
    this.#at = Infinity;
  }

  /** Clears for good. */
  dispose(): void {
    this.#at = Infinity;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(now: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = this.#at;
    this.#timer = setTimeout(() => this.#fired(), Math.max(1, Math.ceil(this.#at - now)));
  }

  #fired(): void {
    this.#timer = undefined;
    if (this.#at === Infinity) return;
    const now = performance.now();
    if (now < this.#at) return this.#arm(now);
    this.#at = Infinity;
    this.#onExpired();
  }
}
