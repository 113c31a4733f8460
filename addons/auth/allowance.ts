/**
 * How much time may be spent on wrong guesses: it comes back slowly, and what has been spent is known only afterwards.
 * @module
 */

/** Milliseconds of work that may be done at once after a pause, and the share of time that they come back in. */
export interface AllowanceRate {
  readonly burstMs: number;
  readonly share: number;
}

/** For one client, or for all. */
export class Allowance {
  readonly #rate: AllowanceRate;
  #left: number;
  #at: number;

  constructor(rate: AllowanceRate, now: number) {
    this.#rate = rate;
    this.#left = rate.burstMs;
    this.#at = now;
  }

  /** Milliseconds until some is left; 0 while there is. */
  waitMs(now: number): number {
    this.#refill(now);
    return this.#left > 0 ? 0 : Math.ceil((1 - this.#left) / this.#rate.share);
  }

  /** So much was spent; it may be more than there was. */
  spend(ms: number, now: number): void {
    this.#refill(now);
    this.#left -= ms;
  }

  #refill(now: number): void {
    this.#left = Math.min(this.#rate.burstMs, this.#left + (now - this.#at) * this.#rate.share);
    this.#at = now;
  }
}
