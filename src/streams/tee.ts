/**
 * Keeping a copy of a body on its way.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import type { StoredBody } from "./store.ts";

/**
 * `body`, copied into `stored` as it is taken. A piece goes out before it is written; the next one waits for the disk. That
 * recording fails or is given up does not touch the body.
 */
export function teed(body: Body, stored: StoredBody): Body {
  return new TeedBody(body, stored);
}

class TeedBody extends PassingBody {
  readonly #stored: StoredBody;
  /** The write of the piece that was taken last; never rejects. */
  #writing: Promise<void> | null = null;

  constructor(body: Body, stored: StoredBody) {
    super(body);
    this.#stored = stored;
  }

  override take(): Uint8Array | null | undefined {
    // The piece that is being written is valid only until the source is asked for the next one.
    if (this.#writing !== null) return undefined;
    let piece: Uint8Array | null | undefined;
    try {
      piece = this.source.take();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
    if (piece === null) this.#stored.end(null);
    else if (piece !== undefined) {
      const writing = this.#stored.append(piece);
      if (writing !== undefined) this.#writing = writing.then(this.#written);
    }
    return piece;
  }

  readonly #written = () => {
    this.#writing = null;
  };

  override async fill(): Promise<void> {
    if (this.#writing !== null) await this.#writing;
    try {
      await this.source.fill();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  override cancel(reason: WeirError): void {
    this.source.cancel(reason);
    this.#stored.end(reason);
  }

  #failed(thrown: unknown): WeirError {
    const error = WeirError.from(thrown, "weir", "internal", "The body could not be read");
    this.#stored.end(error);
    return error;
  }
}
