/**
 * What an editor gives for one piece, put together from parts.
 * @module
 */
import { EMPTY } from "./bytes.ts";

/** Parts up to this size are copied byte by byte, which is faster than making a view of them. */
const SMALL = 48;

/**
 * Collects parts. A single one is handed on without a copy; several are copied into a buffer that is used
 * again.
 */
export class Output {
  #buffer = EMPTY;
  #length = 0;
  /** The first part, which may stay the only one. */
  #first = EMPTY;
  #from = 0;
  #to = 0;

  get isEmpty(): boolean {
    return this.#length === 0 && this.#to === 0;
  }

  /** Adds the bytes of `bytes` between two places. They are to stay as they are until `take`. */
  put(bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (to <= from) return;
    if (this.#length > 0) this.#copy(bytes, from, to);
    else if (this.#to > 0) {
      // What follows the first part in the same bytes makes it longer.
      if (bytes === this.#first && from === this.#to) {
        this.#to = to;
        return;
      }
      this.#copy(this.#first, this.#from, this.#to);
      this.#to = 0;
      this.#copy(bytes, from, to);
    } else {
      this.#first = bytes;
      this.#from = from;
      this.#to = to;
    }
  }

  /** What was added since the last time. Valid until the next `put`. */
  take(): Uint8Array {
    if (this.#to > 0) {
      const part = this.#first.subarray(this.#from, this.#to);
      this.#first = EMPTY;
      this.#to = 0;
      return part;
    }
    const length = this.#length;
    this.#length = 0;
    this.#first = EMPTY;
    return this.#buffer.subarray(0, length);
  }

  #copy(bytes: Uint8Array, from: number, to: number): void {
    const end = this.#length + to - from;
    if (end > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(4096, 2 * end));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    const buffer = this.#buffer;
    if (to - from > SMALL) buffer.set(bytes.subarray(from, to), this.#length);
    else for (let i = from, at = this.#length; i < to;) buffer[at++] = bytes[i++];
    this.#length = end;
  }
}
