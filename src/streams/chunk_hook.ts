/**
 * `message.stream = (chunk) => …`: a function that is called for each chunk, and once more with an empty one
 * at the end.
 *
 * Its results are pulled: an iterable that it returns for one chunk is asked for its next piece when the
 * reader wants one, and the next chunk is read after that.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { asBytes, notBytes, threw } from "./bytes.ts";
import { closeIterable, closeIterator, isThenable } from "./iterators.ts";
import { PulledBody } from "./pulled.ts";
import { type Chunk, HookChunks } from "./split.ts";
import { Stage } from "./stage.ts";

const WHAT = "The stream hook";

/** A stage that hands each chunk to a function, and at the end an empty one. */
export function perChunk(hook: (chunk: Chunk) => unknown): Stage {
  return new Stage((source, onFault) =>
    new ChunkHookBody(new HookChunks(source), hook as (chunk: Uint8Array) => unknown, onFault)
  );
}

/**
 * The same for weir's own stages (`what` is at fault where the function fails): the pieces are neither cut
 * nor copied. A piece belongs to the source: it is valid until the function is called again, and what is kept
 * longer is copied. What it gives may be a part of the piece.
 */
export function perPiece(hook: (piece: Uint8Array) => unknown, what = WHAT): Stage {
  return new Stage((source, onFault) => new ChunkHookBody(source, hook, onFault, what));
}

/** The body that a per-chunk hook makes of another one. */
class ChunkHookBody extends PulledBody {
  readonly #source: Body;
  readonly #hook: (chunk: Uint8Array) => unknown;
  readonly #onFault: (error: WeirError) => void;
  readonly #what: string;
  #outputs: Iterator<unknown> | null = null;
  #asyncOutputs: AsyncIterator<unknown> | null = null;
  #last = false;

  constructor(
    source: Body,
    hook: (chunk: Uint8Array) => unknown,
    onFault: (error: WeirError) => void,
    what = WHAT,
  ) {
    super();
    this.#what = what;
    this.#source = source;
    this.#hook = hook;
    this.#onFault = onFault;
  }

  get trailers(): string[] | null {
    return this.#source.trailers;
  }

  protected pull(): Uint8Array | null | undefined {
    for (;;) {
      let bytes: Uint8Array | null | undefined;
      if (this.#outputs !== null) bytes = this.#nextOutput(this.#outputs);
      else if (this.#asyncOutputs !== null) bytes = this.#awaitOutput(this.#asyncOutputs);
      else if (this.#last) return null;
      else bytes = this.#nextChunk();
      if (bytes !== null) return bytes;
    }
  }

  /**
   * Hands the next chunk to the hook. Like those below: bytes to send, null for none, undefined when it will
   * call back.
   */
  #nextChunk(): Uint8Array | null | undefined {
    let chunk: Uint8Array | null | undefined;
    try {
      chunk = this.#source.take();
    } catch (thrown) {
      return this.#cut(thrown);
    }
    if (chunk === undefined) {
      this.#source.fill().then(this.#resume, this.#cut);
      return undefined;
    }
    if (chunk === null) {
      this.#last = true;
      chunk = new Uint8Array(0);
    }
    let made: unknown;
    try {
      made = this.#hook(chunk);
    } catch (thrown) {
      return this.#threw(thrown);
    }
    return this.#accept(made);
  }

  /** Takes what the hook returned. */
  #accept(made: unknown): Uint8Array | null | undefined {
    if (made === null || made === undefined) return null;
    const bytes = asBytes(made);
    if (bytes !== null) return bytes.length === 0 ? null : bytes;
    try {
      if (typeof made === "object") {
        if (isThenable(made)) {
          Promise.resolve(made).then(this.#resolved, this.#threw);
          return undefined;
        }
        if (Symbol.asyncIterator in made) {
          this.#asyncOutputs = (made as AsyncIterable<unknown>)[Symbol.asyncIterator]();
          return null;
        }
        if (Symbol.iterator in made) {
          this.#outputs = (made as Iterable<unknown>)[Symbol.iterator]();
          return null;
        }
      }
    } catch (thrown) {
      return this.#threw(thrown);
    }
    return this.#broken(notBytes(this.#what, made));
  }

  #nextOutput(outputs: Iterator<unknown>): Uint8Array | null | undefined {
    let step: IteratorResult<unknown>;
    try {
      step = outputs.next();
      if (step.done) {
        this.#outputs = null;
        return null;
      }
    } catch (thrown) {
      this.#outputs = null;
      return this.#threw(thrown);
    }
    return this.#bytesOf(step.value);
  }

  #awaitOutput(outputs: AsyncIterator<unknown>): undefined {
    try {
      Promise.resolve(outputs.next()).then(this.#stepped, this.#threw);
    } catch (thrown) {
      this.#threw(thrown);
    }
  }

  /** One piece of an iterable; null is nothing there as well. */
  #bytesOf(made: unknown): Uint8Array | null | undefined {
    if (made === null) return null;
    const bytes = asBytes(made);
    if (bytes === null) return this.#broken(notBytes(this.#what, made));
    return bytes.length === 0 ? null : bytes;
  }

  readonly #resume = () => this.resume();

  readonly #resolved = (made: unknown) => {
    if (!this.open) return closeIterable(made);
    this.#goOn(this.#accept(made));
  };

  readonly #stepped = (step: IteratorResult<unknown>) => {
    if (!this.open) return;
    if (typeof step !== "object" || step === null) return this.#threw(notBytes("Its iterator", step));
    if (step.done) this.#asyncOutputs = null;
    this.#goOn(step.done ? null : this.#bytesOf(step.value));
  };

  #goOn(bytes: Uint8Array | null | undefined): void {
    if (bytes === null) this.resume(true);
    else if (bytes !== undefined) this.arrive(bytes);
  }

  /**
   * A stage of weir's own throws what went wrong as it is to be told (a limit that was passed, for instance).
   */
  readonly #threw = (thrown: unknown): undefined => {
    this.#asyncOutputs = null;
    return this.#broken(thrown instanceof WeirError ? thrown : threw(this.#what, thrown));
  };

  /** The source failed: that is no fault of the hook's, which is not told of an end that did not come. */
  readonly #cut = (thrown: unknown): undefined => {
    this.fail(WeirError.from(thrown, "weir", "internal", "The body could not be read"));
  };

  #broken(error: WeirError): undefined {
    if (!this.open) return;
    this.#onFault(error);
    this.fail(error);
  }

  protected release(reason: WeirError): void {
    if (!this.#last) this.#source.cancel(reason);
    const outputs = this.#outputs, asyncOutputs = this.#asyncOutputs;
    this.#outputs = this.#asyncOutputs = null;
    closeIterator(outputs);
    closeIterator(asyncOutputs);
  }
}
