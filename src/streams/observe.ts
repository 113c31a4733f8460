/**
 * Stages that look at a body and leave it as it is: its bytes, their boundaries, its size and its trailers.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { threw } from "./bytes.ts";
import { ignore, isThenable } from "./iterators.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";

/** Who looks. What it throws, or rejects with, cuts the body; a promise holds up what comes next. */
export interface Observer {
  /**
   * Sees each piece as it is taken; it is valid until the promise that is returned settles, if there is one.
   */
  piece?(bytes: Uint8Array): Promise<void> | void;
  /**
   * Told once how the body ended: null in order, else what cut it short or the reason for which nobody wants
   * the rest.
   */
  end?(error: WeirError | null): Promise<void> | void;
}

/** A stage for an observer. */
export function observe(observer: Observer): Stage {
  return new Stage((source, onFault) => new ObservedBody(source, observer, onFault));
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
  readonly #onFault: (error: WeirError) => void;
  /** What the observer works on. Never rejects. */
  #busy: PromiseLike<void> | null = null;
  #wake: (() => void) | null = null;
  #error: WeirError | null = null;
  #isOver = false;

  constructor(source: Body, observer: Observer, onFault: (error: WeirError) => void) {
    super(source);
    this.#observer = observer;
    this.#onFault = onFault;
  }

  override take(): Uint8Array | null | undefined {
    if (this.#error !== null) throw this.#error;
    if (this.#busy !== null) return undefined;
    if (this.#isOver) return null;
    let piece: Uint8Array | null | undefined;
    try {
      piece = this.source.take();
    } catch (thrown) {
      throw this.#cut(thrown);
    }
    if (piece === undefined) return undefined;
    try {
      const busy = piece === null ? this.#end(null) : this.#observer.piece?.(piece);
      if (isThenable(busy)) this.#await(busy);
    } catch (thrown) {
      throw this.#broken(thrown);
    }
    // The end waits for who looks at it; a piece goes out meanwhile.
    return piece === null && this.#busy !== null ? undefined : piece;
  }

  override async fill(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#busy !== null) {
      await this.#orCancelled(this.#busy);
      if (this.#error !== null) throw this.#error;
      if (this.#isOver) return;
    }
    try {
      await this.source.fill();
    } catch (thrown) {
      throw this.#cut(thrown);
    }
  }

  override cancel(reason: WeirError): void {
    this.#error ??= reason;
    this.source.cancel(reason);
    this.#tellEnd(reason);
    this.#wake?.();
  }

  /** An observer may never come to an end; who has cancelled the body does not wait for that. */
  #orCancelled(busy: PromiseLike<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      busy.then(resolve);
    });
  }

  #await(busy: PromiseLike<void>): void {
    this.#busy = busy.then(
      () => void (this.#busy = null),
      (thrown) => {
        this.#busy = null;
        this.#broken(thrown);
      },
    );
  }

  /** The source failed. */
  #cut(thrown: unknown): WeirError {
    if (this.#error !== null) return this.#error;
    const error = this.#error = WeirError.from(thrown, "weir", "internal", "The body could not be read");
    this.source.cancel(error);
    this.#tellEnd(error);
    return error;
  }

  /** The observer failed. */
  #broken(thrown: unknown): WeirError {
    if (this.#error !== null) return this.#error;
    const error = thrown instanceof WeirError ? thrown : threw("The stream hook", thrown);
    this.#onFault(error);
    return this.#cut(error);
  }

  #end(error: WeirError | null): Promise<void> | void {
    if (this.#isOver) return;
    this.#isOver = true;
    return this.#observer.end?.(error);
  }

  /** Nobody waits any more for what an observer makes of a cut. */
  #tellEnd(error: WeirError): void {
    try {
      const ending = this.#end(error);
      if (isThenable(ending)) ending.then(undefined, ignore);
    } catch (thrown) {
      this.#onFault(threw("The stream hook", thrown));
    }
  }
}
