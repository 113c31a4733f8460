/**
 * What stops an exchange from outside: its flow is killed, its client is gone, weir ends. Whatever the
 * exchange waits for then is waited for no longer.
 * @module
 */
import type { WeirError } from "../errors.ts";

/** Whether one exchange was stopped, and what is to be told of it. */
export class Stop {
  /** Ends what is waited for, or runs, beside the two sides of the exchange. */
  onStop: ((error: WeirError) => void) | null = null;
  #error: WeirError | null = null;

  /** Why it was stopped; null while it goes on. */
  get error(): WeirError | null {
    return this.#error;
  }

  /** @throws {WeirError} when it was stopped */
  check(): void {
    if (this.#error !== null) throw this.#error;
  }

  /** Stops it for the first reason that is given: `end` ends both sides. */
  stop(error: WeirError, end: (error: WeirError) => void): void {
    if (this.#error !== null) return;
    this.#error = error;
    end(error);
    this.onStop?.(error);
  }

  /**
   * What `pending` gives, or the error of a stop that comes first. `keep` gets what is given at once, late or
   * not.
   */
  unlessStopped<T>(pending: Promise<T>, keep: (value: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.onStop = reject;
      pending.then((value) => {
        this.onStop = null;
        keep(value);
        resolve(value);
      }, reject);
    });
  }
}
