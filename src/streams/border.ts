/**
 * `stallStream`, `cutStream`, `limitStream` and `corruptStream`: bodies to which something happens at a byte.
 * @module
 */
import { WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import { checkCount } from "./arguments.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";

/**
 * Lets `atByte` bytes through, then waits once for `ms` milliseconds. A body that ends there or before does
 * not wait.
 *
 * @example
 * ```ts
 * import { stallStream } from "weir";
 *
 * const began = Date.now(), stage = stallStream(2, 50);
 * const text = await new Response(new Response("hello").body!.pipeThrough(stage)).text();
 * if (text !== "hello" || Date.now() - began < 45) throw new Error(text);
 * ```
 *
 * @throws {TypeError} when one is no whole number, at least 0.
 */
export function stallStream(atByte: number, ms: number): TransformStream<Uint8Array, Uint8Array> {
  checkCount("stallStream", "the byte to stop at", atByte);
  checkCount("stallStream", "milliseconds", ms);
  return new Stage((source) => new StalledBody(source, atByte, ms));
}

/**
 * Lets exactly `atByte` bytes through, then cuts the body: its reader sees that it is broken. A body that
 * ends there or before is left alone.
 *
 * @example
 * ```ts
 * import { cutStream } from "weir";
 *
 * const reader = new Response("hello").body!.pipeThrough(cutStream(2)).getReader();
 * const { value } = await reader.read();
 * const error = await reader.read().catch((error) => error);
 * if (value!.length !== 2 || error.code !== "killed") throw new Error(`${value!.length}, ${error}`);
 * ```
 *
 * @throws {TypeError} when it is no whole number, at least 0.
 */
export function cutStream(atByte: number): TransformStream<Uint8Array, Uint8Array> {
  checkCount("cutStream", "the byte to stop at", atByte);
  const error = () => new WeirError("weir", "killed", `The body was cut after ${atByte} bytes (cutStream).`);
  return new Stage((source) => new CutBody(source, atByte, error));
}

/**
 * Cuts a body that is larger than `bytes` bytes (code `limit`); those within it have gone out by then.
 *
 * @example
 * ```ts
 * import { limitStream } from "weir";
 *
 * const body = new Response("hello").body!.pipeThrough(limitStream(4));
 * const error = await new Response(body).text().catch((error) => error);
 * if (error.code !== "limit") throw new Error(error);
 * ```
 *
 * @throws {TypeError} when it is no whole number, at least 0.
 */
export function limitStream(bytes: number): TransformStream<Uint8Array, Uint8Array> {
  checkCount("limitStream", "bytes", bytes);
  const error = () => new WeirError("weir", "limit", `The body is larger than ${bytes} bytes (limitStream).`);
  return new Stage((source) => new CutBody(source, bytes, error));
}

/**
 * Flips the lowest bit of the byte at `atByte` (the first is 0), and lets all others through as they are. A
 * body that ends before it is left alone.
 *
 * ```ts
 * import { corruptStream, type HttpFlow } from "weir";
 *
 * export function response(flow: HttpFlow) {
 *   flow.response!.sendThrough(() => corruptStream(1024));
 * }
 * ```
 * @throws {TypeError} when it is no whole number, at least 0.
 */
export function corruptStream(atByte: number): TransformStream<Uint8Array, Uint8Array> {
  checkCount("corruptStream", "the byte to damage", atByte);
  return new Stage((source) => new CorruptBody(source, atByte));
}

/** Passes so many bytes on; a subclass says what becomes of those beyond. */
abstract class BorderBody extends PassingBody {
  /** Bytes before the border. */
  #left: number;
  /** What of a piece lies beyond it. */
  protected rest: Uint8Array | null = null;

  constructor(source: Body, border: number) {
    super(source);
    this.#left = border;
  }

  override get chunkLeft(): number {
    return this.source.chunkLeft + (this.rest?.length ?? 0);
  }

  override take(): Uint8Array | null | undefined {
    if (this.#left === 0) return this.beyond();
    const piece = this.source.take();
    if (!piece) return piece;
    if (piece.length <= this.#left) {
      this.#left -= piece.length;
      return piece;
    }
    this.rest = piece.subarray(this.#left);
    const before = piece.subarray(0, this.#left);
    this.#left = 0;
    return before;
  }

  override fill(): Promise<void> {
    return this.rest === null ? this.source.fill() : Promise.resolve();
  }

  /** What `take` gives once all before the border was taken: `rest` first, then what the source gives. */
  protected abstract beyond(): Uint8Array | null | undefined;
}

class CutBody extends BorderBody {
  readonly #makeError: () => WeirError;
  #error: WeirError | null = null;

  constructor(source: Body, border: number, makeError: () => WeirError) {
    super(source, border);
    this.#makeError = makeError;
  }

  protected beyond(): null | undefined {
    if (this.#error !== null) throw this.#error;
    const piece = this.rest ?? this.source.take();
    if (piece === null || piece === undefined) return piece;
    this.#error = this.#makeError();
    this.source.cancel(this.#error);
    throw this.#error;
  }
}

class StalledBody extends BorderBody {
  readonly #ms: number;
  /** When the border was reached. */
  #since: number | null = null;
  #isOver = false;
  readonly #wakeup = new Wakeup();

  constructor(source: Body, border: number, ms: number) {
    super(source, border);
    this.#ms = ms;
  }

  protected beyond(): Uint8Array | null | undefined {
    this.#since ??= performance.now();
    if (this.rest === null) {
      const piece = this.source.take();
      if (!piece || this.#isOver) return piece;
      this.rest = piece;
    }
    if (this.#left() > 0) return undefined;
    this.#isOver = true;
    const { rest } = this;
    this.rest = null;
    return rest;
  }

  override fill(): Promise<void> {
    if (this.rest === null || this.#since === null || this.#left() <= 0) return super.fill();
    return this.#wakeup.wait(this.#left());
  }

  override cancel(reason: WeirError): void {
    this.source.cancel(reason);
    this.#wakeup.fail(reason);
  }

  #left(): number {
    return this.#ms - (performance.now() - this.#since!);
  }
}

class CorruptBody extends PassingBody {
  /** Bytes before the one that is damaged; below 0 when that has passed. */
  #left: number;

  constructor(source: Body, at: number) {
    super(source);
    this.#left = at;
  }

  override take(): Uint8Array | null | undefined {
    const piece = this.source.take();
    if (!piece || this.#left < 0) return piece;
    const at = this.#left;
    this.#left -= piece.length;
    if (this.#left >= 0) return piece;
    this.#left = -1;
    // The piece may be somebody else's: a buffered body, a copy that is kept.
    const damaged = piece.slice();
    damaged[at] ^= 1;
    return damaged;
  }
}
