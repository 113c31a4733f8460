/**
 * What one peer sends, read by read; and while nobody asks for more, whether that peer is still there.
 *
 * A direction that waits (a slow hook, a peer that does not read) does not read itself, and so would not see that its
 * sender is gone. After a moment of that, one read is made ahead: its bytes are kept for later, its failure is told.
 * @module
 */
import { type Conn, Loans } from "../net/mod.ts";

/** What one read takes: as much as pays, small enough for thousands of connections. */
const READ_SIZE = 64 * 1024;
/** While little comes: most conversations never need more. */
const SMALL_SIZE = 4 * 1024;
/** 1 MiB of large buffers is kept for who reads much next. */
const large = new Loans(READ_SIZE, 16);
/** Less room than this is not worth a read. */
const MIN_READ = 4 * 1024;
/** Milliseconds of waiting after which it is looked ahead, so that a loss is known within a second. */
const LOOK_AFTER = 250;
/** Milliseconds that what is under way may still take when the sender has ended its connection in order. */
const END_GRACE = 500;

/** Reads one connection. What is kept ahead is bounded by one buffer. */
export class Intake {
  readonly #conn: Conn;
  /** The sender is gone while somebody waits: what its last read said, null for an end without error. */
  readonly #onLost: (thrown: unknown) => void;
  #small = new Uint8Array(SMALL_SIZE);
  /** A large one while reads fill the small one. */
  #buffer: Uint8Array<ArrayBuffer> = this.#small;
  /** Bytes of the buffer that were read ahead. */
  #from = 0;
  #to = 0;
  #reading: Promise<void> | null = null;
  #ended = false;
  #failed: { readonly thrown: unknown } | null = null;
  #waits = false;
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(conn: Conn, onLost: (thrown: unknown) => void) {
    this.#conn = conn;
    this.#onLost = onLost;
  }

  /** The next bytes, valid until the next call; null at the sender's end. Rejects when the connection broke. */
  async read(): Promise<Uint8Array | null> {
    if (this.#reading !== null && this.#from === this.#to) await this.#reading;
    if (this.#from === this.#to) {
      if (this.#failed !== null) throw this.#failed.thrown;
      if (this.#ended) return null;
      this.#fitBuffer();
      const count = await this.#conn.read(this.#buffer);
      if (count === null) this.#ended = true;
      this.#from = this.#to = count ?? 0;
      return count === null ? null : this.#buffer.subarray(0, count);
    }
    const bytes = this.#buffer.subarray(this.#from, this.#to);
    this.#from = this.#to;
    return bytes;
  }

  /** What was given last is not used any more: a read that filled the small buffer is followed by one into a large. */
  #fitBuffer(): void {
    if (this.#buffer === this.#small) {
      if (this.#to === SMALL_SIZE) this.#buffer = large.borrow();
    } else if (this.#to < SMALL_SIZE) {
      if (this.#buffer.length === READ_SIZE) large.giveBack(this.#buffer);
      this.#buffer = this.#small;
    }
  }

  /** Awaits `promise`, on the watch for the sender's loss. */
  async during(promise: Promise<void>): Promise<void> {
    this.#waits = true;
    this.#turn++;
    if (this.#timer === undefined) this.#arm();
    try {
      await promise;
    } finally {
      this.#waits = false;
    }
  }

  /** No more reads. Call when the connection is closed; resolves when none is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#reading !== null) await this.#reading;
  }

  /** One timer at a time, however many messages are waited for meanwhile. */
  #arm(): void {
    if (this.#closed) return;
    const turn = this.#turn;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#waits) return;
      if (this.#turn !== turn) this.#arm();
      else if (this.#reading === null) this.#lookAhead();
    }, LOOK_AFTER);
  }

  #lookAhead(): void {
    if (!this.#waits || this.#closed) return;
    if (this.#failed !== null) return this.#onLost(this.#failed.thrown);
    if (this.#ended) return this.#lingerAtEnd();
    if (this.#buffer.length - this.#to < MIN_READ) {
      if (this.#from !== this.#to) return;
      // The bytes that are being worked on keep the old one.
      this.#buffer = new Uint8Array(READ_SIZE);
      this.#from = this.#to = 0;
    }
    this.#reading = this.#readAhead();
  }

  /** Never rejects. */
  async #readAhead(): Promise<void> {
    try {
      const count = await this.#conn.read(this.#buffer.subarray(this.#to));
      if (count === null) this.#ended = true;
      else this.#to += count;
    } catch (thrown) {
      this.#failed = { thrown };
    }
    this.#reading = null;
    this.#lookAhead();
  }

  /** A last message may be with a hook, and a Close frame among the bytes that were read ahead. */
  #lingerAtEnd(): void {
    if (this.#from !== this.#to || this.#timer !== undefined) return;
    const turn = this.#turn;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waits && this.#turn === turn) this.#onLost(null);
      else if (this.#waits) this.#arm();
    }, END_GRACE);
  }
}
