/**
 * `message.stream = async function* (chunks) { … }`: the classic form. What the generator yields is the body.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { asBytes, notBytes, threw } from "./bytes.ts";
import { Discard } from "./discard.ts";
import { closeIterator, ignore } from "./iterators.ts";
import { PulledBody } from "./pulled.ts";
import { type Chunk, HookChunks } from "./split.ts";
import { Stage } from "./stage.ts";

const WHAT = "The stream hook";

/** A stage that is what a generator yields for all the chunks. */
export function generated(hook: (chunks: AsyncIterable<Chunk>) => AsyncIterator<unknown>): Stage {
  return new Stage((source, onFault) => new GeneratorHookBody(source, hook, onFault));
}

/** The body that a generator makes of another one. */
class GeneratorHookBody extends PulledBody {
  readonly #chunks: ChunkFeed;
  readonly #hook: (chunks: AsyncIterable<Chunk>) => AsyncIterator<unknown>;
  readonly #onFault: (error: WeirError) => void;
  #generator: AsyncIterator<unknown> | null = null;

  constructor(
    source: Body,
    hook: (chunks: AsyncIterable<Chunk>) => AsyncIterator<unknown>,
    onFault: (error: WeirError) => void,
  ) {
    super();
    this.#chunks = new ChunkFeed(source, (error) => this.fail(error));
    this.#hook = hook;
    this.#onFault = onFault;
  }

  get trailers(): string[] | null {
    return this.#chunks.trailers;
  }

  protected pull(): undefined {
    try {
      this.#generator ??= this.#hook(this.#chunks);
      this.#generator.next().then(this.#stepped, this.#threw);
    } catch (thrown) {
      this.#threw(thrown);
    }
  }

  readonly #stepped = (step: IteratorResult<unknown>) => {
    if (!this.open) return;
    if (step.done) {
      // The generator's end is the body's end, also when it did not read all that there is.
      this.#generator = null;
      this.#chunks.discard();
      return this.arrive(null);
    }
    const bytes = asBytes(step.value);
    if (bytes === null) this.#broken(notBytes(WHAT, step.value));
    else if (bytes.length === 0) this.resume();
    else this.arrive(bytes);
  };

  readonly #threw = (thrown: unknown) => {
    this.#generator = null;
    this.#broken(threw(WHAT, thrown));
  };

  #broken(error: WeirError): void {
    // A generator that passes on its source's failure, or swallows it, has no say any more.
    if (!this.open) return;
    this.#onFault(error);
    this.fail(error);
  }

  protected release(reason: WeirError): void {
    this.#chunks.cancel(reason);
    closeIterator(this.#generator);
  }
}

/**
 * The chunks of a body for a generator, one at a time as it asks for them. Leaving a `for await` loop does
 * not end it: a generator may look at the first chunks in one loop and pass on the others in a second one.
 */
class ChunkFeed implements AsyncIterableIterator<Chunk> {
  readonly #source: HookChunks;
  readonly #onCut: (error: WeirError) => void;
  /** A `fill` that is under way; never rejects. */
  #filling: Promise<void> | null = null;
  #refuse: ((error: WeirError) => void) | null = null;
  #state: "open" | "ended" | "discarding" | "cut" = "open";
  #error: WeirError | null = null;
  #rest: Discard | null = null;

  constructor(source: Body, onCut: (error: WeirError) => void) {
    this.#source = new HookChunks(source);
    this.#onCut = onCut;
  }

  /** Only of a body that was read to its end. */
  get trailers(): string[] | null {
    return this.#state === "ended" ? this.#source.trailers : null;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Chunk> {
    return this;
  }

  next(): Promise<IteratorResult<Chunk>> {
    if (this.#filling !== null) return this.#filling.then(() => this.next());
    if (this.#error !== null) return rejected(this.#error);
    if (this.#state !== "open") return Promise.resolve(DONE);
    let chunk: Chunk | null | undefined;
    try {
      chunk = this.#source.take();
    } catch (thrown) {
      return rejected(this.#cut(thrown));
    }
    if (chunk === null) {
      this.#state = "ended";
      return Promise.resolve(DONE);
    }
    return chunk === undefined ? this.#wait() : Promise.resolve({ done: false, value: chunk });
  }

  #wait(): Promise<IteratorResult<Chunk>> {
    const chunk = new Promise<IteratorResult<Chunk>>((resolve, reject) => {
      this.#refuse = reject;
      this.#filling = this.#source.fill().then(() => {
        this.#filling = this.#refuse = null;
        resolve(this.next());
      }, (thrown) => {
        this.#filling = this.#refuse = null;
        reject(this.#cut(thrown));
      });
    });
    // A generator may have asked without waiting for the answer.
    chunk.catch(ignore);
    return chunk;
  }

  /** The generator has left a loop; it may begin another. */
  return(): Promise<IteratorResult<Chunk>> {
    return Promise.resolve(DONE);
  }

  /** The generator will not ask again: what it has not read is not wanted. */
  discard(): void {
    if (this.#state !== "open") return;
    if (this.#filling === null) {
      try {
        if (this.#source.take() === null) {
          this.#state = "ended";
          return;
        }
      } catch {
        // Cut short in the part that nobody wanted.
        this.#state = "discarding";
        return;
      }
    }
    this.#state = "discarding";
    this.#rest = new Discard(this.#source, this.#filling);
  }

  cancel(reason: WeirError): void {
    if (this.#rest !== null) return this.#rest.cancel(reason);
    if (this.#state !== "open") return;
    this.#state = "cut";
    this.#error = reason;
    this.#source.cancel(reason);
    this.#refuse?.(reason);
  }

  #cut(thrown: unknown): WeirError {
    if (this.#error !== null) return this.#error;
    const error = WeirError.from(thrown, "weir", "internal", "The body could not be read");
    this.#error = error;
    this.#state = "cut";
    this.#onCut(error);
    return error;
  }
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** Rejected, and handled: the generator need not look. */
function rejected(error: WeirError): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(ignore);
  return promise;
}
