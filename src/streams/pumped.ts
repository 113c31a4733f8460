/**
 * Stages that are a generator which is given the pieces of a body as it asks for them: nothing is copied, and no promise is made
 * for a piece that is there.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { threw } from "./bytes.ts";
import { closeIterator } from "./iterators.ts";
import { PulledBody } from "./pulled.ts";
import { Stage } from "./stage.ts";

/**
 * Yields bytes that go on, which stay as they are until it is called again, or null for the next piece of the source, which is valid
 * until the one after it is asked for. It is given null at the source's end.
 */
export type Pump = Generator<Uint8Array | null, void, Uint8Array | null>;

/** A stage that runs a pump for its body; `warn` is told what goes wrong without doing harm. */
export function pumped(pump: (warn: (text: string) => void) => Pump): Stage {
  return new Stage((source, onFault, warn) => new PumpedBody(source, pump(warn), onFault));
}

class PumpedBody extends PulledBody {
  readonly #source: Body;
  readonly #onFault: (error: WeirError) => void;
  #pump: Pump | null;
  /** What the pump is given next. */
  #piece: Uint8Array | null = null;
  #hasEnded = false;

  constructor(source: Body, pump: Pump, onFault: (error: WeirError) => void) {
    super();
    this.#source = source;
    this.#pump = pump;
    this.#onFault = onFault;
  }

  get trailers(): string[] | null {
    return this.#source.trailers;
  }

  protected pull(): Uint8Array | null | undefined {
    for (;;) {
      let step: IteratorResult<Uint8Array | null, void>;
      try {
        step = this.#pump!.next(this.#piece);
      } catch (thrown) {
        this.#pump = null;
        const error = thrown instanceof WeirError ? thrown : threw("The stream hook", thrown);
        this.#onFault(error);
        this.fail(error);
        return undefined;
      }
      this.#piece = null;
      if (step.done) {
        this.#pump = null;
        return null;
      }
      if (step.value !== null) {
        if (step.value.length > 0) return step.value;
        continue;
      }
      if (!this.#next()) return undefined;
    }
  }

  /** Has the next piece of the source ready; false where it will call back. */
  #next(): boolean {
    if (this.#hasEnded) return true;
    try {
      const piece = this.#source.take();
      if (piece === undefined) {
        this.#source.fill().then(this.#filled, this.#cut);
        return false;
      }
      this.#hasEnded = piece === null;
      this.#piece = piece;
      return true;
    } catch (thrown) {
      this.#cut(thrown);
      return false;
    }
  }

  readonly #filled = () => {
    if (this.open && this.#next()) this.resume(true);
  };

  /** The source failed: that is no fault of the pump's, which is not told of an end that did not come. */
  readonly #cut = (thrown: unknown) => {
    this.fail(WeirError.from(thrown, "weir", "internal", "The body could not be read"));
  };

  protected release(reason: WeirError): void {
    if (!this.#hasEnded) this.#source.cancel(reason);
    const pump = this.#pump;
    this.#pump = null;
    closeIterator(pump);
  }
}
