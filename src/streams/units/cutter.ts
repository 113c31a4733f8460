/**
 * Cutting a body into its units (events, lines, messages) as it comes, without any I/O.
 *
 * What a cutter gives, put together, is what went in, byte for byte: units with the bytes that they were read
 * from, and what lies between them. What it holds is the part of a unit that is not whole yet, and never more
 * than its bound.
 * @module
 */

/** A stretch of a body. */
export interface Segment<U> {
  /** As they came. Valid until the next `push`. */
  readonly bytes: Uint8Array;
  /** What the bytes say; null for what is no unit. */
  readonly unit: U | null;
  /**
   * The bytes are the end of the unit before them, which was given out without them: no line is to be had
   * from them.
   */
  readonly isTail?: boolean;
}

/** Cuts one body. Its iterators are read to their end before the next call. */
export interface Cutter<U> {
  /**
   * Takes the next piece of the body; gives what it decides.
   * @throws {WeirError} `limit` when a unit passes the bound, `protocol` when the body is not what it says.
   */
  push(piece: Uint8Array): Iterable<Segment<U>>;
  /** The body has ended; gives what was held. @throws {WeirError} `protocol` where the body must not end. */
  end(): Iterable<Segment<U>>;
}
