/**
 * Reading the first bytes of a connection until they tell what protocol it speaks.
 * @module
 */
import type { Conn } from "./conn.ts";

/** Bytes that are read at most: no protocol needs more to be known, and a ClientHello is far smaller. */
export const PEEK_LIMIT = 64 * 1024;
/** First buffer: a ClientHello or request head fits as a rule. */
const PEEK_START = 4 * 1024;

/**
 * Reads until `decided` says so, the peer ends, or {@linkcode PEEK_LIMIT} bytes are here. What was read is to be put
 * back with `prefixed`. Nothing is read when `decided` is true of no bytes; empty at the peer's end.
 */
export async function peek(conn: Conn, decided: (bytes: Uint8Array) => boolean): Promise<Uint8Array> {
  let buffer = new Uint8Array(PEEK_START);
  let length = 0;
  while (length < PEEK_LIMIT && !decided(buffer.subarray(0, length))) {
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(buffer.length * 4, PEEK_LIMIT));
      larger.set(buffer);
      buffer = larger;
    }
    const count = await conn.read(buffer.subarray(length));
    if (count === null) break;
    length += count;
  }
  return buffer.subarray(0, length);
}
