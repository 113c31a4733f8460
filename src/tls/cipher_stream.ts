/**
 * The ciphertext side of a TLS session: a `node:stream` Duplex over a {@linkcode Conn}, for node:tls to sit on.
 *
 * node:tls does not pass pause() on to the stream below, so ciphertext is not read when node asks but when
 * {@linkcode CipherStream.pump} is called, once for each call. node decrypts within `push`; so the buffer of a
 * read is free again after it and one buffer serves the whole session.
 * @module
 */
import { concat } from "@std/bytes";
import { Duplex } from "node:stream";
import type { Buffer } from "node:buffer";
import type { Conn } from "../net/mod.ts";

/** First buffer of a session: one record (RFC 8446 §5.1) and its header fit. */
const CIPHER_BUFFER_START = 17 * 1024;
/** How many times larger the next buffer is after a read that fills one, and smaller after one that leaves so much free. */
const CIPHER_BUFFER_STEP = 4;
/** Largest buffer: large reads matter (from 64 to 256 KiB: 397 to 731 MB/s); it bounds the read-ahead as well. */
const CIPHER_BUFFER_MAX = 256 * 1024;

/** The lower end; the upper is node's. Destroying it leaves the connection alone: that is its owner's. */
export class CipherStream extends Duplex {
  readonly #conn: Conn;
  #buffer = new Uint8Array(CIPHER_BUFFER_START);
  #writing: Promise<void> | null = null;
  #failure: unknown = null;
  /** Bytes of ciphertext written so far: none means that a handshake could still be answered in the clear. */
  written = 0;
  /** Called when a write has failed; `flushed` rejects from then on. */
  onFailure: ((thrown: unknown) => void) | null = null;

  constructor(conn: Conn) {
    super({ autoDestroy: false });
    this.#conn = conn;
  }

  /** Reads ciphertext once and has node decrypt it; false at the raw end. Rejects when the connection fails. */
  async pump(): Promise<boolean> {
    const buffer = this.#buffer;
    const count = await this.#conn.read(buffer);
    // node is not told of the end: what comes before it is the session's to judge.
    if (count === null || this.destroyed) return false;
    this.push(buffer.subarray(0, count));
    if (this.readableLength > 0) {
      // node did not take it yet (it does so once it flows): the bytes stay where they are.
      this.#buffer = new Uint8Array(buffer.length);
      await new Promise((resolve) => setImmediate(resolve));
    } else if (count === buffer.length && count < CIPHER_BUFFER_MAX) {
      this.#buffer = new Uint8Array(Math.min(count * CIPHER_BUFFER_STEP, CIPHER_BUFFER_MAX));
    } else if (count < buffer.length / CIPHER_BUFFER_STEP && buffer.length > CIPHER_BUFFER_START) {
      this.#buffer = new Uint8Array(CIPHER_BUFFER_START);
    }
    return true;
  }

  /** Resolves when everything that node wrote is written; rejects when it could not be. */
  async flushed(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  override _read(): void {
    // See pump.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#run([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#run(chunks.map(({ chunk }) => chunk), done);
  }

  #run(chunks: readonly Uint8Array[], done: () => void): void {
    // node is never told of a failure: it would destroy what can still be read, and throw where nobody catches it.
    if (this.#failure !== null) return done();
    this.#writing = this.#send(chunks).catch((thrown) => {
      this.#failure ??= thrown;
      this.onFailure?.(thrown);
    }).then(() => {
      this.#writing = null;
      done();
    });
  }

  /** Records come in pieces of up to 48 KiB; only smaller ones are worth a copy to save a write. */
  async #send(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks.length > 1 ? merged(chunks) : chunks) {
      this.written += chunk.length;
      await this.#conn.write(chunk);
    }
  }
}

/** Pieces below this are put together: copying them costs less than a system call each. */
const MERGE_BELOW = 16 * 1024;

function merged(chunks: readonly Uint8Array[]): Uint8Array[] {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return total > MERGE_BELOW ? [...chunks] : [concat(chunks)];
}
