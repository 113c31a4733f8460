/**
 * Large buffers on loan: bounded free-lists that all connections share.
 *
 * Bulk bodies move fastest in large steps, but a thousand idle connections must not hold a large buffer each. So a
 * connection borrows one while bytes stream and gives it back when they stop.
 * @module
 */

/** Buffers of one size. */
export class Loans {
  /** Bytes of each. */
  readonly size: number;
  readonly #kept: number;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /** Keeps up to `kept` buffers for the next borrower; more than these in use at once are left to the collector. */
  constructor(size: number, kept: number) {
    this.size = size;
    this.#kept = kept;
  }

  /** A buffer with anything in it. */
  borrow(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.size);
  }

  /** Gives a buffer back. The caller must be sure that no read, write or piece of a body still uses it. */
  giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#free.length < this.#kept) this.#free.push(buffer);
  }
}

/** One socket read or write of a bulk body: beyond this, throughput no longer grows (measured on loopback). */
export const BULK_SIZE = 256 * 1024;

/** Buffers of {@linkcode BULK_SIZE} bytes; 4 MiB of them are kept. */
export const bulk: Loans = new Loans(BULK_SIZE, 16);
