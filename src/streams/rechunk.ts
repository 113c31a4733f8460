/**
 * `rechunkStream`: a body in chunks of one size.
 * @module
 */
import { checkCount } from "./arguments.ts";
import { perPiece } from "./chunk_hook.ts";

/**
 * Chunks of `size` bytes each, the last one of what is left. What does not fill one is held until the rest of
 * it is here.
 *
 * @example
 * ```ts
 * import { rechunkStream } from "weir";
 *
 * const chunks = await Array.fromAsync(new Response("hello").body!.pipeThrough(rechunkStream(2)));
 * const sizes = chunks.map((chunk) => chunk.length).join();
 * if (sizes !== "2,2,1") throw new Error(sizes);
 * ```
 *
 * @throws {TypeError} when it is no whole number from 1 to 16 MiB.
 */
export function rechunkStream(size: number): TransformStream<Uint8Array, Uint8Array> {
  checkCount("rechunkStream", "a size", size, 1);
  if (size > MAX_SIZE) {
    throw new TypeError(`rechunkStream takes a size of at most ${MAX_SIZE} bytes, not ${size}.`);
  }
  let chunk = new Uint8Array(0), used = 0;
  return perPiece(function* (piece: Uint8Array) {
    if (piece.length === 0) {
      if (used > 0) yield chunk.subarray(0, used);
      return;
    }
    for (let at = 0; at < piece.length;) {
      if (used === 0 && piece.length - at >= size) {
        yield piece.subarray(at, at += size);
        continue;
      }
      if (chunk.length === 0) chunk = new Uint8Array(size);
      const part = piece.subarray(at, at + size - used);
      chunk.set(part, used);
      at += part.length;
      used += part.length;
      if (used < size) return;
      used = 0;
      yield chunk;
    }
  });
}

const MAX_SIZE = 16 * 1024 * 1024;
