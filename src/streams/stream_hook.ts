/**
 * `message.stream = new TransformStream(…)`, or any `{ readable, writable }`: the body is piped through.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { threw } from "./bytes.ts";
import { ReaderBody } from "./convert.ts";
import { Discard } from "./discard.ts";
import { ignore } from "./iterators.ts";
import { type Chunk, HookChunks } from "./split.ts";
import { Stage } from "./stage.ts";

const WHAT = "The stream hook";

/** What a body can be piped through. */
export interface StreamPair {
  /** What it gives: bytes, or text. */
  readonly readable: ReadableStream<unknown>;
  /** What it gets: the chunks of the body. */
  readonly writable: WritableStream<Chunk>;
}

/** A stage that pipes a body through somebody else's streams. */
export function foreign(pair: StreamPair): Stage {
  return new Stage((source, onFault) => new StreamHookBody(source, pair, onFault));
}

/** The body that comes out of a pair of streams when another one is written into it. */
class StreamHookBody extends ReaderBody {
  readonly #source: HookChunks;
  readonly #writer: WritableStreamDefaultWriter<Chunk>;
  #feeding: Promise<void> | null = null;
  #state: "feeding" | "fed" | "discarding" | "stopped" = "feeding";
  #writeError: unknown = null;
  #reading = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rest: Discard | null = null;

  /** @throws {TypeError} when one of the streams is locked. */
  constructor(source: Body, pair: StreamPair, onFault: (error: WeirError) => void) {
    const writer = pair.writable.getWriter();
    super(pair.readable.getReader(), { onError: onFault, what: WHAT });
    this.#writer = writer;
    this.#source = new HookChunks(source);
    writer.closed.catch(ignore);
  }

  override get trailers(): string[] | null {
    return this.#state === "fed" ? this.#source.trailers : null;
  }

  protected override pull(): Uint8Array | null | undefined {
    this.#feeding ??= this.#feed();
    this.#reading = true;
    this.#watch();
    return super.pull();
  }

  /** Writes the source's chunks as the pair takes them. Never rejects. */
  async #feed(): Promise<void> {
    const writer = this.#writer;
    while (this.#state === "feeding") {
      try {
        await writer.ready;
      } catch (thrown) {
        return this.#refused(thrown);
      }
      let chunk: Chunk | null | undefined;
      try {
        while (this.#state === "feeding" && (chunk = this.#source.take()) === undefined) {
          await this.#source.fill();
        }
      } catch (thrown) {
        return this.fail(WeirError.from(thrown, "weir", "internal", "The body could not be read"));
      }
      // `ended` and `release` may have come while the source was waited for.
      if (this.#state !== "feeding") return;
      if (chunk === null || chunk === undefined) {
        this.#state = "fed";
        return void writer.close().catch((thrown) => this.#refused(thrown));
      }
      writer.write(chunk).catch(ignore);
    }
  }

  /**
   * The pair takes no more. After `terminate()` its readable side still gives what it has, and then ends in
   * order; a read that does not give anything soon shows that this is a failure.
   */
  #refused(thrown: unknown): void {
    this.#writeError = thrown ?? new Error("its writable side was aborted");
    this.#watch();
  }

  #watch(): void {
    if (this.#writeError === null || !this.#reading || !this.open) return;
    this.#timer = setTimeout(() => this.broken(threw(WHAT, this.#writeError)), 0);
  }

  #answered(): void {
    this.#reading = false;
    clearTimeout(this.#timer);
  }

  protected override arrive(piece: Uint8Array | null): void {
    this.#answered();
    super.arrive(piece);
  }

  protected override resume(gather?: boolean): void {
    this.#answered();
    super.resume(gather);
  }

  /** The readable side's end is the body's end, also when not all was written. */
  protected override ended(): void {
    if (this.#state !== "feeding") return;
    this.#state = "discarding";
    this.#writer.abort().catch(ignore);
    this.#rest = new Discard(this.#source, this.#feeding);
  }

  protected override release(reason: WeirError): void {
    this.#answered();
    this.#rest?.cancel(reason);
    if (this.#state === "feeding") this.#source.cancel(reason);
    this.#state = "stopped";
    this.#writer.abort(reason).catch(ignore);
    super.release(reason);
  }
}
