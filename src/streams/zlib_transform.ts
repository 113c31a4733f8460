/**
 * One of node's (de)compressors as a source of pieces. Output is made on demand, so that a chunk that unfolds to gigabytes waits
 * inside zlib.
 *
 * node's streams would make a promise and a buffer for each piece, which is garbage faster than it is collected: it is driven
 * directly, into one buffer.
 * @module
 */
import zlib from "node:zlib";
import { EMPTY } from "./bytes.ts";
import { NativeZlib } from "./native_zlib.ts";

/** What one step gives at most. */
const PIECE = 64 * 1024;

/** What a machine is told behind its input: to give all that it can, or that there is no more. */
export interface Flush {
  readonly piece: number;
  readonly end: number;
}

const { Z_SYNC_FLUSH, Z_FINISH, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH, ZSTD_e_flush, ZSTD_e_end } =
  zlib.constants;
/** zlib's own. */
export const ZLIB_FLUSH: Flush = { piece: Z_SYNC_FLUSH, end: Z_FINISH };
/** Brotli's (decoders take either). */
export const BROTLI_FLUSH: Flush = { piece: BROTLI_OPERATION_FLUSH, end: BROTLI_OPERATION_FINISH };
/** zstd's. */
export const ZSTD_FLUSH: Flush = { piece: ZSTD_e_flush, end: ZSTD_e_end };

/** Drives one (de)compressor. What it gives are views that are valid until the next is asked for. */
export class ZlibTransform {
  /** Bytes of its input that it has used: not those behind its end. */
  used = 0;
  readonly #native: NativeZlib;
  readonly #flush: Flush;

  constructor(stream: zlib.Zlib, flush: Flush = ZLIB_FLUSH) {
    this.#native = new NativeZlib(stream, new Uint8Array(PIECE));
    this.#flush = flush;
  }

  /** What comes out for bytes that go in. @throws {Error} what the machine says of bytes that are not its own. */
  write(input: Uint8Array): Generator<Uint8Array, void> {
    return this.#run(input, this.#flush.piece);
  }

  /** What comes out when nothing more goes in. */
  end(): Generator<Uint8Array, void> {
    return this.#run(EMPTY, this.#flush.end);
  }

  *#run(input: Uint8Array, flush: number): Generator<Uint8Array, void> {
    const native = this.#native;
    for (let at = 0;;) {
      const piece = native.step(input, at, flush);
      const hasMoved = piece.length > 0 || native.at > at;
      this.used += native.at - at;
      at = native.at;
      if (piece.length > 0) yield piece;
      if (native.failed !== null) throw new Error(native.failed);
      // It has room left, and so nothing more to say; or it has ended before its input has.
      if (!native.isFull && at === input.length || !hasMoved) return;
    }
  }

  close(): void {
    this.#native.close();
  }
}
