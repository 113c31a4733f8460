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
export interface HeldHistory {
  /** Lets go of its oldest message, and books it out with {@linkcode MemoryBudget.forgot}; false when it has none to spare. */
  forgetOldest(): boolean;
}

/** Counts what is held. */
export class MemoryBudget {
  #used = 0;
  /** Bytes of histories, which are part of `used`. */
  #remembered = 0;
  readonly #ask: () => number | null;
  /** What was said last; Infinity for none. */
  #limit: number;
  /** Those that may hold something, the one that has done so for longest first. */
  readonly #histories = new Set<HeldHistory>();

  /**
   * `limit`: bytes; null is none. It is asked again when what was said last is passed, and after
   * {@linkcode MemoryBudget.changed}: booking is done for every piece of a body.
   */
  constructor(limit: () => number | null) {
    this.#ask = limit;
    this.#limit = limit() ?? Infinity;
  }

  /** The limit may be another one now. */
  changed(): void {
    this.#limit = this.#ask() ?? Infinity;
  }

  /** Bytes that are booked. */
  get used(): number {
    return this.#used;
  }

  /** Bytes that may still be booked; those of histories count as free, as they give way. Infinity without a limit. */
  get room(): number {
    this.changed();
    return Math.max(0, this.#limit - this.#used + this.#remembered);
  }

  /** Books `bytes` more; false when that passes the limit (they are booked all the same: they are in memory). */
  take(bytes: number): boolean {
    this.#used += bytes;
    return this.#used <= this.#limit || this.#makeRoom();
  }

  /** Books out what `take` has booked. */
  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** Books bytes of a message that a history keeps; older messages, also of others, may have to go for it. */
  remember(history: HeldHistory, bytes: number): void {
    this.#histories.add(history);
    this.#remembered += bytes;
    this.take(bytes);
  }

  /** Books out what `remember` has booked. */
  forgot(bytes: number): void {
    this.#remembered -= bytes;
    this.#used -= bytes;
  }

  /** The history has ended: books out what is left of it, and asks it no more. */
  leave(history: HeldHistory, bytes: number): void {
    this.#histories.delete(history);
    this.forgot(bytes);
  }

  #makeRoom(): boolean {
    this.changed();
    const limit = this.#limit;
    for (const history of this.#remembered > 0 ? this.#histories : []) {
      while (this.#used > limit && history.forgetOldest());
      if (this.#used <= limit) break;
    }
    return this.#used <= limit;
  }
}
