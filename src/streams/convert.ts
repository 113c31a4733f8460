/**
 * The two doors between a {@linkcode Body} and the web's streams.
 *
 * `readableOf` is for hooks and for whoever keeps a body; `bodyOf` takes what they give back, and what addons
 * answer with.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { asBytes, notBytes, threw } from "./bytes.ts";
import { ignore } from "./iterators.ts";
import { PulledBody } from "./pulled.ts";

/**
 * The rest of `body` as a stream of copies. Nothing is read before it is asked for; cancelling the stream
 * cancels the body.
 */
export function readableOf(body: Body): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      let piece = body.take();
      while (piece === undefined) {
        await body.fill();
        piece = body.take();
      }
      if (piece === null) controller.close();
      else controller.enqueue(piece.slice());
    },
    cancel(reason) {
      body.cancel(WeirError.from(reason, "weir", "closed", "The reader of the body cancelled it"));
    },
  }, { highWaterMark: 0 });
}

/** Options for {@linkcode bodyOf}. */
export interface BodyOptions {
  /** Bytes in the whole stream where that is known. */
  size?: number | null;
  /** Trailer fields; asked for once, when the stream has ended. */
  trailers?: () => string[] | null;
  /**
   * Told when the stream failed or gave something that is no bytes, before the body fails with the same
   * error.
   */
  onError?: (error: WeirError) => void;
  /** What the stream is, at the start of a sentence; "The stream" by default. */
  what?: string;
}

/** A body out of a stream of bytes or strings; every chunk of the stream is a chunk of the body. */
export function bodyOf(readable: ReadableStream<unknown>, options: BodyOptions = {}): Body {
  return new ReaderBody(readable.getReader(), options);
}

/** The body that a stream's reader gives. */
export class ReaderBody extends PulledBody {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #options: BodyOptions;
  readonly #what: string;
  #trailers: string[] | null = null;

  constructor(reader: ReadableStreamDefaultReader<unknown>, options: BodyOptions = {}) {
    super(options.size ?? null);
    this.#reader = reader;
    this.#options = options;
    this.#what = options.what ?? "The stream";
    // The stream may fail while nobody reads; the next read says so.
    reader.closed.catch(ignore);
  }

  get trailers(): string[] | null {
    return this.#trailers;
  }

  protected pull(): Uint8Array | null | undefined {
    this.#reader.read().then(this.#read, this.#failed);
    return undefined;
  }

  readonly #read = (step: ReadableStreamReadResult<unknown>) => {
    if (!this.open) return;
    if (step.done) {
      this.ended();
      this.#trailers = this.#options.trailers?.() ?? null;
      return this.arrive(null);
    }
    const bytes = asBytes(step.value);
    if (bytes === null) this.broken(notBytes(this.#what, step.value));
    else if (bytes.length === 0) this.resume();
    else this.arrive(bytes);
  };

  readonly #failed = (thrown: unknown) =>
    this.broken(thrown instanceof WeirError ? thrown : threw(this.#what, thrown));

  /** The stream has ended. */
  protected ended(): void {}

  /** The stream failed, by its own fault. */
  protected broken(error: WeirError): void {
    if (!this.open) return;
    this.#options.onError?.(error);
    this.fail(error);
  }

  protected release(reason: WeirError): void {
    this.#reader.cancel(reason).catch(ignore);
  }
}
