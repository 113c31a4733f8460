/**
 * The two streams of a stage that is used as one: what is written is a body, and what its function makes of
 * that is read.
 *
 * One chunk is on its way at a time, and it is taken when somebody reads; the next one waits in the stream
 * that is written.
 * @module
 */
import { WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import type { Body } from "./body.ts";
import { asBytes, notBytes, threw } from "./bytes.ts";

/** How a stage wants its pieces handed on. */
export interface PairOptions {
  /**
   * It looks at a piece after it has given it out: readers get copies, which they may do with as they like.
   */
  isLate?: boolean;
}

/** The streams for one body; `through` is called at once. */
export function pairOf(
  through: (source: Body) => Body,
  options: PairOptions = {},
): ReadableWritablePair<Uint8Array, Uint8Array> {
  const source = new WrittenBody();
  const body = through(source);
  const isLate = options.isLate === true;
  /** Hands on what is there; true when it was the end, or a piece. */
  const give = (controller: ReadableStreamDefaultController<Uint8Array>): boolean => {
    const piece = body.take();
    if (piece === undefined) return false;
    if (piece === null) controller.close();
    // A chunk that went through as a whole is the reader's; a part of one, or what was made, may be used
    // again.
    else controller.enqueue(!isLate && source.isChunk(piece) ? piece : piece.slice());
    return true;
  };
  const wait = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    do await body.fill(); while (!give(controller));
  };
  const readable = new ReadableStream<Uint8Array>({
    pull: (controller) => give(controller) ? undefined : wait(controller),
    cancel: (reason) =>
      body.cancel(WeirError.from(reason, "weir", "closed", "The reader of the body cancelled it")),
  }, { highWaterMark: 0 });
  return { readable, writable: source.writable };
}

/** The body that is written to a stream, one chunk at a time. */
class WrittenBody implements Body {
  readonly size = null;
  readonly chunked = true;
  readonly chunkLeft = 0;
  readonly trailers = null;
  readonly writable: WritableStream<Uint8Array>;
  #controller!: WritableStreamDefaultController;
  /** The chunk that is to be taken, and the one that was taken last. */
  #next: Uint8Array | null = null;
  #last: Uint8Array | null = null;
  #isEnded = false;
  #error: WeirError | null = null;
  readonly #wakeup = new Wakeup();
  /** Tells the writer that its chunk was taken. */
  #taken: (() => void) | null = null;

  constructor() {
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      write: (chunk) => this.#write(chunk),
      close: () => {
        this.#isEnded = true;
        this.#wakeup.wake();
      },
      abort: (reason) => this.#fail(reason instanceof WeirError ? reason : threw("The stream", reason)),
    });
  }

  /** True when this is all of the chunk that was taken last. */
  isChunk(piece: Uint8Array): boolean {
    const last = this.#last;
    return last !== null && piece.length === last.length && piece.byteOffset === last.byteOffset &&
      piece.buffer === last.buffer;
  }

  take(): Uint8Array | null | undefined {
    const piece = this.#last = this.#next;
    if (piece !== null) {
      this.#next = null;
      this.#taken!();
      return piece;
    }
    if (this.#error !== null) throw this.#error;
    return this.#isEnded ? null : undefined;
  }

  fill(): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    return this.#next !== null || this.#isEnded ? Promise.resolve() : this.#wakeup.wait();
  }

  cancel(reason: WeirError): void {
    if (this.#isEnded || this.#error !== null) return;
    this.#fail(reason);
    this.#controller.error(reason);
  }

  #write(chunk: unknown): Promise<void> | undefined {
    const bytes = asBytes(chunk);
    if (bytes === null) {
      const error = notBytes("The stream", chunk);
      this.#fail(error);
      throw error;
    }
    if (bytes.length === 0) return undefined;
    this.#next = bytes;
    const taken = new Promise<void>((resolve) => this.#taken = resolve);
    this.#wakeup.wake();
    return taken;
  }

  #fail(error: WeirError): void {
    this.#error ??= error;
    this.#next = null;
    this.#taken?.();
    this.#wakeup.fail(error);
  }
}
