/**
 * The bytes of one connection that have been read and not yet parsed, and the one read that may be under way.
 *
 * The buffer is small while heads and idle time pass through it and large while a body fills it. Pieces of bodies are
 * views into it, so there are two ways to read: {@linkcode ReadBuffer.read}, when the caller is done with all pieces
 * (space may be reused), and {@linkcode ReadBuffer.readAhead}, when a piece may still be in use (only fresh space is
 * written). Both share one pending read, so a connection is watched for its peer's end at no cost.
 * @module
 */
import { bulk, BULK_SIZE, type Conn, PassingConn } from "../net/mod.ts";
import { type Side, WeirError } from "../errors.ts";

/** Heads are rarely longer; a thousand idle connections hold 4 MiB. */
export const SMALL_SIZE = 4 * 1024;
/** Less fresh space than this is not worth a read ahead. */
const MIN_READ_AHEAD = 512;

/** Reads a {@linkcode Conn} into a buffer that parsers look at. Unread bytes are `bytes[start..end)`. */
export class ReadBuffer {
  readonly side: Side;
  bytes: Uint8Array<ArrayBuffer>;
  start = 0;
  end = 0;
  /** The peer has sent its end: what is in the buffer is all there will be. */
  ended = false;
  /** The connection failed, or was given up with {@linkcode ReadBuffer.fail}. */
  error: WeirError | null = null;
  /** Called after every read, whoever asked for it. */
  onRead: (() => void) | null = null;
  readonly #conn: Conn;
  #pending: Promise<void> | null = null;
  #small: Uint8Array<ArrayBuffer>;
  /** Bytes of the last read: a full buffer asks for a large one, a short read gives the large one back. */
  #last = 0;

  constructor(conn: Conn, side: Side, firstBytes?: Uint8Array) {
    this.#conn = conn;
    this.side = side;
    this.#small = new Uint8Array(SMALL_SIZE);
    this.bytes = this.#small;
    if (firstBytes !== undefined && firstBytes.length > 0) {
      if (firstBytes.length > SMALL_SIZE) this.bytes = new Uint8Array(Math.max(BULK_SIZE, firstBytes.length));
      this.bytes.set(firstBytes);
      this.end = firstBytes.length;
    }
  }

  /** Unread bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /** Nothing more can come. */
  get finished(): boolean {
    return this.ended || this.error !== null;
  }

  /** The end came without TLS's close_notify: somebody on the way may have cut the connection (RFC 9112 §9.8). */
  get truncated(): boolean {
    return this.ended && this.#conn.truncated === true;
  }

  /**
   * Reads once more, or joins the read that is under way. Never rejects: look at `length`, `ended` and `error`.
   * All pieces taken before are invalid from here on.
   */
  read(): Promise<void> {
    if (this.#pending !== null) return this.#pending;
    if (this.finished) return Promise.resolve();
    this.#makeRoom();
    return this.#pending = this.#readOnce();
  }

  /** Waits for the read that is under way, if any, without starting one. */
  settled(): Promise<void> {
    return this.#pending ?? Promise.resolve();
  }

  /** Starts a read if none is under way and there is space that no piece uses: bounded by one buffer. */
  readAhead(): void {
    if (this.#pending !== null || this.finished) return;
    if (this.bytes.length - this.end < MIN_READ_AHEAD) {
      if (this.length > 0) return;
      // The last piece may still be on its way out of the old buffer, which goes to the collector.
      this.#small = this.bytes = new Uint8Array(SMALL_SIZE);
      this.start = this.end = 0;
    }
    this.#pending = this.#readOnce();
  }

  /** A message is over and its pieces are invalid: gives a large buffer back when what is left fits the small one. */
  shrink(): void {
    if (this.#pending !== null || this.bytes === this.#small || this.length > SMALL_SIZE) return;
    this.#useSmall();
  }

  /** Gives the connection up: unread bytes are dropped and parsers get `error` (the first one stays). */
  fail(error: WeirError): void {
    this.error ??= error;
    this.start = this.end;
  }

  /** The raw connection from here on, unread bytes and a read that is under way included. */
  detach(): Conn {
    return new DetachedConn(this.#conn, this);
  }

  async #readOnce(): Promise<void> {
    try {
      const count = await this.#conn.read(this.end === 0 ? this.bytes : this.bytes.subarray(this.end));
      if (count === null) this.ended = true;
      else if (this.error === null) {
        this.end += count;
        this.#last = count;
      }
    } catch (thrown) {
      const who = this.side === "client" ? "The client" : "The server";
      this.error ??= WeirError.from(thrown, this.side, "closed", `${who} reset its connection`);
    }
    this.#pending = null;
    this.onRead?.();
  }

  #makeRoom(): void {
    if (this.start === this.end) {
      this.start = this.end = 0;
      if (this.bytes === this.#small) {
        if (this.#last >= SMALL_SIZE) this.bytes = bulk.borrow();
      } else if (this.#last < SMALL_SIZE) this.#useSmall();
      return;
    }
    const free = this.bytes.length - this.end;
    if (free >= this.bytes.length / 2) return;
    if (this.bytes === this.#small && free === 0) this.#useBulk();
    else if (this.start > 0 && (free === 0 || this.length <= SMALL_SIZE)) {
      this.bytes.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
    } else if (free === 0) this.#useBulk();
  }

  #useSmall(): void {
    const large = this.bytes;
    this.#small.set(large.subarray(this.start, this.end));
    this.#move(this.#small);
    if (large.length === BULK_SIZE) bulk.giveBack(large);
  }

  #useBulk(): void {
    // Parsers bound what they leave unread far below the large size; more than it is a mistake here.
    if (this.length >= BULK_SIZE) {
      throw new RangeError(`${this.length} unread bytes do not fit the read buffer.`);
    }
    const large = bulk.borrow();
    large.set(this.bytes.subarray(this.start, this.end));
    this.#move(large);
  }

  #move(to: Uint8Array<ArrayBuffer>): void {
    this.bytes = to;
    this.end -= this.start;
    this.start = 0;
  }
}

/** A connection whose first bytes come out of a read buffer. */
class DetachedConn extends PassingConn {
  #buffer: ReadBuffer | null;

  constructor(conn: Conn, buffer: ReadBuffer) {
    super(conn);
    this.#buffer = buffer;
    buffer.onRead = null;
  }

  override async read(into: Uint8Array): Promise<number | null> {
    const buffer = this.#buffer;
    if (buffer === null) return super.read(into);
    // The read that was under way when the connection was taken over brings its bytes through the buffer.
    if (buffer.length === 0) await buffer.settled();
    if (buffer.length > 0) {
      const count = Math.min(into.length, buffer.length);
      into.set(buffer.bytes.subarray(buffer.start, buffer.start + count));
      buffer.start += count;
      return count;
    }
    if (buffer.error !== null) throw buffer.error;
    if (buffer.ended) return null;
    this.#buffer = null;
    buffer.shrink();
    return super.read(into);
  }
}
