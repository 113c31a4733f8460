/**
 * The three bodies of HTTP/1 (RFC 9112 §6, §7) over a read buffer: by content-length, chunked, until close.
 *
 * Pieces are views into the read buffer: nothing is copied, and what is already in memory costs no promise.
 * @module
 */
import type { Body } from "../streams/mod.ts";
import type { WeirError } from "../errors.ts";
import { ChunkedDecoder } from "./chunked.ts";
import type { BodyLength } from "./framing.ts";
import type { ReadBuffer } from "./read_buffer.ts";
import { cut } from "./refusal.ts";

/** Told once that a body is over: null when it ended cleanly, else why it did not. */
export type BodyEnd = (error: WeirError | null) => void;

/** The body of `length` that comes next on `buffer`; `length` is not 0. `lenient` is for its trailers. */
export function incomingBody(
  buffer: ReadBuffer,
  length: BodyLength,
  onEnd: BodyEnd,
  options: { lenient?: boolean } = {},
): BufferBody {
  if (length === "chunked") return new ChunkedBody(buffer, onEnd, options);
  if (length === "close") return new CloseBody(buffer, onEnd);
  return new LengthBody(buffer, length, onEnd);
}

/** What the three have in common: the buffer, and ending once. */
export abstract class BufferBody implements Body {
  readonly size: number | null = null;
  readonly chunked: boolean = false;
  protected readonly buffer: ReadBuffer;
  #onEnd: BodyEnd;
  #error: WeirError | null = null;
  #over = false;
  /** Something of the body has been taken. */
  touched = false;

  constructor(buffer: ReadBuffer, onEnd: BodyEnd) {
    this.buffer = buffer;
    this.#onEnd = onEnd;
  }

  get chunkLeft(): number {
    return 0;
  }

  get trailers(): string[] | null {
    return null;
  }

  /** The body has ended, cleanly or not. */
  get over(): boolean {
    return this.#over;
  }

  take(): Uint8Array | null | undefined {
    if (this.#error !== null) throw this.#error;
    if (this.#over) return null;
    try {
      const piece = this.next();
      if (piece === null) this.#end(null);
      else if (piece !== undefined) this.touched = true;
      return piece;
    } catch (thrown) {
      this.#end(thrown as WeirError);
      throw thrown;
    }
  }

  async fill(): Promise<void> {
    while (!this.#over && !this.ready()) await this.buffer.read();
  }

  cancel(reason: WeirError): void {
    if (!this.#over) this.#end(reason);
  }

  /** The next piece, null at the clean end, undefined when more must be read. Throws only `WeirError`. */
  protected abstract next(): Uint8Array | null | undefined;

  /** True when `next` would not give undefined. */
  protected ready(): boolean {
    return this.buffer.length > 0 || this.buffer.finished;
  }

  /** Up to `most` unread bytes as a view. */
  protected view(most: number): Uint8Array {
    const { buffer } = this;
    const from = buffer.start;
    buffer.start = Math.min(buffer.end, from + most);
    return buffer.bytes.subarray(from, buffer.start);
  }

  /** The error for a connection that ended too early, `missing` says what should have come. */
  protected cut(missing: string): WeirError {
    const { buffer } = this;
    const who = buffer.side === "client" ? "The client" : "The server";
    return buffer.error ?? cut(buffer.side, `${who} closed its connection ${missing}.`);
  }

  #end(error: WeirError | null): void {
    this.#over = true;
    this.#error = error;
    this.#onEnd(error);
  }
}

/** RFC 9112 §6.3 rule 6. */
class LengthBody extends BufferBody {
  override readonly size: number;
  #left: number;

  constructor(buffer: ReadBuffer, size: number, onEnd: BodyEnd) {
    super(buffer, onEnd);
    this.size = this.#left = size;
  }

  protected next(): Uint8Array | null | undefined {
    if (this.#left === 0) return null;
    const { buffer } = this;
    if (buffer.length === 0) {
      if (buffer.finished) throw this.cut(`${this.#left} bytes before the end of the body`);
      return undefined;
    }
    const piece = this.view(this.#left);
    this.#left -= piece.length;
    return piece;
  }

  protected override ready(): boolean {
    return this.#left === 0 || super.ready();
  }
}

/** RFC 9112 §7.1. */
class ChunkedBody extends BufferBody {
  override readonly chunked = true;
  readonly #decoder: ChunkedDecoder;
  #broken: WeirError | null = null;

  constructor(buffer: ReadBuffer, onEnd: BodyEnd, options: { lenient?: boolean }) {
    super(buffer, onEnd);
    this.#decoder = new ChunkedDecoder(buffer.side, options);
  }

  override get chunkLeft(): number {
    return this.#decoder.left;
  }

  override get trailers(): string[] | null {
    return this.#decoder.trailers;
  }

  protected next(): Uint8Array | null | undefined {
    const decoder = this.#decoder;
    if (!this.ready()) return undefined;
    if (this.#broken !== null) throw this.#broken;
    if (decoder.done) return null;
    if (this.buffer.length === 0) throw this.cut("before the last chunk");
    const piece = this.view(decoder.left);
    decoder.taken(piece.length);
    return piece;
  }

  /** Reads framing up to the next data; a mistake in it is kept for `next`, so that waiting never throws. */
  protected override ready(): boolean {
    const { buffer } = this, decoder = this.#decoder;
    if (this.#broken !== null) return true;
    try {
      if (!decoder.inData) buffer.start = decoder.advance(buffer.bytes, buffer.start, buffer.end);
    } catch (thrown) {
      this.#broken = thrown as WeirError;
      return true;
    }
    return decoder.done || buffer.length > 0 || buffer.finished;
  }
}

/**
 * RFC 9112 §6.3 rule 8: the end of the connection is the end of the body, unless it was reset, or is one of TLS that
 * nobody signed (§9.8).
 */
class CloseBody extends BufferBody {
  protected next(): Uint8Array | null | undefined {
    const { buffer } = this;
    if (buffer.length > 0) return this.view(buffer.length);
    if (buffer.error !== null) throw buffer.error;
    if (buffer.truncated) {
      throw cut(
        buffer.side,
        "The server's TLS connection ended without close_notify: its body, which ends with it, may be cut.",
      );
    }
    return buffer.ended ? null : undefined;
  }
}
