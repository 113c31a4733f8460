/**
 * The first bytes of a connection, looked at and put back.
 *
 * A read that was begun cannot be taken back, so whoever uses the connection afterwards gets one that waits for it.
 * @module
 */
import type { Address, Conn, TlsInfo } from "../net/conn.ts";

/** Room for a ClientHello or the start of a request line; idle connections hold no more than this. */
const FIRST_READ = 2048;
/** A ClientHello with many key shares is some KiB; beyond this nobody is saying hello (RFC 8446 §4: 2^24 in theory). */
const MOST = 65536;

export class FirstBytes {
  /** The connection without what has come; for use together with `bytes`, after `until` has resolved. */
  readonly conn: Conn;
  #bytes = new Uint8Array();
  #ended = false;
  #pending: Promise<void> | null = null;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  /** What has come so far. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Reads until `decide` knows; null when the peer ended or said too much before that. Rejects as `read` does. */
  async until<T>(decide: (bytes: Uint8Array) => T | undefined): Promise<T | null> {
    for (;;) {
      const decision = decide(this.#bytes);
      if (decision !== undefined) return decision;
      if (this.#ended || this.#bytes.length >= MOST) return null;
      await (this.#pending ??= this.#read());
    }
  }

  /** The connection with the first bytes still to be read, and a read that is under way awaited. */
  release(): Conn {
    return new Resumed(this.conn, this.#take, this.#pending);
  }

  readonly #take = (): Uint8Array => {
    const bytes = this.#bytes;
    this.#bytes = new Uint8Array();
    return bytes;
  };

  async #read(): Promise<void> {
    const buffer = new Uint8Array(Math.max(FIRST_READ, this.#bytes.length));
    const count = await this.conn.read(buffer);
    this.#pending = null;
    if (count === null) {
      this.#ended = true;
      return;
    }
    const bytes = new Uint8Array(this.#bytes.length + count);
    bytes.set(this.#bytes);
    bytes.set(buffer.subarray(0, count), this.#bytes.length);
    this.#bytes = bytes;
  }
}

class Resumed implements Conn {
  readonly #conn: Conn;
  readonly #take: () => Uint8Array;
  #pending: Promise<void> | null;
  #first: Uint8Array | null = null;

  constructor(conn: Conn, take: () => Uint8Array, pending: Promise<void> | null) {
    this.#conn = conn;
    this.#take = take;
    this.#pending = pending;
    // Whether anybody reads or not, a failed read is no accident of the process.
    pending?.catch(() => {});
  }

  get localAddr(): Address {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Address {
    return this.#conn.remoteAddr;
  }

  get tls(): TlsInfo | null {
    return this.#conn.tls;
  }

  get truncated(): boolean {
    return this.#conn.truncated ?? false;
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.#first ??= this.#take();
    if (this.#first.length === 0 && this.#pending !== null) {
      await this.#pending;
      this.#pending = null;
      this.#first = this.#take();
    }
    if (this.#first.length > 0) {
      const count = Math.min(into.length, this.#first.length);
      into.set(this.#first.subarray(0, count));
      this.#first = this.#first.subarray(count);
      return count;
    }
    return this.#conn.read(into);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }

  reset(): void {
    this.#conn.reset();
  }
}
