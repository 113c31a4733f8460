/**
 * Sends a message on a stream: head, DATA as the pieces come, END_STREAM on the last frame that is known to be the last
 * (RFC 9113 §8.1). The same for requests and responses.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "../streams/mod.ts";
import { resetCode } from "./errors.ts";
import { trailerFields } from "./field_rules.ts";
import type { Stream } from "./stream.ts";

/**
 * Resolves when the connection has taken all of it. Rejects when the body or the stream broke; the stream is then reset,
 * so that the peer sees the cut, and the body is cancelled.
 */
export async function sendMessage(stream: Stream, fields: () => string[], body: Body | null): Promise<void> {
  try {
    // A body that has already ended needs no DATA frame.
    let piece = body === null ? null : body.take();
    const bodyless = piece === null && trailersOf(body).length === 0;
    const headWritten = stream.sendHead(fields(), bodyless);
    if (headWritten !== undefined) await headWritten;
    if (body !== null && !bodyless) {
      for (; piece !== null; piece = body.take()) {
        // One piece, one frame (or more when it is too large for one): never joined, never held back.
        const written = piece === undefined ? stream.wait(body.fill()) : stream.sendData(piece);
        if (written !== undefined) await written;
      }
      const trailers = trailersOf(body);
      if (trailers.length > 0) {
        const written = stream.sendHead(trailers, true);
        if (written !== undefined) await written;
      } else stream.sendEnd();
    }
  } catch (thrown) {
    const error = WeirError.from(thrown, "weir", "internal", "Sending over HTTP/2 failed");
    stream.reset(resetCode(error, stream.owner.peer), error);
    body?.cancel(error);
    throw error;
  }
  await stream.owner.flushed();
}

/** What is left of the trailers without the fields that may not be sent; nothing left needs no HEADERS. */
function trailersOf(body: Body | null): string[] {
  return trailerFields(body?.trailers ?? []);
}
