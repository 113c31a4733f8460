/**
 * Work that has an end, and what follows when all of it is done (mitmproxy `keepserving.py`).
 * @module
 */
import { messageOf } from "../errors.ts";

/** Counts what is under way. */
export class FiniteWork {
  readonly #onFailure: (text: string) => void;
  readonly #onDone: () => void;
  #running = 0;
  #hasBegun = false;
  #hasFailed = false;
  #wasGiven = false;

  /** `onDone` is called when all work is done, if there was any, but not before `begin`. */
  constructor(onFailure: (text: string) => void, onDone: () => void) {
    this.#onFailure = onFailure;
    this.#onDone = onDone;
  }

  /** Some of the work failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** All who have work have said so. */
  begin(): void {
    this.#hasBegun = true;
    this.#check();
  }

  add(work: Promise<unknown>): void {
    this.#wasGiven = true;
    this.#running++;
    void this.#finish(work);
  }

  async #finish(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#hasFailed = true;
      this.#onFailure(messageOf(error));
    }
    this.#running--;
    this.#check();
  }

  #check(): void {
    if (this.#hasBegun && this.#wasGiven && this.#running === 0) this.#onDone();
  }
}
