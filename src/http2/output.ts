/**
 * Frames on their way out, one behind the other in one buffer, so that the frames of a turn leave in one write.
 *
 * A large buffer is borrowed while there is much to write: a connection that waits holds small ones, or none.
 * @module
 */
import { bulk, BULK_SIZE } from "../net/mod.ts";
import { Flag, FRAME_HEADER, FrameType, MAX_FRAME_SIZE, writeUint32 } from "./frames.ts";

/** DATA is added only below this: enough for one large write, and the bound on what a stalled peer makes weir hold. */
const DATA_MARK = 128 * 1024;
/** With this much waiting the peer makes weir answer (PING, SETTINGS, resets) without reading: it is cut off. */
export const OUTPUT_LIMIT = 1024 * 1024;

const NOTHING = new Uint8Array(0);
/** The first buffer, and the largest that a connection keeps while nothing is pending. */
const FIRST_SIZE = 1024;
const KEPT_SIZE = 8 * 1024;

/** The pending bytes of one connection. */
export class Output {
  #buffer: Uint8Array<ArrayBuffer> = NOTHING;
  /** What was taken last, until it is written. */
  #taken: Uint8Array<ArrayBuffer> = NOTHING;
  /** A small one that is free. */
  #spare: Uint8Array<ArrayBuffer> = NOTHING;
  #length = 0;
  /** Counts the buffers that were taken: a frame of an earlier turn has left. */
  turn = 0;

  constructor(readonly onPending: () => void) {}

  get length(): number {
    return this.#length;
  }

  /** May DATA and response heads be added? */
  get hasRoom(): boolean {
    return this.#length < DATA_MARK;
  }

  /** The pending bytes; valid until {@linkcode written}. */
  take(): Uint8Array {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#taken = this.#buffer;
    this.#buffer = this.#spare;
    this.#spare = NOTHING;
    this.#length = 0;
    this.turn++;
    return bytes;
  }

  /** What was taken has been written: its buffer is free. */
  written(): void {
    const bytes = this.#taken;
    this.#taken = NOTHING;
    if (bytes.length === BULK_SIZE) bulk.giveBack(bytes);
    else if (bytes.length > this.#spare.length && bytes.length <= KEPT_SIZE) this.#spare = bytes;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Writes one frame; gives the position of its header in this turn's buffer. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): number {
    const at = this.#header(type, flags, streamId, payload.length);
    this.#buffer.set(payload, this.#length);
    this.#length += payload.length;
    return at;
  }

  /** A frame whose payload is one number (RST_STREAM, WINDOW_UPDATE). */
  numberFrame(type: number, streamId: number, value: number): void {
    this.#header(type, 0, streamId, 4);
    writeUint32(this.#buffer, this.#length, value);
    this.#length += 4;
  }

  /** HEADERS with as many CONTINUATION as needed (§6.10); nothing may come in between. */
  headerBlock(streamId: number, block: Uint8Array, endStream: boolean): void {
    let type: number = FrameType.HEADERS, flags: number = endStream ? Flag.END_STREAM : 0;
    for (let at = 0;; at += MAX_FRAME_SIZE) {
      const last = block.length - at <= MAX_FRAME_SIZE;
      this.frame(
        type,
        flags | (last ? Flag.END_HEADERS : 0),
        streamId,
        block.subarray(at, at + MAX_FRAME_SIZE),
      );
      if (last) return;
      type = FrameType.CONTINUATION;
      flags = 0;
    }
  }

  /** Adds a flag to a frame of this turn. */
  addFlag(at: number, flag: number): void {
    this.#buffer[at + 4] |= flag;
  }

  #header(type: number, flags: number, streamId: number, length: number): number {
    this.#reserve(FRAME_HEADER + length);
    const buffer = this.#buffer, at = this.#length;
    buffer[at] = length >> 16;
    buffer[at + 1] = length >> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    writeUint32(buffer, at + 5, streamId);
    this.#length += FRAME_HEADER;
    return at;
  }

  #reserve(count: number): void {
    if (this.#length === 0) this.onPending();
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    const larger = this.#larger(needed);
    larger.set(this.#buffer.subarray(0, this.#length));
    if (this.#buffer.length === BULK_SIZE) bulk.giveBack(this.#buffer);
    this.#buffer = larger;
  }

  #larger(needed: number): Uint8Array<ArrayBuffer> {
    if (needed <= KEPT_SIZE) return new Uint8Array(Math.max(needed, this.#buffer.length * 2, FIRST_SIZE));
    return needed <= BULK_SIZE ? bulk.borrow() : new Uint8Array(Math.max(needed, this.#buffer.length * 2));
  }
}
