/**
 * A body that a test feeds by hand, and ways to read one to its end.
 * @module
 */
import { concat } from "@std/bytes";
import type { WeirError } from "../../src/errors.ts";
import type { Body } from "../../src/streams/body.ts";
import { piped, stagesOf, type StreamValue } from "../../src/streams/hook.ts";

/** One piece of a {@linkcode TestBody}: bytes, and how many bytes of its wire chunk follow. */
export interface TestPiece {
  bytes: Uint8Array;
  chunkLeft: number;
}

/**
 * Gives the pieces that were pushed. Each piece is handed out in one reused buffer, so that whoever keeps a piece beyond the
 * next `take` is found out.
 */
export class TestBody implements Body {
  size: number | null;
  chunked: boolean;
  chunkLeft = 0;
  trailers: string[] | null = null;
  cancelled: WeirError | null = null;
  /** Pieces that were taken, and whether the end was. */
  taken = 0;
  finished = false;
  #pieces: TestPiece[] = [];
  #buffer = new Uint8Array(0);
  #end: { error: WeirError | null } | null = null;
  #filling: { resolve(): void; reject(error: WeirError): void } | null = null;

  constructor(options: { size?: number | null; chunked?: boolean } = {}) {
    this.size = options.size ?? null;
    this.chunked = options.chunked ?? false;
  }

  push(bytes: Uint8Array | string, chunkLeft = 0): this {
    this.#pieces.push({ bytes: typeof bytes === "string" ? utf8(bytes) : bytes, chunkLeft });
    this.#wake();
    return this;
  }

  end(error: WeirError | null = null): this {
    this.#end = { error };
    this.#wake();
    return this;
  }

  #wake(): void {
    const filling = this.#filling;
    this.#filling = null;
    filling?.resolve();
  }

  take(): Uint8Array | null | undefined {
    this.#buffer.fill(0xee);
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.taken++;
      this.chunkLeft = piece.chunkLeft;
      if (this.#buffer.length < piece.bytes.length) this.#buffer = new Uint8Array(piece.bytes.length);
      this.#buffer.set(piece.bytes);
      return this.#buffer.subarray(0, piece.bytes.length);
    }
    if (this.cancelled !== null) throw this.cancelled;
    if (this.#end === null) return undefined;
    if (this.#end.error !== null) throw this.#end.error;
    this.finished = true;
    return null;
  }

  fill(): Promise<void> {
    if (this.#filling !== null) throw new Error("fill was called twice");
    this.#buffer.fill(0xee);
    if (this.#pieces.length > 0 || this.#end !== null) return Promise.resolve();
    return new Promise((resolve, reject) => this.#filling = { resolve, reject });
  }

  cancel(reason: WeirError): void {
    if (this.cancelled !== null || this.finished) return;
    this.cancelled = reason;
    this.#pieces = [];
    const filling = this.#filling;
    this.#filling = null;
    filling?.reject(reason);
  }
}

/** A body of these pieces and its end, all there at once. */
export function bodyOfPieces(
  pieces: readonly (Uint8Array | string)[],
  options: { chunked?: boolean } = {},
): TestBody {
  const body = new TestBody(options);
  for (const piece of pieces) body.push(piece);
  return body.end();
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The next piece, copied; null at the end. */
export async function next(body: Body): Promise<Uint8Array | null> {
  let piece = body.take();
  while (piece === undefined) {
    await body.fill();
    piece = body.take();
  }
  return piece === null ? null : piece.slice();
}

/** All pieces that are still to come. */
export async function pieces(body: Body): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (let piece = await next(body); piece !== null; piece = await next(body)) all.push(piece);
  return all;
}

export async function whole(body: Body): Promise<Uint8Array> {
  return concat(await pieces(body));
}

export async function wholeText(body: Body): Promise<string> {
  return text(await whole(body));
}

/** Lets everything that is only a matter of microtasks happen, and whatever is due in the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** What comes out of a body behind the stages of a hook. */
export function throughHook(
  body: Body,
  value: StreamValue,
  options: { onAddonError?: (error: WeirError) => void } = {},
): Body {
  return piped(body, stagesOf(value), options.onAddonError);
}
