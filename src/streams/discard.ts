/**
 * The rest of a body that nobody wants any more although its exchange goes on: a hook ended its output early.
 *
 * Reading the rest keeps the connection that it comes from usable, but only within bounds: an event stream
 * has no end.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";

/** Most bytes that are read only to be dropped; beyond this a new connection is cheaper. */
const DISCARD_BYTES = 4 * 1024 * 1024;
/** Longest time in milliseconds that the rest is waited for. */
const DISCARD_TIME = 5_000;

/** Reads a body to its end in the background and drops what comes; cancels it when that takes too much. */
export class Discard {
  readonly #body: Body;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `after`: a `fill` of the body that is still under way. */
  constructor(body: Body, after: Promise<unknown> | null = null) {
    this.#body = body;
    this.#timer = setTimeout(() => this.cancel(tooMuch()), DISCARD_TIME);
    this.#run(after).then(() => this.#stop(), () => this.#stop());
  }

  cancel(reason: WeirError): void {
    if (this.#stopped) return;
    this.#stop();
    this.#body.cancel(reason);
  }

  async #run(after: Promise<unknown> | null): Promise<void> {
    await after;
    let left = DISCARD_BYTES;
    while (!this.#stopped) {
      const piece = this.#body.take();
      if (piece === null) return;
      if (piece === undefined) await this.#body.fill();
      else if ((left -= piece.length) < 0) this.cancel(tooMuch());
    }
  }

  #stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

function tooMuch(): WeirError {
  return new WeirError("weir", "closed", "The stream hook ended the body before its source did.");
}
