/**
 * A unit of a body, for those who show it.
 * @module
 */

/** One unit of a body. */
export interface BodyUnit {
  /**
   * `rest` is what lies between units and says something: comments, lines that are no JSON, a preamble, an
   * end that is cut off.
   */
  readonly kind: "event" | "value" | "message" | "part" | "trailers" | "rest";
  /** The event's type, the part's name; empty for what has none. */
  readonly name: string;
  /** What else its head says: an id, a file's name, a coding. */
  readonly about: string;
  /** Where it begins in the body. */
  readonly at: number;
  /** How many bytes it has there. */
  readonly size: number;
  /** What it says: the data of an event, a message decompressed, the content of a part. */
  readonly content: Uint8Array;
  /** Not all of the content is there. */
  readonly isCut: boolean;
  /** The type of a part's content; null where the kind tells. */
  readonly type: string | null;
}

/** Reads the units of one body. What it gives must be read to its end before the next call. */
export interface UnitReader {
  /** The next piece of the body, decoded. Once the body is not what its type says, all of it is `rest`. */
  push(piece: Uint8Array): Iterable<BodyUnit>;
  /** The body has ended. */
  end(): Iterable<BodyUnit>;
}
