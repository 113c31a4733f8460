/**
 * What is wrong with a file, and where.
 * @module
 */

/** A file that cannot be read on: `message` begins with the place, "at byte 1234: …". What came before it was whole. */
export class FormatError extends Error {
  /** Always "FormatError". */
  override readonly name = "FormatError";
  /** The byte, counted from 0, at which what is wrong begins. */
  readonly offset: number;

  /** `what` says what is wrong there. */
  constructor(offset: number, what: string, options?: { cause?: unknown }) {
    super(`at byte ${offset}: ${what}`, options);
    this.offset = offset;
  }
}
