/**
 * Ends a client's connection that has had no stream for a long time (RFC 9113 §9.1). One timer for each connection, which
 * looks from time to time: streams come and go too often for one each.
 * @module
 */

/** Watches one connection, until `stop`. */
export class IdleWatch {
  readonly #timeout: number;
  readonly #openStreams: () => number;
  readonly #onIdle: () => void;
  #since = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number, openStreams: () => number, onIdle: () => void) {
    this.#timeout = timeoutMs;
    this.#openStreams = openStreams;
    this.#onIdle = onIdle;
    this.#arm(timeoutMs);
  }

  /** A stream has ended. */
  touch(): void {
    this.#since = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(delay: number): void {
    this.#timer = setTimeout(() => {
      if (this.#openStreams() > 0) return this.#arm(this.#timeout);
      const idle = performance.now() - this.#since;
      // Timers may fire a little early.
      if (idle + 1 < this.#timeout) return this.#arm(this.#timeout - idle);
      this.#onIdle();
    }, delay);
  }
}
