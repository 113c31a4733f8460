/**
 * Stages that look at a body and leave it as it is: its bytes, their boundaries, its size and its trailers.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";

/** Who looks. */
export interface Observer {
  /** Sees each piece as it is taken. What it throws cuts the body; a promise (never rejected) holds up the next piece. */
  piece?(bytes: Uint8Array): Promise<void> | void;
  /** Told once how the body ended: null in order, else what cut it short or the reason for which nobody wants the rest. */
  end?(error: WeirError | null): void;
}

/** A stage for an observer. */
export function observe(observer: Observer): Stage {
  return new Stage((source) => new ObservedBody(source, observer));
}

/** Cuts a body with `tooLarge()` where more than `most` bytes have come. */
export function limit(most: number, tooLarge: () => WeirError): Stage {
  let left = most;
  return observe({
    piece(bytes) {
      if ((left -= bytes.length) < 0) throw tooLarge();
    },
  });
}

class ObservedBody extends PassingBody {
  readonly #observer: Observer;
  /** What the piece that was taken last waits for: it is valid only until the source is asked for the next one. */
  #busy: Promise<void> | null = null;
  #error: WeirError | null = null;
  #isOver = false;

  constructor(source: Body, observer: Observer) {
    super(source);
    this.#observer = observer;
  }

  override take(): Uint8Array | null | undefined {
    if (this.#error !== null) throw this.#error;
    if (this.#busy !== null) return undefined;
    try {
      const piece = this.source.take();
      if (piece === null) this.#end(null);
      else if (piece !== undefined) {
        const busy = this.#observer.piece?.(piece);
        if (busy !== undefined) this.#busy = busy.then(this.#goOn);
      }
      return piece;
    } catch (thrown) {
      throw this.#cut(thrown);
    }
  }

  override async fill(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#busy !== null) await this.#busy;
    try {
      await this.source.fill();
    } catch (thrown) {
      throw this.#cut(thrown);
    }
  }

  override cancel(reason: WeirError): void {
    this.source.cancel(reason);
    this.#end(reason);
  }

  readonly #goOn = () => void (this.#busy = null);

  #cut(thrown: unknown): WeirError {
    const error = this.#error = WeirError.from(thrown, "weir", "internal", "The body could not be read");
    this.source.cancel(error);
    this.#end(error);
    return error;
  }

  #end(error: WeirError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#observer.end?.(error);
  }
}
