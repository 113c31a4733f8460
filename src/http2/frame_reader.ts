/**
 * Bytes to whole frames (RFC 9113 §4.1). It owns the buffer that the connection reads into, so a frame costs no copy.
 * @module
 */
import { Loans } from "../net/mod.ts";
import { Code, ConnectionError } from "./errors.ts";
import { checkFrame, FRAME_HEADER, FrameType, MAX_FRAME_SIZE, PREFACE, readUint32 } from "./frames.ts";

/** Room for a few whole frames for each read; it must hold at least one. */
const LARGE_SIZE = 4 * (MAX_FRAME_SIZE + FRAME_HEADER);
/** While little comes: most frames that are not DATA fit. */
const SMALL_SIZE = 2 * 1024;
/** 1 MiB of large ones is kept. */
const large = new Loans(LARGE_SIZE, 16);

const NOTHING = new Uint8Array(0);

/** After `next()` gave true its fields describe the frame; the payload is valid until `space()` is called. */
export class FrameReader {
  type = 0;
  flags = 0;
  streamId = 0;
  payload: Uint8Array = NOTHING;
  readonly #small = new Uint8Array(SMALL_SIZE);
  /** A large one while reads fill the small one, or a frame does not fit in. */
  #buffer: Uint8Array<ArrayBuffer> = this.#small;
  #start = 0;
  #end = 0;
  /** Bytes of the last read; at first many may come. */
  #last = SMALL_SIZE;
  /** Bytes of the client's preface still to come. */
  #preface: number;

  constructor(expectPreface: boolean) {
    this.#preface = expectPreface ? PREFACE.length : 0;
  }

  /** True when the preface is not complete, or a frame has begun that belongs to a head. */
  get midHead(): boolean {
    if (this.#preface > 0) return true;
    if (this.#end - this.#start < FRAME_HEADER) return false;
    const type = this.#buffer[this.#start + 3];
    return type === FrameType.HEADERS || type === FrameType.CONTINUATION;
  }

  /** Where the next bytes go; never empty once every whole frame was taken. */
  space(): Uint8Array {
    const left = this.#end - this.#start, isSmall = this.#buffer === this.#small;
    if (isSmall && (left === SMALL_SIZE || this.#last >= SMALL_SIZE)) {
      this.#moveTo(large.borrow());
    } else if (!isSmall && left < SMALL_SIZE / 2 && this.#last < SMALL_SIZE) {
      const buffer = this.#buffer;
      this.#moveTo(this.#small);
      this.payload = NOTHING;
      large.giveBack(buffer);
    } else if (this.#start > 0) this.#moveTo(this.#buffer);
    return this.#buffer.subarray(this.#end);
  }

  /** `count` bytes were put into `space()`. */
  filled(count: number): void {
    this.#end += count;
    this.#last = count;
  }

  /** The connection is over: a large buffer can serve another one. */
  close(): void {
    if (this.#buffer === this.#small) return;
    large.giveBack(this.#buffer);
    this.#buffer = this.#small;
    this.payload = NOTHING;
    this.#start = this.#end = 0;
  }

  #moveTo(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer === this.#buffer) buffer.copyWithin(0, this.#start, this.#end);
    else buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = buffer;
    this.#end -= this.#start;
    this.#start = 0;
  }

  /**
   * Moves to the next whole frame; false when more bytes are needed. A frame that cannot be right is refused by its
   * header, before its payload has come.
   * @throws {ConnectionError}
   */
  next(): boolean {
    if (this.#preface > 0 && !this.#readPreface()) return false;
    const left = this.#end - this.#start;
    if (left < FRAME_HEADER) return false;
    const buffer = this.#buffer, at = this.#start;
    const length = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2];
    this.type = buffer[at + 3];
    this.flags = buffer[at + 4];
    // The highest bit is reserved and ignored.
    this.streamId = readUint32(buffer, at + 5) & 0x7fffffff;
    checkFrame(this.type, this.flags, this.streamId, length);
    if (left < FRAME_HEADER + length) return false;
    this.payload = buffer.subarray(at + FRAME_HEADER, at + FRAME_HEADER + length);
    this.#start += FRAME_HEADER + length;
    return true;
  }

  /** §3.4. */
  #readPreface(): boolean {
    while (this.#preface > 0 && this.#start < this.#end) {
      if (this.#buffer[this.#start++] !== PREFACE[PREFACE.length - this.#preface--]) {
        throw new ConnectionError(
          Code.PROTOCOL_ERROR,
          "The connection does not begin with the HTTP/2 preface.",
        );
      }
    }
    return this.#preface === 0;
  }
}
