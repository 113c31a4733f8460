/**
 * `throttleStream`: a body at a rate.
 * @module
 */
import { TokenBucket } from "./token_bucket.ts";
import { Valve, valved } from "./valve.ts";

/** Options of {@linkcode throttleStream}. */
export interface ThrottleOptions {
  /** Bytes that may go at once after a pause (default: 64 KiB or 100 ms' worth, whichever is more). */
  burst?: number;
}

/**
 * Lets so many bytes per second through; 0 is no limit. A {@linkcode TokenBucket} is shared by all bodies
 * that were given it.
 *
 * @example
 * ```ts
 * import { throttleStream } from "weir";
 *
 * const began = Date.now(), source = new Response("x".repeat(3000)).body!;
 * const stage = throttleStream(50_000, { burst: 1000 });
 * const { length } = await new Response(source.pipeThrough(stage)).text();
 * if (length !== 3000 || Date.now() - began < 35) throw new Error(`${length} bytes`);
 * ```
 *
 * @throws {TypeError} on a rate or a burst that is none.
 */
export function throttleStream(
  rate: number | TokenBucket,
  options: ThrottleOptions = {},
): TransformStream<Uint8Array, Uint8Array> {
  const valve = new Valve();
  if (rate instanceof TokenBucket) valve.bucket = rate;
  else if (rate !== 0) valve.bucket = new TokenBucket(rate, options.burst);
  return valved({ valve });
}
