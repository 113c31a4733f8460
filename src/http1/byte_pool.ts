/**
 * Large buffers on loan: a bounded free-list that all HTTP/1 connections share.
 *
 * Bulk bodies move fastest in 256 KiB steps, but a thousand idle connections must not hold 256 MiB. So a connection
 * borrows a large buffer while bytes stream and gives it back when they stop.
 * @module
 */

/** One socket read or write of a bulk body: beyond this, throughput no longer grows (measured on loopback). */
export const BULK_SIZE = 256 * 1024;
/** Buffers kept for the next borrower (4 MiB); more than these streaming at once are left to the collector. */
const KEPT = 16;

const free: Uint8Array[] = [];

/** A buffer of {@linkcode BULK_SIZE} bytes with anything in it. */
export function borrowBulk(): Uint8Array {
  return free.pop() ?? new Uint8Array(BULK_SIZE);
}

/** Gives a buffer back. The caller must be sure that no read, write or piece of a body still uses it. */
export function returnBulk(buffer: Uint8Array): void {
  if (free.length < KEPT) free.push(buffer);
}
