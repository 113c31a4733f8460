/** What is wrong with a header block (RFC 7541); the connection ends with COMPRESSION_ERROR (RFC 9113 §4.3). @module */

/** A header block that cannot be decoded. */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
