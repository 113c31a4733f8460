/**
 * The bytes that weir holds for bodies, all together, against the option `memory_limit`.
 *
 * What is counted, and what happens when there is no room for more:
 *
 * - bodies that are buffered: the body is streamed from there on;
 * - `content` that was decoded: it is left as it came, with a warning;
 * - WebSocket messages that are being put together: the connection is closed with 1009 (RFC 6455 §7.4.1);
 * - copies of streamed bodies (`store_streamed_bodies`) in memory: they go to their files;
 * - histories of WebSocket connections and of raw tunnels: the oldest messages are forgotten. They go first, before
 *   any of the others has to give way.
 *
 * A flow counts while it runs: what addons keep of it after its last hook is theirs, and not counted.
 * @module
 */

/** A history that can be made shorter. */
export interface History {
  /** Lets go of its oldest message, and books it out with {@linkcode MemoryBudget.forgot}; false when it has none to spare. */
  forgetOldest(): boolean;
}

/** Counts what is held. */
export class MemoryBudget {
  #used = 0;
  /** Bytes of histories, which are part of `used`. */
  #remembered = 0;
  readonly #limit: () => number | null;
  /** Those that hold anything, the one that has done so for longest first. */
  readonly #histories = new Map<History, number>();

  /** `limit`: bytes, asked for each time, as options change; null is none. */
  constructor(limit: () => number | null) {
    this.#limit = limit;
  }

  /** Bytes that are booked. */
  get used(): number {
    return this.#used;
  }

  /** Bytes that may still be booked; those of histories count as free, as they give way. Infinity without a limit. */
  get room(): number {
    const limit = this.#limit();
    return limit === null ? Infinity : Math.max(0, limit - this.#used + this.#remembered);
  }

  /** Books `bytes` more; false when that passes the limit (they are booked all the same: they are in memory). */
  take(bytes: number): boolean {
    this.#used += bytes;
    const limit = this.#limit();
    return limit === null || this.#used <= limit || this.#makeRoom(limit);
  }

  /** Books out what `take` has booked. */
  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** Books bytes of a message that a history keeps; older messages, also of others, may have to go for it. */
  remember(history: History, bytes: number): void {
    if (bytes === 0) return;
    this.#histories.set(history, (this.#histories.get(history) ?? 0) + bytes);
    this.#remembered += bytes;
    this.take(bytes);
  }

  /** Books out what `remember` has booked. */
  forgot(history: History, bytes: number): void {
    if (bytes === 0) return;
    const left = this.#histories.get(history)! - bytes;
    if (left === 0) this.#histories.delete(history);
    else this.#histories.set(history, left);
    this.#remembered -= bytes;
    this.#used -= bytes;
  }

  #makeRoom(limit: number): boolean {
    for (const history of this.#histories.keys()) {
      while (this.#used > limit && history.forgetOldest());
      if (this.#used <= limit) return true;
    }
    return false;
  }
}
