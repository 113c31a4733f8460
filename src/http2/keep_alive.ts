/**
 * Notices that a connection is dead although nobody said so: PING (RFC 9113 §6.7) when streams are open and nothing
 * has been heard for a while. One timer, which only runs while streams are open.
 * @module
 */

/** Silence on a connection with open streams before it is asked; below the idle time-outs of common middleboxes. */
const PING_AFTER_MS = 30_000;
/** How long the answer, or anything else, may take. */
const PING_TIMEOUT_MS = 20_000;

export interface KeepAliveOptions {
  pingAfterMs?: number;
  pingTimeoutMs?: number;
}

/** Watches one connection. */
export class KeepAlive {
  readonly #after: number;
  readonly #timeout: number;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #heard = performance.now();
  #asked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: KeepAliveOptions, ping: () => void, dead: () => void) {
    this.#after = options.pingAfterMs ?? PING_AFTER_MS;
    this.#timeout = options.pingTimeoutMs ?? PING_TIMEOUT_MS;
    this.#ping = ping;
    this.#dead = dead;
  }

  /** Anything that arrives shows that the peer lives. */
  heard(): void {
    this.#heard = performance.now();
    this.#asked = false;
  }

  /** Streams are open, or none is. */
  watch(active: boolean): void {
    if (active === (this.#timer !== undefined)) return;
    if (active) {
      this.#heard = performance.now();
      this.#arm(this.#after);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#asked = false;
    }
  }

  #arm(delay: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#asked) return this.#dead();
      const silent = performance.now() - this.#heard;
      // Timers may fire a little early.
      if (silent + 1 < this.#after) return this.#arm(this.#after - silent);
      this.#asked = true;
      this.#arm(this.#timeout);
      this.#ping();
    }, delay);
  }
}
