/**
 * A body on its way through weir.
 *
 * `Body` is a pull source: pieces that are already in memory are taken without a promise, and only waiting is
 * asynchronous. A body that nobody looks at goes from the parser to the serialiser in this form. Everything
 * that looks at, changes or keeps a body is a `TransformStream`; `readableOf` and `bodyOf` (in
 * `./convert.ts`) are the two doors.
 *
 * This is plainer than making every body a `ReadableStream`: the same backpressure (nothing is read before it
 * is asked for), chunk boundaries that survive, and no promise per piece on the path that only forwards.
 * @module
 */
import type { WeirError } from "../errors.ts";

/** The bytes of one message, in order, once. */
export interface Body {
  /** Bytes in the whole body as declared by its framing; null when only the end will tell. */
  readonly size: number | null;
  /**
   * True when pieces have boundaries that mean something: chunks (RFC 9112 §7.1), DATA frames (RFC 9113
   * §6.1).
   */
  readonly chunked: boolean;
  /**
   * The next piece if one is here: never empty, valid until the next `take` or `fill`. `undefined`: none yet,
   * call `fill`. `null`: the body has ended, cleanly. Throws {@linkcode WeirError} when the body was cut
   * short or broken.
   */
  take(): Uint8Array | null | undefined;
  /** Resolves when `take` has something to say. Rejects with {@linkcode WeirError}. One at a time. */
  fill(): Promise<void>;
  /**
   * How many bytes of the current wire chunk follow the piece that was last taken; 0 when the piece ended its
   * chunk (always 0 when not `chunked`).
   */
  readonly chunkLeft: number;
  /** Trailer fields (RFC 9110 §6.5) as name, value, name, value, …; known once `take` gave null. */
  readonly trailers: string[] | null;
  /** Nobody will take the rest: frees the source (it is told why) and lets it stop its peer. Idempotent. */
  cancel(reason: WeirError): void;
}
