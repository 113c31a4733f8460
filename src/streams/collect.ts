/**
 * Buffering: a body read to its end, or until it turns out to be too much to hold and is streamed after all.
 * @module
 */
import type { Body } from "./body.ts";
import { joinedBody, type KeptPiece } from "./bytes_body.ts";

/**
 * Chunk boundaries that are remembered while a body is collected, 8 bytes each. Beyond that, chunks are
 * joined if the body is streamed after all: a body of so many tiny ones must not cost many times its size.
 */
const MAX_BOUNDARIES = 256 * 1024;
/** Pieces of what was collected, when it goes out after all. */
const REPLAY_PIECE = 256 * 1024;

/** When to stop collecting. */
export interface CollectLimits {
  /** More bytes than this are not held. */
  switchAt: number;
  /**
   * Told the length of every piece before it is kept; false stops collecting now (the piece is kept all the
   * same).
   */
  onBytes?: (count: number) => boolean | void;
}

/** A whole body, or one that goes on: what was read is at its start, `held` bytes of it. */
export type Collected =
  | { readonly kind: "whole"; readonly bytes: Uint8Array<ArrayBuffer>; readonly trailers: string[] | null }
  | { readonly kind: "overflow"; readonly rest: Body; readonly held: number };

/**
 * Reads `body` until its end or until more than `limits.switchAt` bytes have come. The bytes belong to the
 * caller.
 *
 * Rejects with the body's own error when that was cut short.
 */
export async function collect(body: Body, limits: CollectLimits): Promise<Collected> {
  const { switchAt, onBytes } = limits;
  const kept = new Kept(body, switchAt);
  // A declared size that is too much is known to be so before anything is read.
  if (body.size !== null && body.size > switchAt) return { kind: "overflow", rest: body, held: 0 };
  for (;;) {
    const piece = body.take();
    if (piece === undefined) {
      await body.fill();
      continue;
    }
    if (piece === null) return { kind: "whole", bytes: kept.bytes(), trailers: body.trailers };
    const go = onBytes?.(piece.length) !== false;
    kept.add(piece, body.chunkLeft);
    if (!go || kept.length > switchAt) {
      return { kind: "overflow", rest: joinedBody(kept.pieces(), body), held: kept.length };
    }
  }
}

/** What was collected, in one buffer, and where in it wire chunks end. */
class Kept {
  length = 0;
  readonly #body: Body;
  readonly #most: number;
  /** Null before the first piece. */
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  /** Null where there are none. */
  #ends: number[] | null = null;
  #chunkLeft = 0;

  constructor(body: Body, switchAt: number) {
    this.#body = body;
    this.#most = Math.min(body.size ?? switchAt, switchAt);
  }

  add(piece: Uint8Array, chunkLeft: number): void {
    const end = this.length + piece.length;
    if (this.#buffer === null) this.#buffer = new Uint8Array(piece);
    else {
      if (end > this.#buffer.length) this.#buffer = this.#grown(this.#buffer, end);
      this.#buffer.set(piece, this.length);
    }
    this.length = end;
    this.#chunkLeft = chunkLeft;
    if (chunkLeft !== 0 || !this.#body.chunked) return;
    this.#ends ??= [];
    if (this.#ends.length < MAX_BOUNDARIES) this.#ends.push(end);
  }

  /**
   * Exactly the first piece, then by doubling, up to what may come: a declared length is cheap to claim, so
   * memory follows what has come.
   */
  #grown({ buffer, length }: Uint8Array<ArrayBuffer>, needed: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(buffer.transfer(Math.max(needed, Math.min(length * 2, this.#most))));
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const buffer = this.#buffer ??= new Uint8Array(0);
    if (buffer.length === this.length) return buffer;
    return this.#buffer = new Uint8Array(buffer.buffer.transfer(this.length));
  }

  /** The pieces, for going out after all, cut where wire chunks ended. */
  *pieces(): Generator<KeptPiece> {
    const chunked = this.#body.chunked, buffer = this.#buffer, ends = this.#ends ?? [];
    let start = 0;
    for (let i = 0; start < this.length; i++) {
      const end = ends[i] ?? this.length;
      const after = i < ends.length ? 0 : this.#chunkLeft;
      for (; start < end; start += REPLAY_PIECE) {
        const bytes = buffer!.subarray(start, Math.min(end, start + REPLAY_PIECE));
        yield { bytes, chunkLeft: chunked ? end - start - bytes.length + after : 0 };
      }
      start = end;
    }
  }
}
