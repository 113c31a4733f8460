/**
 * A `TransformStream` whose work is a plain function of each chunk.
 *
 * As a hook it is then as fast as a per-chunk function; everywhere else it is a stream like any other.
 * @module
 */

/** Calls `transform` for every chunk that is not empty, and with an empty one at the end. */
export class LocalTransformStream extends TransformStream<Uint8Array, Uint8Array> {
  readonly #transform: (chunk: Uint8Array) => Uint8Array;

  constructor(transform: (chunk: Uint8Array) => Uint8Array) {
    super({
      transform(chunk, controller) {
        if (chunk.length === 0) return;
        const out = transform(chunk);
        if (out.length > 0) controller.enqueue(out);
      },
      flush(controller) {
        const out = transform(new Uint8Array(0));
        if (out.length > 0) controller.enqueue(out);
      },
    });
    this.#transform = transform;
  }

  /**
   * The function, for whoever uses it instead of the streams, which are locked by this: it keeps the state of one body.
   *
   * @throws {TypeError} when the streams are in use.
   */
  takeTransform(): (chunk: Uint8Array) => Uint8Array {
    this.writable.getWriter().closed.catch(() => {});
    this.readable.getReader().closed.catch(() => {});
    return this.#transform;
  }
}
