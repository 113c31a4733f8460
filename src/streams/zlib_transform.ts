/**
 * One of node's (de)compressors as a source of pieces. It is read only on demand, so that a chunk that
 * unfolds to gigabytes waits inside zlib.
 * @module
 */
import type { Transform } from "node:stream";
import type zlib from "node:zlib";

/** One of node's transforms. */
export type ZlibTransform = zlib.Zlib & Transform;

/** What comes out for bytes that go in. What the machine has used of them is in its `bytesWritten`. */
export function written(machine: ZlibTransform, bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  return output(machine, (done) => machine.write(bytes, done));
}

/** What comes out when nothing more goes in. */
export function ended(machine: ZlibTransform): AsyncGenerator<Uint8Array, void> {
  return output(machine, (done) => machine.once("end", done).end());
}

/** What comes out while the machine works on something. */
async function* output(
  machine: ZlibTransform,
  work: (done: (error?: Error | null) => void) => void,
): AsyncGenerator<Uint8Array, void> {
  let isDone = false;
  let failure: Error | null = null;
  let changed = Promise.withResolvers<void>();
  const done = (error?: Error | null) => {
    isDone = true;
    failure ??= error ?? null;
    changed.resolve();
  };
  const readable = () => changed.resolve();
  machine.on("readable", readable).on("error", done);
  try {
    work(done);
    for (;;) {
      for (let piece: Uint8Array | null; (piece = machine.read()) !== null;) {
        yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
      }
      if (failure !== null) throw failure;
      if (isDone || machine.readableEnded) return;
      await changed.promise;
      changed = Promise.withResolvers();
    }
  } finally {
    machine.off("readable", readable).off("error", done);
  }
}
