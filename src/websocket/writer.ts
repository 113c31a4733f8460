/**
 * Frames onto the wire (RFC 6455 §5.2): one leg's outgoing side.
 *
 * Frames are put together in a buffer and written in one go by `flush`, so that many small messages cost one write. While
 * one buffer is being written, frames go into another one. When that is full too, whoever appends waits: that is the
 * backpressure. Buffers are borrowed: a connection that waits holds none.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { type Conn, Loans } from "../net/mod.ts";
import { type Close, closePayload } from "./close.ts";
import { encodeFrameHead, MAX_CONTROL, MAX_HEAD, Opcode } from "./frames.ts";
import { applyMask, newMaskKey } from "./mask.ts";

/** What one write takes: as much as pays, small enough for thousands of connections. */
const BUFFER_SIZE = 64 * 1024;
/** Room that only the Close frame may use, so that it never has to wait. */
const RESERVED = MAX_HEAD + MAX_CONTROL;
/** 2 MiB of buffers are kept. */
const buffers = new Loans(BUFFER_SIZE + RESERVED, 32);
/** Stands for a buffer while there is none. */
const NOTHING = new Uint8Array(0);

/** Appends frames for one peer. Methods return undefined when all fitted into the buffer, else a promise to await. */
export class FrameWriter {
  /** Whom it writes to; a server's frames must be masked (RFC 6455 §5.1). */
  readonly #side: Side;
  readonly #conn: Conn;
  #buffer: Uint8Array<ArrayBuffer> = NOTHING;
  #used = 0;
  #writing: Promise<void> | null = null;
  #failed: WeirError | null = null;
  /** Payload bytes that the current frame still lacks. */
  #left = 0;
  #key: number | null = null;
  #offset = 0;
  #closing: Close | null = null;
  #closed = false;
  /** The current frame came after Close: its payload is thrown away with it. */
  #ignoring = false;

  constructor(side: Side, conn: Conn) {
    this.#side = side;
    this.#conn = conn;
  }

  /** A Close frame was sent or is due: nothing more is sent, and frames are ignored (RFC 6455 §5.5.1). */
  get closed(): boolean {
    return this.#closed;
  }

  /** A Close frame waits for the end of the current frame. */
  get closeDue(): boolean {
    return this.#closing !== null;
  }

  /** Nothing waits for a flush. */
  get empty(): boolean {
    return this.#used === 0;
  }

  /** Appends a whole frame. */
  frame(fin: boolean, rsv1: boolean, opcode: number, payload: Uint8Array): Promise<void> | undefined {
    if (MAX_HEAD + payload.length > this.#room) return this.#longFrame(fin, rsv1, opcode, payload);
    this.#begin(fin, rsv1, opcode, payload.length);
    this.#append(payload);
  }

  async #longFrame(fin: boolean, rsv1: boolean, opcode: number, payload: Uint8Array): Promise<void> {
    await this.begin(fin, rsv1, opcode, payload.length);
    await this.payload(payload);
  }

  /** Appends a head; its payload follows in any number of `payload` calls. */
  begin(fin: boolean, rsv1: boolean, opcode: number, length: number): Promise<void> | undefined {
    if (MAX_HEAD > this.#room) return this.flush().then(() => this.begin(fin, rsv1, opcode, length));
    this.#begin(fin, rsv1, opcode, length);
  }

  /** Appends part of the current frame's payload. */
  payload(piece: Uint8Array): Promise<void> | undefined {
    if (piece.length > this.#room) return this.#longPayload(piece);
    this.#append(piece);
  }

  async #longPayload(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length;) {
      while (this.#room === 0) await this.flush();
      const end = Math.min(piece.length, at + this.#room);
      this.#append(piece.subarray(at, end));
      at = end;
    }
  }

  /** Appends a Close frame, after the current frame; what comes later is ignored, a second Close too. */
  close(close: Close): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing = close;
    if (this.#left === 0) this.#appendClose();
  }

  /** Writes what was appended. Resolves when the connection has taken it. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    if (this.#failed !== null) throw this.#failed;
    if (this.#used === 0) return;
    const full = this.#buffer;
    this.#buffer = NOTHING;
    this.#writing = this.#write(full, this.#used);
    this.#used = 0;
    await this.#writing;
  }

  async #write(buffer: Uint8Array<ArrayBuffer>, count: number): Promise<void> {
    try {
      await this.#conn.write(buffer.subarray(0, count));
      // When it fails the runtime may still hold it: then it is left to the collector.
      buffers.giveBack(buffer);
    } catch (thrown) {
      const what = `Writing to the ${this.#side}'s WebSocket connection failed`;
      throw this.#failed = WeirError.from(thrown, this.#side, "closed", what);
    } finally {
      this.#writing = null;
    }
  }

  get #room(): number {
    return Math.max(0, BUFFER_SIZE - this.#used);
  }

  #begin(fin: boolean, rsv1: boolean, opcode: number, length: number): void {
    this.#ignoring = this.#closed;
    if (!this.#ignoring) this.#head(fin, rsv1, opcode, length);
  }

  #head(fin: boolean, rsv1: boolean, opcode: number, length: number): void {
    this.#key = this.#side === "server" ? newMaskKey() : null;
    this.#offset = 0;
    this.#left = length;
    if (this.#buffer === NOTHING) this.#buffer = buffers.borrow();
    this.#used = encodeFrameHead(this.#buffer, this.#used, fin, rsv1, opcode, length, this.#key);
  }

  #append(piece: Uint8Array): void {
    if (this.#ignoring || piece.length === 0) return;
    const end = this.#used + piece.length;
    if (this.#buffer === NOTHING) this.#buffer = buffers.borrow();
    this.#buffer.set(piece, this.#used);
    if (this.#key !== null) applyMask(this.#buffer.subarray(this.#used, end), this.#key, this.#offset);
    this.#used = end;
    this.#offset += piece.length;
    this.#left -= piece.length;
    if (this.#left === 0 && this.#closing !== null) this.#appendClose();
  }

  #appendClose(): void {
    const payload = closePayload(this.#closing!);
    this.#closing = null;
    this.#head(true, false, Opcode.close, payload.length);
    this.#append(payload);
    this.#ignoring = true;
  }
}
