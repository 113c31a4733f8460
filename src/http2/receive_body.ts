/**
 * The receiving side of a stream: DATA payloads wait here, whole, until they are taken (RFC 9113 §6.1, §6.9).
 *
 * What it may hold is bounded by the window that the stream has given to its peer, and credit for more is given when a
 * piece is taken: flow control is the backpressure. Payloads are packed behind each other, each with a length of two
 * bytes, so that even a window full of one-byte frames costs three times its size at most.
 * @module
 */
import type { WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import { Loans } from "../net/mod.ts";
import type { Body } from "../streams/mod.ts";
import { MAX_FRAME_SIZE } from "./frames.ts";

const LENGTH_BYTES = 2;
/** Two full frames: a smaller slab would hold one only, a larger one costs more for the many short bodies. */
const SLAB_SIZE = 2 * (MAX_FRAME_SIZE + LENGTH_BYTES);
/** The first slab of a body that begins with less: a hundred streams of a byte each must not cost megabytes. */
const SMALL_SLAB_SIZE = 1024;
/** Slabs kept for reuse (4 MiB and 256 KiB): what a few busy connections need, so that a large body makes no garbage. */
const large = new Loans(SLAB_SIZE, 128);
const small = new Loans(SMALL_SLAB_SIZE, 256);

interface Slab {
  readonly bytes: Uint8Array<ArrayBuffer>;
  read: number;
  write: number;
}

/** Called with the bytes that were taken. */
type OnTaken = (count: number) => void;

/** The body of a message that arrives as DATA frames. */
export class ReceiveBody implements Body {
  size: number | null = null;
  readonly chunked = true;
  readonly chunkLeft = 0;
  trailers: string[] | null = null;
  readonly #onTaken: OnTaken;
  readonly #onCancelled: (reason: WeirError) => void;
  readonly #slabs: Slab[] = [];
  #ended = false;
  #cancelled: WeirError | null = null;
  #error: WeirError | null = null;
  readonly #wakeup = new Wakeup();

  constructor(onTaken: OnTaken, onCancelled: (reason: WeirError) => void) {
    this.#onTaken = onTaken;
    this.#onCancelled = onCancelled;
  }

  /** Why nobody wants the rest, or null. */
  get cancelled(): WeirError | null {
    return this.#cancelled;
  }

  /** One payload, not empty and at most MAX_FRAME_SIZE. It is copied. */
  push(payload: Uint8Array): void {
    if (this.#cancelled !== null || this.#error !== null) return;
    let slab = this.#slabs.at(-1);
    const size = LENGTH_BYTES + payload.length;
    if (slab === undefined || slab.write + size > slab.bytes.length) {
      const loans = slab === undefined && size <= SMALL_SLAB_SIZE ? small : large;
      slab = { bytes: loans.borrow(), read: 0, write: 0 };
      this.#slabs.push(slab);
    }
    slab.bytes[slab.write] = payload.length >> 8;
    slab.bytes[slab.write + 1] = payload.length;
    slab.bytes.set(payload, slab.write + LENGTH_BYTES);
    slab.write += size;
    this.#wakeup.wake();
  }

  /** END_STREAM was received. */
  end(trailers: string[] | null): void {
    this.#ended = true;
    this.trailers = trailers;
    this.#wakeup.wake();
  }

  /** The stream broke; what has arrived before can still be taken. */
  fail(error: WeirError): void {
    if (this.#ended || this.#error !== null) return;
    this.#error = error;
    this.#wakeup.wake();
  }

  take(): Uint8Array | null | undefined {
    this.#free();
    const slab = this.#slabs[0];
    if (slab !== undefined && slab.read < slab.write) {
      const length = slab.bytes[slab.read] << 8 | slab.bytes[slab.read + 1];
      const start = slab.read + LENGTH_BYTES;
      slab.read = start + length;
      this.#onTaken(length);
      return slab.bytes.subarray(start, start + length);
    }
    if (this.#error !== null) throw this.#error;
    return this.#ended ? null : undefined;
  }

  fill(): Promise<void> {
    const slab = this.#slabs[0];
    const waiting = slab !== undefined && (slab.read < slab.write || this.#slabs.length > 1);
    if (waiting || this.#ended || this.#error !== null) return Promise.resolve();
    return this.#wakeup.wait();
  }

  cancel(reason: WeirError): void {
    if (this.#cancelled !== null || (this.#ended && this.#slabs.length === 0)) return;
    this.#cancelled = reason;
    // Someone may still hold a piece of a slab, so they are left to the garbage collector.
    this.#slabs.length = 0;
    this.#error ??= reason;
    this.#wakeup.wake();
    this.#onCancelled(reason);
  }

  /** Gives back the slab that the last piece came from, when it has no more. */
  #free(): void {
    const slab = this.#slabs[0];
    if (slab === undefined || slab.read < slab.write) return;
    this.#slabs.shift();
    (slab.bytes.length === SLAB_SIZE ? large : small).giveBack(slab.bytes);
  }
}
