/**
 * A body that may not be larger than so many bytes (`body_size_limit`), buffered or streamed.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";

/**
 * Passes `body` on until more than `max` bytes have come, or at once when its size says so; then it fails with `makeError(n)`,
 * where `n` is the size as far as it is known, and the source is cancelled.
 */
export function limited(body: Body, max: number, makeError: (size: number) => WeirError): Body {
  return new LimitedBody(body, max, makeError);
}

class LimitedBody extends PassingBody {
  readonly #max: number;
  readonly #makeError: (size: number) => WeirError;
  #passed = 0;
  #error: WeirError | null = null;

  constructor(body: Body, max: number, makeError: (size: number) => WeirError) {
    super(body);
    this.#max = max;
    this.#makeError = makeError;
  }

  override take(): Uint8Array | null | undefined {
    if (this.#error !== null) throw this.#error;
    const { size } = this.source;
    if (size !== null && size > this.#max) this.#refuse(size);
    const piece = this.source.take();
    if (piece && (this.#passed += piece.length) > this.#max) this.#refuse(this.#passed);
    return piece;
  }

  #refuse(size: number): never {
    this.#error = this.#makeError(size);
    this.source.cancel(this.#error);
    throw this.#error;
  }

  override fill(): Promise<void> {
    return this.#error === null ? this.source.fill() : Promise.reject(this.#error);
  }
}
