/**
 * Knowing what has gone through a body, and when it ended.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";

/**
 * `body`, telling `onBytes` the length of every piece that is taken and `onEnd`, once, how it ended: null for its end, else the
 * error that cut it short or the reason for which it was cancelled.
 */
export function metered(
  body: Body,
  onBytes: (count: number) => void,
  onEnd: (error: WeirError | null) => void,
): Body {
  return new MeteredBody(body, onBytes, onEnd);
}

class MeteredBody implements Body {
  readonly #body: Body;
  readonly #onBytes: (count: number) => void;
  #onEnd: ((error: WeirError | null) => void) | null;

  constructor(body: Body, onBytes: (count: number) => void, onEnd: (error: WeirError | null) => void) {
    this.#body = body;
    this.#onBytes = onBytes;
    this.#onEnd = onEnd;
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
    let piece: Uint8Array | null | undefined;
    try {
      piece = this.#body.take();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
    if (piece) this.#onBytes(piece.length);
    else if (piece === null) this.#end(null);
    return piece;
  }

  async fill(): Promise<void> {
    try {
      await this.#body.fill();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  cancel(reason: WeirError): void {
    this.#body.cancel(reason);
    this.#end(reason);
  }

  #failed(thrown: unknown): WeirError {
    const error = WeirError.from(thrown, "weir", "internal", "The body could not be read");
    this.#end(error);
    return error;
  }

  #end(error: WeirError | null): void {
    const onEnd = this.#onEnd;
    this.#onEnd = null;
    onEnd?.(error);
  }
}
