/**
 * How streams ended (RFC 9113 §5.1): frames that come late, as those of a stream that was reset may, are ignored, and
 * others are forbidden.
 * @module
 */

/** How many are remembered. */
const REMEMBERED = 256;

/** The streams of one connection that have closed, the latest of them. */
export class ClosedStreams {
  /** By identifier, oldest first: true for those that ended by RST_STREAM. */
  readonly #closed = new Map<number, boolean>();

  add(id: number, wasReset: boolean): void {
    this.#closed.set(id, wasReset);
    if (this.#closed.size <= REMEMBERED) return;
    for (const oldest of this.#closed.keys()) {
      this.#closed.delete(oldest);
      break;
    }
  }

  /** True when it ended by RST_STREAM, false when in order, undefined when it is too long ago to know. */
  wasReset(id: number): boolean | undefined {
    return this.#closed.get(id);
  }
}
