/**
 * The common part of bodies that are made of what a function gives for the pieces of another one: at once, by
 * promise, or as an iterator of several.
 *
 * What is given is pulled: an iterator is asked for its next piece when the reader wants one, and the
 * function is called again when it has no more.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { notBytes, threw } from "./bytes.ts";
import { closeIterator } from "./iterators.ts";
import { PulledBody } from "./pulled.ts";

/** Subclasses call the function, and say what its answers mean. */
export abstract class AnsweredBody extends PulledBody {
  protected readonly source: Body;
  readonly #onFault: (error: WeirError) => void;
  /** Who is at fault where the function fails. */
  readonly #what: string;
  #outputs: Iterator<unknown> | null = null;
  #asyncOutputs: AsyncIterator<unknown> | null = null;

  constructor(source: Body, onFault: (error: WeirError) => void, what: string) {
    super();
    this.source = source;
    this.#onFault = onFault;
    this.#what = what;
  }

  get trailers(): string[] | null {
    return this.source.trailers;
  }

  /** The bytes of one of several pieces; null for none. What it throws fails the body. */
  protected abstract bytesOf(made: unknown): Uint8Array | null;

  /** There are more pieces of what was given last: `nextOutput` has them. */
  protected get hasOutputs(): boolean {
    return this.#outputs !== null || this.#asyncOutputs !== null;
  }

  /** Several pieces were given. */
  protected takeOutputs(iterable: Iterable<unknown> | AsyncIterable<unknown>): void {
    if (Symbol.asyncIterator in iterable) this.#asyncOutputs = iterable[Symbol.asyncIterator]();
    else this.#outputs = iterable[Symbol.iterator]();
  }

  /** The next piece of several; null when there is none (any more), undefined when it will call back. */
  protected nextOutput(): Uint8Array | null | undefined {
    try {
      if (this.#asyncOutputs !== null) {
        Promise.resolve(this.#asyncOutputs.next()).then(this.#stepped, this.threw);
        return undefined;
      }
      const step = this.#next(this.#outputs!);
      return step.done ? null : this.bytesOf(step.value);
    } catch (thrown) {
      return this.threw(thrown);
    }
  }

  #next(outputs: Iterator<unknown>): IteratorResult<unknown> {
    // One that has failed is not closed.
    this.#outputs = null;
    const step = outputs.next();
    if (!step.done) this.#outputs = outputs;
    return step;
  }

  readonly #stepped = (step: IteratorResult<unknown>) => {
    if (!this.open) return;
    if (typeof step !== "object" || step === null) return this.threw(notBytes("Its iterator", step));
    let bytes: Uint8Array | null = null;
    if (step.done) this.#asyncOutputs = null;
    else {
      try {
        bytes = this.bytesOf(step.value);
      } catch (thrown) {
        return this.broken(this.errorOf(thrown));
      }
    }
    if (bytes === null) this.resume(true);
    else this.arrive(bytes);
  };

  /** The source has more. */
  protected readonly filled = () => this.resume();

  /** The source failed: no fault of the function's, which is not told of an end that did not come. */
  protected readonly cut = (thrown: unknown): undefined => {
    this.fail(WeirError.from(thrown, "weir", "internal", "The body could not be read"));
  };

  /** The function failed, or its iterator. */
  protected readonly threw = (thrown: unknown): undefined => {
    this.#asyncOutputs = null;
    return this.broken(this.errorOf(thrown));
  };

  /**
   * A stage of weir's own throws what went wrong as it is to be told (a limit that was passed, for instance).
   */
  protected errorOf(thrown: unknown): WeirError {
    return thrown instanceof WeirError ? thrown : threw(this.#what, thrown);
  }

  protected broken(error: WeirError): undefined {
    if (!this.open) return;
    this.#onFault(error);
    this.fail(error);
  }

  /** Ends what is still being given. */
  protected closeOutputs(): void {
    const outputs = this.#outputs, asyncOutputs = this.#asyncOutputs;
    this.#outputs = this.#asyncOutputs = null;
    closeIterator(outputs);
    closeIterator(asyncOutputs);
  }
}
