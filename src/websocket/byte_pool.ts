/**
 * Memory for message contents that is used again: at a gigabyte a second the garbage collector would let some 100 MiB pile up.
 * @module
 */

/** Smaller arrays are cheaper to make than to keep. */
const MIN_SIZE = 512;
/** Free bytes that are kept; larger arrays never are. One pool serves all connections. */
const MAX_FREE = 4 * 1024 * 1024;

/** Free arrays, by capacity. */
export class BytePool {
  readonly #free = new Map<number, ArrayBuffer[]>();
  #bytes = 0;

  /** An array of `size` bytes with anything in it. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const capacity = capacityFor(size);
    const buffer = this.#free.get(capacity)?.pop();
    if (buffer === undefined) return new Uint8Array(new ArrayBuffer(capacity), 0, size);
    this.#bytes -= capacity;
    return new Uint8Array(buffer, 0, size);
  }

  /** Gives back what `take` gave, or any other array that nobody holds any more. */
  give(bytes: Uint8Array): void {
    const { buffer } = bytes;
    const capacity = buffer.byteLength;
    if (capacity < MIN_SIZE || capacity !== capacityFor(capacity) || !(buffer instanceof ArrayBuffer)) return;
    if (this.#bytes + capacity > MAX_FREE) return;
    this.#bytes += capacity;
    const same = this.#free.get(capacity);
    if (same === undefined) this.#free.set(capacity, [buffer]);
    else same.push(buffer);
  }
}

/** Next size in steps of an eighth, so that messages of like length fit into each other's place. */
function capacityFor(size: number): number {
  if (size < MIN_SIZE) return size;
  const step = 2 ** Math.max(0, 28 - Math.clz32(size));
  return Math.ceil(size / step) * step;
}
