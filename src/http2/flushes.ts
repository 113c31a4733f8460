/**
 * Who waits for what was sent to be taken by the connection: that is when a message is out, and when memory is free again.
 * @module
 */
import type { WeirError } from "../errors.ts";

/** Waits for the bytes of one turn, and for those that are being written. */
export class Flushes {
  #thisTurn: PromiseWithResolvers<void> | null = null;
  #writing: PromiseWithResolvers<void> | null = null;
  #isWriting = false;
  #error: WeirError | null = null;

  /** The bytes of this turn are being written; those that come now are of the next. */
  started(): void {
    this.#writing = this.#thisTurn;
    this.#thisTurn = null;
    this.#isWriting = true;
  }

  /** They were taken. */
  finished(): void {
    const writing = this.#writing;
    this.#writing = null;
    this.#isWriting = false;
    writing?.resolve();
  }

  /** Resolves when all that was sent up to now is taken; `hasPending` when some of it is of this turn. */
  all(hasPending: boolean): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    if (hasPending) return (this.#thisTurn ??= Promise.withResolvers()).promise;
    if (this.#isWriting) return (this.#writing ??= Promise.withResolvers()).promise;
    return Promise.resolve();
  }

  /** Nothing will be taken any more. */
  fail(error: WeirError): void {
    this.#error ??= error;
    const waiting = [this.#thisTurn, this.#writing];
    this.#thisTurn = this.#writing = null;
    for (const flush of waiting) flush?.reject(error);
  }
}
