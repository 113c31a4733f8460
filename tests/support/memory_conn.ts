/**
 * Two connected in-memory `Conn`s for tests: bounded buffers (so that backpressure is real), half-close, reset, and
 * delivery whole, byte by byte or at random splits.
 *
 * It is as unkind as TCP: closing with unread bytes, or writing to an end that is closed, resets the connection, and
 * a reset throws away what the peer has not read yet.
 *
 * ```ts
 * const [client, server] = memoryConnPair({ split: byteByByte });
 * await client.writeText("GET / HTTP/1.1\r\n\r\n");
 * await server.readUntil("\r\n\r\n");
 * ```
 * @module
 */
import type { Address, Conn, TlsInfo } from "../../src/net/conn.ts";

/** Says how many of the `available` bytes (at least 1) one read gives. */
export type Split = (available: number) => number;

/** As much as fits. */
export const whole: Split = (available) => available;
/** One byte for each read. */
export const byteByByte: Split = () => 1;
/** Counts taken in turn from a list, for fast-check: `fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })`. */
export function splitBy(counts: readonly number[]): Split {
  let turn = 0;
  return () => Math.max(1, counts[turn++ % counts.length]);
}

export interface MemoryConnOptions {
  /** Bytes that each direction holds before `write` waits (default 64 KiB). */
  capacity?: number;
  /** How the bytes are split into reads, both directions (default {@linkcode whole}). */
  split?: Split;
  tls?: TlsInfo;
}

/** A connected pair; what is written to one is read from the other. */
export function memoryConnPair(options: MemoryConnOptions = {}): [MemoryConn, MemoryConn] {
  const capacity = options.capacity ?? 64 * 1024;
  const there = new Pipe(capacity), back = new Pipe(capacity);
  const split = options.split ?? whole;
  const a = new MemoryConn(back, there, split, 50001, 50002, options.tls ?? null);
  const b = new MemoryConn(there, back, split, 50002, 50001, options.tls ?? null);
  return [a, b];
}

/** One direction: a ring of bytes with one reader and one writer waiting at most. */
class Pipe {
  readonly #ring: Uint8Array;
  #start = 0;
  length = 0;
  /** The writer has sent its end. */
  ended = false;
  /** The reader has closed: writing resets. */
  readerClosed = false;
  error: Error | null = null;
  #changed: (() => void)[] = [];
  #full = Promise.withResolvers<void>();

  constructor(capacity: number) {
    this.#ring = new Uint8Array(capacity);
  }

  push(bytes: Uint8Array): number {
    const room = this.#ring.length - this.length;
    const count = Math.min(room, bytes.length);
    const at = (this.#start + this.length) % this.#ring.length;
    const first = Math.min(count, this.#ring.length - at);
    this.#ring.set(bytes.subarray(0, first), at);
    this.#ring.set(bytes.subarray(first, count), 0);
    this.length += count;
    if (count > 0) this.notify();
    return count;
  }

  /** Resolves when a write waits for room, or waits already. */
  get full(): Promise<void> {
    return this.#full.promise;
  }

  /** A write waits until the reader has made room. */
  async room(): Promise<void> {
    this.#full.resolve();
    await this.changed();
    this.#full = Promise.withResolvers();
  }

  shift(into: Uint8Array, count: number): number {
    const first = Math.min(count, this.#ring.length - this.#start);
    into.set(this.#ring.subarray(this.#start, this.#start + first));
    into.set(this.#ring.subarray(0, count - first), first);
    this.#start = (this.#start + count) % this.#ring.length;
    this.length -= count;
    this.notify();
    return count;
  }

  fail(error: Error): void {
    this.error ??= error;
    this.length = 0;
    this.notify();
  }

  notify(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const wake of waiting) wake();
  }

  changed(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }
}

/** One end of a pair, with a few helpers to write and to read transcripts. */
export class MemoryConn implements Conn {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly tls: TlsInfo | null;
  /** What happened to this end, for assertions. */
  closed = false;
  wasReset = false;
  /** As it would be over TLS; a test sets it. */
  truncated = false;
  writeEnded = false;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #in: Pipe;
  readonly #out: Pipe;
  readonly #split: Split;
  #reading = false;
  #writing = false;
  #pending = new Uint8Array(0);

  constructor(
    inbound: Pipe,
    outbound: Pipe,
    split: Split,
    port: number,
    peerPort: number,
    tls: TlsInfo | null,
  ) {
    this.#in = inbound;
    this.#out = outbound;
    this.#split = split;
    this.localAddr = { hostname: "127.0.0.1", port };
    this.remoteAddr = { hostname: "127.0.0.1", port: peerPort };
    this.tls = tls;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#reading) throw new Error("A read is already under way on this connection.");
    if (into.length === 0) throw new Error("A read into an empty buffer makes no progress.");
    this.#reading = true;
    try {
      // Always at least one turn, as a socket would.
      await Promise.resolve();
      for (;;) {
        if (this.#in.error !== null) throw this.#in.error;
        if (this.closed) throw new Deno.errors.BadResource("The connection was closed here.");
        if (this.#in.length > 0) {
          const available = Math.min(this.#in.length, into.length);
          const count = Math.min(available, Math.max(1, this.#split(available)));
          this.bytesRead += count;
          return this.#in.shift(into, count);
        }
        if (this.#in.ended) return null;
        await this.#in.changed();
      }
    } finally {
      this.#reading = false;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#writing) throw new Error("A write is already under way on this connection.");
    this.#writing = true;
    try {
      await Promise.resolve();
      let rest = bytes;
      for (;;) {
        if (this.#out.error !== null) throw this.#out.error;
        if (this.closed || this.writeEnded) throw new Deno.errors.BrokenPipe("Written after the end.");
        if (this.#out.readerClosed) {
          const error = new Deno.errors.BrokenPipe("The peer has closed its connection.");
          this.#fail(error);
          throw error;
        }
        if (rest.length === 0) return;
        const count = this.#out.push(rest);
        this.bytesWritten += count;
        rest = rest.subarray(count);
        if (rest.length > 0) await this.#out.room();
      }
    } finally {
      this.#writing = false;
    }
  }

  async closeWrite(): Promise<void> {
    await Promise.resolve();
    if (this.#out.error !== null) throw this.#out.error;
    this.writeEnded = true;
    this.#out.ended = true;
    this.#out.notify();
  }

  close(): void {
    if (this.closed) return;
    if (this.#in.length > 0) return this.reset();
    this.closed = true;
    this.#out.ended = true;
    this.#in.readerClosed = true;
    this.#out.notify();
    this.#in.notify();
  }

  reset(): void {
    if (this.closed) return;
    this.closed = true;
    this.wasReset = true;
    this.#fail(new Deno.errors.ConnectionReset("Connection reset by peer."));
  }

  /** Resolves when the peer's write is stuck: it has sent all that fits, and nobody reads here. */
  get peerStuck(): Promise<void> {
    return this.#in.full;
  }

  #fail(error: Error): void {
    this.#in.fail(error);
    this.#out.fail(error);
  }

  /** Writes Latin-1 text. */
  writeText(text: string): Promise<void> {
    return this.write(Uint8Array.from(text, (char) => char.charCodeAt(0)));
  }

  /** Reads Latin-1 text up to and with `end`; what follows stays for the next call. Throws at the peer's end. */
  async readUntil(end: string): Promise<string> {
    for (;;) {
      const text = latin1(this.#pending);
      const at = text.indexOf(end);
      if (at !== -1) {
        this.#pending = this.#pending.slice(at + end.length);
        return text.slice(0, at + end.length);
      }
      if (!await this.#more()) {
        throw new Error(`End before ${JSON.stringify(end)}; read: ${JSON.stringify(latin1(this.#pending))}`);
      }
    }
  }

  /** Reads exactly `count` bytes. */
  async readExactly(count: number): Promise<Uint8Array> {
    while (this.#pending.length < count) {
      if (!await this.#more()) throw new Error(`End after ${this.#pending.length} of ${count} bytes.`);
    }
    const bytes = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    return bytes;
  }

  /** Reads `count` bytes and forgets them, with one buffer for all of them. */
  async skip(count: number): Promise<void> {
    let left = count - Math.min(count, this.#pending.length);
    this.#pending = this.#pending.slice(count - left);
    const into = new Uint8Array(64 * 1024);
    while (left > 0) {
      const got = await this.read(into.subarray(0, Math.min(left, into.length)));
      if (got === null) throw new Error(`End ${left} bytes before the ${count} that were expected.`);
      left -= got;
    }
  }

  /** Reads Latin-1 text to the peer's end; rejects when it resets. */
  async readToEnd(): Promise<string> {
    while (await this.#more());
    const text = latin1(this.#pending);
    this.#pending = new Uint8Array(0);
    return text;
  }

  /** Reads and counts to the peer's end without keeping anything. */
  async countToEnd(): Promise<number> {
    let total = this.#pending.length;
    this.#pending = new Uint8Array(0);
    const into = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await this.read(into);
      if (count === null) return total;
      total += count;
    }
  }

  async #more(): Promise<boolean> {
    const into = new Uint8Array(64 * 1024);
    const count = await this.read(into);
    if (count === null) return false;
    const joined = new Uint8Array(this.#pending.length + count);
    joined.set(this.#pending);
    joined.set(into.subarray(0, count), this.#pending.length);
    this.#pending = joined;
    return true;
  }
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
