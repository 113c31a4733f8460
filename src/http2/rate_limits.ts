/**
 * What a peer may do that costs it little and weir much, and how often (RFC 9113 §10.5). One leaky bucket for each kind:
 * `burst` at once, then `perSecond`. The connection that does more is closed with ENHANCE_YOUR_CALM; others go on.
 * @module
 */
import { Code, ConnectionError } from "./errors.ts";

const KINDS = {
  /**
   * Streams that end by RST_STREAM, sent by the peer or caused by its faults (CVE-2023-44487, CVE-2025-8671). A browser
   * that leaves a page resets what is open, at most MAX_CONCURRENT_STREAMS; the numbers are nghttp2's.
   */
  reset: { burst: 1000, perSecond: 33 },
  /** Each must be acknowledged (CVE-2019-9515). Nobody changes settings often. */
  settings: { burst: 100, perSecond: 10 },
  /** Each must be answered (CVE-2019-9512). gRPC measures the bandwidth with one for each round trip. */
  ping: { burst: 1000, perSecond: 200 },
  /** DATA without bytes and without END_STREAM (CVE-2019-9518). */
  "empty data": { burst: 1000, perSecond: 33 },
  /** Ignored, but not for free (CVE-2019-9513). */
  priority: { burst: 1000, perSecond: 100 },
} as const;

/** A kind of thing that is counted. */
export type LimitedKind = keyof typeof KINDS;

/** Counts for one connection. */
export class RateLimits {
  readonly #levels = new Map<LimitedKind, { level: number; at: number }>();
  readonly #now: () => number;

  /** @param now milliseconds, monotonic */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @throws {ConnectionError} when it was once too often. */
  count(kind: LimitedKind): void {
    const now = this.#now(), { burst, perSecond } = KINDS[kind];
    const bucket = this.#levels.get(kind);
    if (bucket === undefined) {
      this.#levels.set(kind, { level: 1, at: now });
      return;
    }
    bucket.level = Math.max(0, bucket.level - (now - bucket.at) / 1000 * perSecond) + 1;
    bucket.at = now;
    if (bucket.level > burst) {
      throw new ConnectionError(
        Code.ENHANCE_YOUR_CALM,
        `More than ${burst} times at once: ${kind}, or more than ${perSecond} times a second.`,
      );
    }
  }
}
