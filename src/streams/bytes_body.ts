/**
 * Bodies that are in memory, whole or in front of one that is still to come.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";

const RESOLVED = Promise.resolve();

/**
 * A body of known bytes: one piece, or none when empty. `trailers` are name, value, name, value, …. Its size
 * is that of the bytes, or left open, so that it goes out without a length (`isOpen`; also by default when
 * there are trailers).
 */
export function bytesBody(
  bytes: Uint8Array,
  trailers: string[] | null = null,
  isOpen = trailers !== null,
): Body {
  return new BytesBody(bytes, trailers, isOpen);
}

class BytesBody implements Body {
  readonly size: number | null;
  readonly chunked = false;
  readonly chunkLeft = 0;
  readonly trailers: string[] | null;
  #bytes: Uint8Array | null;
  #error: WeirError | null = null;

  constructor(bytes: Uint8Array, trailers: string[] | null, isOpen: boolean) {
    this.size = isOpen ? null : bytes.length;
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

/**
 * `rest` with the pieces in front of it that were taken from it before; size and chunk boundaries are as they
 * were.
 */
export function joinedBody(prefix: Iterable<KeptPiece>, rest: Body): Body {
  return new JoinedBody(prefix[Symbol.iterator](), rest);
}

class JoinedBody extends PassingBody {
  #prefix: Iterator<KeptPiece> | null;
  #chunkLeft = 0;

  constructor(prefix: Iterator<KeptPiece>, rest: Body) {
    super(rest);
    this.#prefix = prefix;
  }

  override get chunkLeft(): number {
    return this.#prefix === null ? this.source.chunkLeft : this.#chunkLeft;
  }

  override take(): Uint8Array | null | undefined {
    if (this.#prefix !== null) {
      const step = this.#prefix.next();
      if (!step.done) {
        this.#chunkLeft = step.value.chunkLeft;
        return step.value.bytes;
      }
      this.#prefix = null;
    }
    return this.source.take();
  }

  override fill(): Promise<void> {
    return this.#prefix === null ? this.source.fill() : RESOLVED;
  }

  override cancel(reason: WeirError): void {
    this.#prefix = null;
    this.source.cancel(reason);
  }
}
