/**
 * How streams ended (RFC 9113 §5.1): which frames may still come for them depends on it.
 * @module
 */

/** How many are remembered. */
const REMEMBERED = 256;

/**
 * "in order": both halves ended, and nothing comes any more. "reset here": what the peer sent before it knew may still come,
 * and is ignored. "reset by peer": it knows, and may send nothing.
 */
export type StreamEnding = "in order" | "reset here" | "reset by peer";

/** The streams of one connection that have closed, the latest of them. */
export class ClosedStreams {
  /** By identifier, oldest first. */
  readonly #closed = new Map<number, StreamEnding>();

  /** Takes note of a stream's end; the first one counts. */
  add(id: number, ending: StreamEnding): void {
    if (this.#closed.has(id)) return;
    this.#closed.set(id, ending);
    if (this.#closed.size <= REMEMBERED) return;
    for (const oldest of this.#closed.keys()) {
      this.#closed.delete(oldest);
      break;
    }
  }

  /** Undefined when it is too long ago to know. */
  endingOf(id: number): StreamEnding | undefined {
    return this.#closed.get(id);
  }
}
