/**
 * Gathers pieces into one array, without taking memory before the bytes are there.
 * @module
 */
import type { BytePool } from "./byte_pool.ts";

/** Smallest array that grows: most messages never leave it. */
const FIRST_SIZE = 256;
/** How many times larger than what is in it an array is made when it was too small. */
const GROWTH = 4;

/** Bytes in the making. */
export class ByteCollector {
  readonly #pool: BytePool | null;
  #bytes: Uint8Array = new Uint8Array(0);
  #size = 0;

  /** `pool`: where the memory comes from. */
  constructor(pool: BytePool | null = null) {
    this.#pool = pool;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Appends a copy of `piece`. `expected`: how many bytes there will be in all, as far as that was declared. It bounds how far
   * the array grows ahead, and no more: a length is cheap to declare.
   */
  add(piece: Uint8Array, expected = 0): void {
    const size = this.#size + piece.length;
    if (size > this.#bytes.length) {
      const ahead = this.#size === 0 && expected === 0 ? size : Math.max(GROWTH * size, FIRST_SIZE);
      const larger = this.#make(Math.max(size, expected === 0 ? ahead : Math.min(ahead, expected)));
      larger.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#size);
    this.#size = size;
  }

  /** What was gathered; the collector is empty then. */
  take(): Uint8Array {
    const bytes = this.#bytes, size = this.#size;
    this.#bytes = new Uint8Array(0);
    this.#size = 0;
    if (size === bytes.length) return bytes;
    // A history of messages must not keep much more than it counts.
    return size < bytes.length * 0.75 ? bytes.slice(0, size) : bytes.subarray(0, size);
  }

  #make(size: number): Uint8Array {
    return this.#pool === null ? new Uint8Array(size) : this.#pool.take(size);
  }
}
