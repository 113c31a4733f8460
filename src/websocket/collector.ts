/**
 * Gathers pieces into one array, without taking memory before the bytes are there.
 * @module
 */
import type { BytePool } from "../flow/byte_pool.ts";

/** Smallest array that grows: most messages never leave it. */
const FIRST_SIZE = 256;

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
   * Appends a copy of `piece`. `expected`: how many bytes there will probably be in all, when that is known; then the array is
   * made at once (fresh pages cost nothing until they are written).
   */
  add(piece: Uint8Array, expected = 0): void {
    const size = this.#size + piece.length;
    if (this.#size === 0 && size >= expected) {
      this.#bytes = this.#make(size);
      this.#bytes.set(piece);
    } else {
      if (size > this.#bytes.length) {
        const larger = this.#make(Math.max(size, expected, 2 * this.#size, FIRST_SIZE));
        larger.set(this.#bytes.subarray(0, this.#size));
        this.#bytes = larger;
      }
      this.#bytes.set(piece, this.#size);
    }
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
