/**
 * `delayStream`: a body that comes later, in the same order and with the same pauses.
 * @module
 */
import { WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import { checkCount } from "./arguments.ts";
import type { Body } from "./body.ts";
import { holdOf, type HoldOptions } from "./hold.ts";
import { Stage } from "./stage.ts";

/**
 * Each chunk goes out `ms` milliseconds after it came, and so does the end. What is on its way meanwhile is
 * held: at most `hold` bytes (1 MiB), beyond which the source is stopped and pauses grow shorter.
 *
 * @example
 * ```ts
 * import { delayStream } from "weir";
 *
 * const began = Date.now();
 * const text = await new Response(new Response("hello").body!.pipeThrough(delayStream(50))).text();
 * if (text !== "hello" || Date.now() - began < 45) throw new Error(text);
 * ```
 *
 * @throws {TypeError} when `ms` is no whole number, at least 0, or `hold` none above 0.
 */
export function delayStream(ms: number, options?: HoldOptions): TransformStream<Uint8Array, Uint8Array> {
  checkCount("delayStream", "milliseconds", ms);
  const hold = holdOf(options);
  return new Stage((source) => new DelayedBody(source, ms, hold));
}

/** A piece, or how the body ended, and when that may go out. */
interface Held {
  readonly due: number;
  readonly piece: Uint8Array | null;
  readonly chunkLeft: number;
  readonly error: WeirError | null;
}

class DelayedBody implements Body {
  readonly #source: Body;
  readonly #ms: number;
  readonly #hold: number;
  readonly #queue: Held[] = [];
  #held = 0;
  #chunkLeft = 0;
  /** Reading ahead: under way, waiting for room, or over. */
  #state: "idle" | "reading" | "full" | "over" = "idle";
  readonly #wakeup = new Wakeup();
  #cancelled: WeirError | null = null;

  constructor(source: Body, ms: number, hold: number) {
    this.#source = source;
    this.#ms = ms;
    this.#hold = hold;
  }

  get size(): number | null {
    return this.#source.size;
  }

  get chunked(): boolean {
    return this.#source.chunked;
  }

  get chunkLeft(): number {
    return this.#chunkLeft;
  }

  get trailers(): string[] | null {
    return this.#source.trailers;
  }

  take(): Uint8Array | null | undefined {
    if (this.#cancelled !== null) throw this.#cancelled;
    this.#start();
    const [first] = this.#queue;
    if (first === undefined || first.due > performance.now()) return undefined;
    // The end stays, for whoever asks again.
    if (first.error !== null) throw first.error;
    if (first.piece === null) return null;
    this.#queue.shift();
    this.#held -= first.piece.length;
    this.#chunkLeft = first.chunkLeft;
    if (this.#state === "full") this.#state = "idle", this.#start();
    return first.piece;
  }

  fill(): Promise<void> {
    if (this.#cancelled !== null) return Promise.reject(this.#cancelled);
    this.#start();
    const due = this.#wakeup.wait();
    this.#await();
    return due;
  }

  cancel(reason: WeirError): void {
    if (this.#cancelled !== null) return;
    this.#cancelled = reason;
    this.#queue.length = this.#held = 0;
    this.#source.cancel(reason);
    this.#wakeup.fail(reason);
  }

  /** Wakes who waits when the first one is due. */
  #await(): void {
    const [first] = this.#queue;
    if (first !== undefined && this.#wakeup.isAwaited) this.#wakeup.wakeIn(first.due - performance.now());
  }

  #start(): void {
    if (this.#state === "idle") this.#read();
  }

  /** Reads ahead until the end, or until there is no room. */
  async #read(): Promise<void> {
    this.#state = "reading";
    try {
      for (;;) {
        const piece = this.#source.take();
        if (piece === undefined) {
          await this.#source.fill();
          continue;
        }
        if (this.#cancelled !== null) return;
        this.#keep(piece === null ? null : piece.slice(), null);
        if (piece === null) return void (this.#state = "over");
        if (this.#held >= this.#hold) return void (this.#state = "full");
      }
    } catch (thrown) {
      this.#state = "over";
      this.#keep(null, WeirError.from(thrown, "weir", "internal", "The body could not be read"));
    }
  }

  #keep(piece: Uint8Array | null, error: WeirError | null): void {
    const chunkLeft = piece === null ? 0 : this.#source.chunkLeft;
    this.#queue.push({ due: performance.now() + this.#ms, piece, chunkLeft, error });
    this.#held += piece?.length ?? 0;
    if (this.#queue.length === 1) this.#await();
  }
}
