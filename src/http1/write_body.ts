/**
 * A body onto a connection: by length, in chunks (RFC 9112 §7.1) or until close.
 *
 * Pieces that are here are gathered into one write; before anything is waited for, all that was gathered goes out. So
 * nothing is held back and nothing piles up. A body that breaks is never ended cleanly: the caller cuts the connection.
 * @module
 */
import type { Body } from "../streams/mod.ts";
import { WeirError } from "../errors.ts";
import type { Output } from "./output.ts";
import { type BodyMode, serialiseTrailers, type WireHead } from "./serialise.ts";

/** Longest chunk-size line ("1fffffffffffff" and two line breaks). */
const CHUNK_FRAMING = 20;

/** Writes an interim head, or one without a body. */
export async function writeHead(output: Output, head: WireHead): Promise<void> {
  await output.head(head.text, head.lines);
  await output.flush();
}

/**
 * Writes what was gathered (a head) and `body`. Rejects with what the body or the connection threw; the bytes that came
 * before a body broke are written first.
 */
export async function writeBody(output: Output, mode: BodyMode, body: Body): Promise<void> {
  try {
    if (mode === "chunked") await writeChunks(output, body);
    else await writePlain(output, body, mode === "length" ? body.size! : Infinity);
  } catch (thrown) {
    await output.flush().catch(() => {});
    throw thrown;
  }
  await output.flush();
}

/** `size` bytes, or all there are when it is infinite. */
async function writePlain(output: Output, body: Body, size: number): Promise<void> {
  let left = size;
  for (;;) {
    const piece = body.take();
    if (piece === null) break;
    if (piece === undefined) {
      if (output.used > 0) await output.flush();
      await body.fill();
      continue;
    }
    if (piece.length > left) throw wrongSize(`more than the ${size} bytes`);
    left -= piece.length;
    const written = output.add(piece);
    if (written !== undefined) await written;
  }
  if (left > 0 && left !== Infinity) throw wrongSize(`${left} bytes less than the ${size}`);
}

/** Chunks with the source's boundaries: a chunk's size goes out with its first piece, before the rest is here. */
async function writeChunks(output: Output, body: Body): Promise<void> {
  let left = 0;
  for (;;) {
    const piece = body.take();
    if (piece === null) break;
    if (piece === undefined) {
      if (output.used > 0) await output.flush();
      await body.fill();
      continue;
    }
    if (!output.reserve(Math.min(piece.length, 64 * 1024) + CHUNK_FRAMING)) await output.flush();
    if (left === 0) {
      left = piece.length + body.chunkLeft;
      output.reserve(CHUNK_FRAMING);
      output.ascii(`${left.toString(16)}\r\n`);
    }
    if (piece.length > left) throw wrongSize(`more than the ${left} bytes of a chunk`);
    left -= piece.length;
    const written = output.add(piece);
    if (written !== undefined) await written;
    if (left > 0) continue;
    if (!output.reserve(2)) await output.flush(), output.reserve(2);
    output.ascii("\r\n");
  }
  if (left > 0) throw wrongSize(`${left} bytes less than its last chunk`);
  const trailers = serialiseTrailers(body.trailers);
  await output.head(trailers.text, trailers.lines);
}

function wrongSize(what: string): WeirError {
  return new WeirError("weir", "internal", `A body's source gave ${what} that it declared.`);
}
