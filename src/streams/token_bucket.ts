/**
 * A rate with room for bursts (token bucket): who wants to send asks how much may go now, and when there will
 * be more.
 * @module
 */
import { nameOf } from "./bytes.ts";

/** Room that is there where nothing else is said: 64 KiB, or what comes in 100 ms, whichever is more. */
const BURST_BYTES = 64 * 1024;
const BURST_MS = 100;
/**
 * So much is waited for at least, so that a slow rate is not a flood of tiny pieces: what comes in 10 ms, up
 * to 16 KiB.
 */
const QUANTUM_MS = 10;
const MAX_QUANTUM = 16 * 1024;

/**
 * Bytes per second that one or more bodies share. It is full at first.
 *
 * ```ts
 * import { throttleStream, TokenBucket } from "weir";
 *
 * const line = new TokenBucket(1_000_000);
 * export function responseheaders(flow: HttpFlow) {
 *   flow.response!.stream = throttleStream(line); // all responses together
 * }
 * ```
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #quantum: number;
  #tokens: number;
  #filledAt = performance.now();

  /**
   * `burst` is the most that may go at once: by default 64 KiB, or what comes in 100 ms, whichever is more.
   * @throws {TypeError} when the rate is no number above 0, or the burst none of at least 1 byte.
   */
  constructor(bytesPerSecond: number, burst = Math.max(BURST_BYTES, bytesPerSecond * BURST_MS / 1000)) {
    if (typeof bytesPerSecond !== "number" || !(bytesPerSecond > 0) || bytesPerSecond === Infinity) {
      throw new TypeError(`A rate is a number of bytes per second above 0, not ${nameOf(bytesPerSecond)}.`);
    }
    if (typeof burst !== "number" || !(burst >= 1)) {
      throw new TypeError(`A burst is a number of bytes, at least 1, not ${nameOf(burst)}.`);
    }
    this.#perMs = bytesPerSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#quantum = Math.max(1, Math.min(burst, this.#perMs * QUANTUM_MS, MAX_QUANTUM));
  }

  /** How many of the `wanted` bytes (at least 1) may go now. They are spent. */
  take(wanted: number): number {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
    if (this.#tokens < Math.min(wanted, this.#quantum)) return 0;
    const granted = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= granted;
    return granted;
  }

  /** Milliseconds until `take(wanted)` may have something. */
  waitMs(wanted: number): number {
    return Math.max(1, Math.ceil((Math.min(wanted, this.#quantum) - this.#tokens) / this.#perMs));
  }
}
