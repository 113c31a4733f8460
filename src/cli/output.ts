/**
 * Writing to stdout and stderr so that every byte arrives, and nothing breaks when nobody reads any more.
 * @module
 */

/** The part of a stream of the process that is needed here. */
export interface SyncWriter {
  writeSync(bytes: Uint8Array): number;
}

/** How often and how long (ms) to try again when a non-blocking pipe is full; then its reader is taken for stuck. */
const FULL_RETRIES = 200, FULL_PAUSE = 5;

const encoder = new TextEncoder();

/** Writes all of `text`; false when the other end is gone or stuck (EPIPE, EAGAIN), and then no more should be written. */
export function writeText(writer: SyncWriter, text: string): boolean {
  let bytes = encoder.encode(text);
  let retries = 0;
  while (bytes.length > 0) {
    try {
      const count = writer.writeSync(bytes);
      bytes = bytes.subarray(count);
      if (count > 0) retries = 0;
    } catch (error) {
      // Interrupted by a signal before anything was written.
      if (error instanceof Deno.errors.Interrupted) continue;
      if (!(error instanceof Deno.errors.WouldBlock) || ++retries > FULL_RETRIES) return false;
      Atomics.wait(PAUSE, 0, 0, FULL_PAUSE);
    }
  }
  return true;
}

/** Nobody ever notifies it: waiting for it is sleeping without giving up the thread's turn. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
