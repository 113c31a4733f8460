/**
 * Copies for hooks to look at: most are garbage when the hook is done, and must not pile up until somebody cares.
 *
 * V8 runs its quick collection of young objects when the arrays among them pass some 64 MiB, or when other allocation asks
 * for it. So after every {@linkcode BATCH} an array is made that counts for {@linkcode NUDGE} and is never touched: it
 * takes addresses, but no memory, and the next array starts the collection. Measured with 512 MiB each way in messages of
 * 64 KiB, on a busy machine: 22 to 43 MiB of growth; 44 to 75 without the nudge; 86 to 264 (over 1 GiB) without copies.
 * @module
 */

/** Bytes of copies that may be garbage: what a collection costs (1 ms) is nothing beside what copying them did. */
const BATCH = 8 * 1024 * 1024;
/** More than V8 lets the arrays of young objects have; half of it was not always enough. */
const NUDGE = 128 * 1024 * 1024;

/** Bytes copied since the last nudge. */
let copied = 0;

/** A copy of `bytes`, which belongs to whoever gets it. */
export function shortLivedCopy(bytes: Uint8Array): Uint8Array {
  copied += bytes.length;
  if (copied > BATCH) {
    copied = 0;
    nudge();
  }
  return bytes.slice();
}

function nudge(): void {
  try {
    void new ArrayBuffer(NUDGE);
  } catch {
    // Where addresses are rationed (ulimit -v), memory is collected when V8 sees fit.
  }
}
