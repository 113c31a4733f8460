/**
 * The first bytes of a connection, looked at and put back.
 *
 * A read that was begun cannot be taken back, so whoever uses the connection afterwards gets one that waits for it.
 * @module
 */
import type { Conn } from "./conn.ts";
import { PassingConn } from "./passing.ts";

/** Room for a ClientHello or the start of a request line; idle connections hold no more than this. */
const FIRST_READ = 2048;
/** A ClientHello with many key shares is some KiB; beyond this nobody is saying hello (RFC 8446 §4: 2^24 in theory). */
const MOST = 65536;

/** Reads a connection until it is known what it speaks; then {@linkcode FirstBytes.release} hands it on. */
export class FirstBytes {
  /** The connection without what has come; for use together with `bytes`, after `until` has resolved. */
  readonly conn: Conn;
  #bytes = new Uint8Array();
  #ended = false;
  #pending: Promise<void> | null = null;
  readonly #released = Promise.withResolvers<null>();
  #isReleased = false;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  /** What has come so far. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Reads until `decide` knows; null when the peer ended or said too much before that, or somebody else reads on.
   * Rejects as `read` does.
   */
  async until<T>(decide: (bytes: Uint8Array) => T | undefined): Promise<T | null> {
    for (;;) {
      if (this.#isReleased) return null;
      const decision = decide(this.#bytes);
      if (decision !== undefined) return decision;
      if (this.#ended || this.#bytes.length >= MOST) return null;
      await Promise.race([this.#pending ??= this.#read(), this.#released.promise]);
    }
  }

  /** Takes so many of the bytes away: they were understood. */
  drop(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
  }

  /** The connection with the first bytes still to be read, and a read that is under way awaited. */
  release(): Conn {
    this.#isReleased = true;
    this.#released.resolve(null);
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

/** Gives the first bytes once more, and then what comes. */
class Resumed extends PassingConn {
  readonly #take: () => Uint8Array;
  #pending: Promise<void> | null;
  #first: Uint8Array | null = null;

  constructor(conn: Conn, take: () => Uint8Array, pending: Promise<void> | null) {
    super(conn);
    this.#take = take;
    this.#pending = pending;
    // Whether anybody reads or not, a failed read is no accident of the process.
    pending?.catch(() => {});
  }

  override read(into: Uint8Array): Promise<number | null> {
    this.#first ??= this.#take();
    if (this.#first.length > 0) return Promise.resolve(this.#readFirst(into));
    return this.#pending === null ? super.read(into) : this.#readPending(into, this.#pending);
  }

  #readFirst(into: Uint8Array): number {
    const first = this.#first!;
    const count = Math.min(into.length, first.length);
    into.set(first.subarray(0, count));
    this.#first = first.subarray(count);
    return count;
  }

  async #readPending(into: Uint8Array, pending: Promise<void>): Promise<number | null> {
    await pending;
    this.#pending = null;
    this.#first = null;
    return await this.read(into);
  }
}
