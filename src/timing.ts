/**
 * Waiting, but not for ever: for a promise, for a signal, until somebody wakes. No timer outlives its owner.
 * @module
 */

/** True when `pending` settles, either way, within so many milliseconds. */
export async function settlesWithin(ms: number, pending: Promise<unknown>): Promise<boolean> {
  // A timer cannot be set for so long; nobody is late then.
  if (ms === Infinity) return await pending.then(() => true, () => true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(resolve, ms, false));
  try {
    return await Promise.race([pending.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What `pending` resolves to; rejects with `what` when that takes longer. */
export async function within<T>(ms: number, pending: Promise<T>, what: string): Promise<T> {
  if (await settlesWithin(ms, pending)) return await pending;
  pending.catch(() => {});
  throw new Error(`${what} within ${ms} ms`);
}

/**
 * Calls back when the time set last is over. It is moved far more often than it passes: setting it later costs a clock reading,
 * no new timer. `dispose` it, or its timer stays.
 */
export class Deadline {
  readonly #onExpired: () => void;
  #at = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;

  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  /** Expires `milliseconds` from now, unless set again or cleared before. */
  set(milliseconds: number): void {
    const now = performance.now();
    this.#at = now + milliseconds;
    if (this.#timer === undefined || this.#timerAt > this.#at) this.#arm(now);
  }

  /** Nothing to wait for; a timer that is under way finds out by itself. */
  clear(): void {
    this.#at = Infinity;
  }

  /** Clears for good. */
  dispose(): void {
    this.#at = Infinity;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(now: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = this.#at;
    this.#timer = setTimeout(() => this.#fired(), Math.max(1, Math.ceil(this.#at - now)));
  }

  #fired(): void {
    this.#timer = undefined;
    if (this.#at === Infinity) return;
    const now = performance.now();
    if (now < this.#at) return this.#arm(now);
    this.#at = Infinity;
    this.#onExpired();
  }
}

/**
 * Somebody who waits for something to happen, one at a time.
 *
 * ```ts
 * const wakeup = new Wakeup();
 * setTimeout(() => wakeup.wake(), 10);
 * await wakeup.wait();
 * ```
 */
export class Wakeup {
  #resolve: (() => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Somebody waits. */
  get isAwaited(): boolean {
    return this.#resolve !== null;
  }

  /** Resolves at the next {@linkcode wake}, or after `ms` milliseconds; rejects at the next {@linkcode fail}. */
  wait(ms: number | null = null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (ms !== null) this.wakeIn(ms);
    });
  }

  /** Wakes who waits in `ms` milliseconds, in place of the time that was set before. */
  wakeIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.max(0, Math.ceil(ms)));
  }

  /** Wakes who waits. */
  wake(): void {
    const resolve = this.#resolve;
    this.#clear();
    resolve?.();
  }

  /** Tells who waits that it will not happen. */
  fail(error: unknown): void {
    const reject = this.#reject;
    this.#clear();
    reject?.(error);
  }

  #clear(): void {
    this.#resolve = this.#reject = null;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Calls back when `signal` is aborted, at once where it is already. What is returned takes that back. */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal?.aborted) callback();
  signal?.addEventListener("abort", callback);
  return () => signal?.removeEventListener("abort", callback);
}
