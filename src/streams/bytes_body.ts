/**
 * Bodies that are in memory, whole or in front of one that is still to come.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";

const RESOLVED = Promise.resolve();

/**
 * A body of known bytes: one piece, or none when empty. `trailers` are name, value, name, value, …; with them the size
 * is left open, as framing by length has no room for trailers (RFC 9112 §6.3).
 */
export function bytesBody(bytes: Uint8Array, trailers: string[] | null = null): Body {
  return new BytesBody(bytes, trailers);
}

class BytesBody implements Body {
  readonly size: number | null;
  readonly chunked = false;
  readonly chunkLeft = 0;
  readonly trailers: string[] | null;
  #bytes: Uint8Array | null;
  #error: WeirError | null = null;

  constructor(bytes: Uint8Array, trailers: string[] | null) {
    this.size = trailers === null ? bytes.length : null;
    this.#bytes = bytes.length === 0 ? null : bytes;
    this.trailers = trailers;
  }

  take(): Uint8Array | null {
    if (this.#error !== null) throw this.#error;
    const bytes = this.#bytes;
    this.#bytes = null;
    return bytes;
  }

  fill(): Promise<void> {
    return RESOLVED;
  }

  cancel(reason: WeirError): void {
    if (this.#bytes === null) return;
    this.#bytes = null;
    this.#error = reason;
  }
}

/** A piece that was taken from a body and kept: its bytes, and what `chunkLeft` was after it. */
export interface KeptPiece {
  readonly bytes: Uint8Array;
  readonly chunkLeft: number;
}

/** `rest` with the pieces in front of it that were taken from it before; size and chunk boundaries are as they were. */
export function joinedBody(prefix: Iterable<KeptPiece>, rest: Body): Body {
  return new JoinedBody(prefix[Symbol.iterator](), rest);
}

class JoinedBody implements Body {
  #prefix: Iterator<KeptPiece> | null;
  readonly #rest: Body;
  #chunkLeft = 0;

  constructor(prefix: Iterator<KeptPiece>, rest: Body) {
    this.#prefix = prefix;
    this.#rest = rest;
  }

  get size(): number | null {
    return this.#rest.size;
  }

  get chunked(): boolean {
    return this.#rest.chunked;
  }

  get chunkLeft(): number {
    return this.#prefix === null ? this.#rest.chunkLeft : this.#chunkLeft;
  }

  get trailers(): string[] | null {
    return this.#rest.trailers;
  }

  take(): Uint8Array | null | undefined {
    if (this.#prefix !== null) {
      const step = this.#prefix.next();
      if (!step.done) {
        this.#chunkLeft = step.value.chunkLeft;
        return step.value.bytes;
      }
      this.#prefix = null;
    }
    return this.#rest.take();
  }

  fill(): Promise<void> {
    return this.#prefix === null ? this.#rest.fill() : RESOLVED;
  }

  cancel(reason: WeirError): void {
    this.#prefix = null;
    this.#rest.cancel(reason);
  }
}
