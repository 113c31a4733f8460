/**
 * Flows as an async iterable, for programs that embed weir.
 * @module
 */
import type { HttpFlow } from "../flow/flow.ts";
import type { Addon } from "../hooks/mod.ts";

/** Flows that a slow reader may have waiting; the oldest go first, as nobody may hold up the wire. */
const MAX_WAITING = 1000;

interface Reader {
  readonly waiting: HttpFlow[];
  wake: (() => void) | null;
}

export class FlowFeed implements AsyncIterable<HttpFlow> {
  readonly #readers = new Set<Reader>();
  #closed = false;
  /** Feeds it. */
  readonly addon: Addon = {
    readsBodies: () => this.#readers.size > 0,
    complete: (flow) => this.#push(flow),
    error: (flow) => this.#push(flow),
  };

  /** Ends all loops once they have read what is waiting. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.wake?.();
  }

  [Symbol.asyncIterator](): AsyncGenerator<HttpFlow, void> {
    // Flows count from here on, not from the first `next`.
    const reader: Reader = { waiting: [], wake: null };
    this.#readers.add(reader);
    return this.#read(reader);
  }

  async *#read(reader: Reader): AsyncGenerator<HttpFlow, void> {
    try {
      for (;;) {
        const flow = reader.waiting.shift();
        if (flow !== undefined) yield flow;
        else if (this.#closed) return;
        else await new Promise<void>((resolve) => reader.wake = resolve);
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  #push(flow: HttpFlow): void {
    for (const reader of this.#readers) {
      if (reader.waiting.length >= MAX_WAITING) reader.waiting.shift();
      reader.waiting.push(flow);
      reader.wake?.();
    }
  }
}
