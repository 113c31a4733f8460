/**
 * `message.stream = (chunk) => …`: a function that is called for each chunk, and once more with an empty one
 * at the end.
 *
 * Its results are pulled: an iterable that it returns for one chunk is asked for its next piece when the
 * reader wants one, and the next chunk is read after that.
 * @module
 */
import type { WeirError } from "../errors.ts";
import { AnsweredBody } from "./answered.ts";
import type { Body } from "./body.ts";
import { asBytes, notBytes } from "./bytes.ts";
import { closeIterable, isThenable } from "./iterators.ts";
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
class ChunkHookBody extends AnsweredBody {
  readonly #hook: (chunk: Uint8Array) => unknown;
  readonly #what: string;
  #last = false;

  constructor(
    source: Body,
    hook: (chunk: Uint8Array) => unknown,
    onFault: (error: WeirError) => void,
    what = WHAT,
  ) {
    super(source, onFault, what);
    this.#what = what;
    this.#hook = hook;
  }

  protected pull(): Uint8Array | null | undefined {
    for (;;) {
      let bytes: Uint8Array | null | undefined;
      if (this.hasOutputs) bytes = this.nextOutput();
      else if (this.#last) return null;
      else bytes = this.#nextChunk();
      if (bytes !== null) return bytes;
    }
  }

  /**
   * Hands the next chunk to the hook. Like the one below: bytes to send, null for none, undefined when it
   * will call back.
   */
  #nextChunk(): Uint8Array | null | undefined {
    let chunk: Uint8Array | null | undefined;
    try {
      chunk = this.source.take();
    } catch (thrown) {
      return this.cut(thrown);
    }
    if (chunk === undefined) {
      this.source.fill().then(this.filled, this.cut);
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
      return this.threw(thrown);
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
          Promise.resolve(made).then(this.#resolved, this.threw);
          return undefined;
        }
        if (Symbol.asyncIterator in made || Symbol.iterator in made) {
          this.takeOutputs(made as Iterable<unknown>);
          return null;
        }
      }
    } catch (thrown) {
      return this.threw(thrown);
    }
    return this.broken(notBytes(this.#what, made));
  }

  protected bytesOf(made: unknown): Uint8Array | null {
    if (made === null) return null;
    const bytes = asBytes(made);
    if (bytes === null) throw notBytes(this.#what, made);
    return bytes.length === 0 ? null : bytes;
  }

  readonly #resolved = (made: unknown) => {
    if (!this.open) return closeIterable(made);
    const bytes = this.#accept(made);
    if (bytes === null) this.resume(true);
    else if (bytes !== undefined) this.arrive(bytes);
  };

  protected release(reason: WeirError): void {
    if (!this.#last) this.source.cancel(reason);
    this.closeOutputs();
  }
}
