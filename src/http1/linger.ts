/**
 * Closing so that the last response arrives (RFC 9112 §9.6): a socket that is closed with bytes unread is reset, and a
 * reset can destroy a response that the client has not read yet. So the writing half is closed first, and what the
 * client still sends is thrown away for a while.
 * @module
 */
import type { Conn } from "../net/mod.ts";
import { settlesWithin } from "../timing.ts";
import type { BufferBody } from "./body.ts";
import type { ReadBuffer } from "./read_buffer.ts";

/** A client that has the response stops sending soon; after this its socket may be reset. */
const LINGER_MS = 1_000;
/** … or after this much, so that an endless upload is not read to its end for nothing. */
const LINGER_BYTES = 1024 * 1024;
/** The rest of a request body that is read for the sake of the next request on the connection. */
const DRAIN_BYTES = 64 * 1024;
/** A body that stops for longer is not waited for. */
const DRAIN_MS = 500;

/** Ends the writing half, discards what still comes (bounded), closes. Never rejects. */
export async function lingeringClose(conn: Conn, buffer: ReadBuffer): Promise<void> {
  try {
    await conn.closeWrite();
    const until = performance.now() + LINGER_MS;
    let discarded = 0;
    for (;;) {
      discarded += buffer.length;
      buffer.start = buffer.end;
      const left = until - performance.now();
      if (buffer.finished || discarded > LINGER_BYTES || left <= 0) break;
      if (!await settlesWithin(left, buffer.read())) break;
    }
  } catch {
    // The client is gone already.
  }
  conn.close();
}

/** Reads the rest of a body that nobody wanted; false when it is too long, too slow or broken. */
export async function drain(body: BufferBody): Promise<boolean> {
  const until = performance.now() + DRAIN_MS;
  let drained = 0;
  try {
    for (;;) {
      const piece = body.take();
      if (piece === null) return true;
      if (piece !== undefined) {
        drained += piece.length;
        if (drained > DRAIN_BYTES) return false;
      } else if (!await settlesWithin(Math.max(1, until - performance.now()), body.fill())) return false;
    }
  } catch {
    return false;
  }
}
