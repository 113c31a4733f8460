/**
 * Knowing what has gone through a body, and when it ended.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";

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

class MeteredBody extends PassingBody {
  readonly #onBytes: (count: number) => void;
  #onEnd: ((error: WeirError | null) => void) | null;

  constructor(body: Body, onBytes: (count: number) => void, onEnd: (error: WeirError | null) => void) {
    super(body);
    this.#onBytes = onBytes;
    this.#onEnd = onEnd;
  }

  override take(): Uint8Array | null | undefined {
    let piece: Uint8Array | null | undefined;
    try {
      piece = this.source.take();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
    if (piece) this.#onBytes(piece.length);
    else if (piece === null) this.#end(null);
    return piece;
  }

  override async fill(): Promise<void> {
    try {
      await this.source.fill();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  override cancel(reason: WeirError): void {
    this.source.cancel(reason);
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
