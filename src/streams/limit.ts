/**
 * A body that may not be larger than so many bytes (`body_size_limit`), buffered or streamed.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";

/**
 * Passes `body` on until more than `max` bytes have come, or at once when its size says so; then it fails with `makeError(n)`,
 * where `n` is the size as far as it is known, and the source is cancelled.
 */
export function limited(body: Body, max: number, makeError: (size: number) => WeirError): Body {
  return new LimitedBody(body, max, makeError);
}

class LimitedBody implements Body {
  readonly #body: Body;
  readonly #max: number;
  readonly #makeError: (size: number) => WeirError;
  #passed = 0;
  #error: WeirError | null = null;

  constructor(body: Body, max: number, makeError: (size: number) => WeirError) {
    this.#body = body;
    this.#max = max;
    this.#makeError = makeError;
  }

  get size(): number | null {
    return this.#body.size;
  }

  get chunked(): boolean {
    return this.#body.chunked;
  }

  get chunkLeft(): number {
    return this.#body.chunkLeft;
  }

  get trailers(): string[] | null {
    return this.#body.trailers;
  }

  take(): Uint8Array | null | undefined {
    if (this.#error !== null) throw this.#error;
    const { size } = this.#body;
    if (size !== null && size > this.#max) this.#refuse(size);
    const piece = this.#body.take();
    if (piece && (this.#passed += piece.length) > this.#max) this.#refuse(this.#passed);
    return piece;
  }

  #refuse(size: number): never {
    this.#error = this.#makeError(size);
    this.#body.cancel(this.#error);
    throw this.#error;
  }

  fill(): Promise<void> {
    return this.#error === null ? this.#body.fill() : Promise.reject(this.#error);
  }

  cancel(reason: WeirError): void {
    this.#body.cancel(reason);
  }
}
