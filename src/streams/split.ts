/**
 * The chunks that hooks see.
 *
 * Without boundaries of its own a body is cut into pieces of at most 4096 bytes, each passed on as it
 * arrives. With boundaries (RFC 9112 §7.1 chunks, RFC 9113 §6.1 DATA frames) one wire chunk at a time is put
 * together, whole. Cutting happens only here, that is, only where a hook looks.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";

/** Most bytes in a chunk of a body that has no boundaries: what mitmproxy's users are used to. */
const HOOK_CHUNK = 4096;
/**
 * Largest wire chunk that is put together for a hook; of larger ones the pieces are passed on as they arrive.
 */
const WHOLE_CHUNK = 1024 * 1024;

/**
 * What hooks are given: bytes that are not shared with other threads, which is what the web's own classes
 * want.
 */
export type Chunk = Uint8Array<ArrayBuffer>;

/** Cuts a body into the chunks that hooks see. */
export function chunks(): Stage {
  return new Stage((source) => new HookChunks(source));
}

/** A body whose pieces are as hooks see them, and belong to whoever takes them. */
export class HookChunks extends PassingBody {
  readonly #most: number;
  /** What is left of a piece that is being cut. */
  #uncut: Uint8Array | null = null;
  /** A wire chunk that is being put together, and how much of it is there. */
  #whole: Chunk | null = null;
  #filled = 0;
  /** Inside a wire chunk that is too large to be put together. */
  #large = false;
  /** What `fill` found. */
  #ready: Chunk | null | undefined = undefined;

  constructor(body: Body) {
    super(body);
    this.#most = body.chunked ? WHOLE_CHUNK : HOOK_CHUNK;
  }

  override get chunkLeft(): number {
    return 0;
  }

  override take(): Chunk | null | undefined {
    const ready = this.#ready;
    if (ready !== undefined) {
      this.#ready = undefined;
      return ready;
    }
    if (this.#uncut !== null) return this.#cut(this.#uncut);
    for (;;) {
      const piece = this.source.take();
      if (piece === null || piece === undefined) return piece;
      const left = this.source.chunkLeft;
      if (this.#whole === null) {
        if (left === 0 || this.#large || piece.length + left > this.#most) {
          this.#large = left > 0;
          return piece.length > this.#most ? this.#cut(piece) : piece.slice();
        }
        this.#whole = new Uint8Array(piece.length + left);
        this.#filled = 0;
      }
      this.#whole.set(piece, this.#filled);
      this.#filled += piece.length;
      if (left > 0) continue;
      const whole = this.#whole.subarray(0, this.#filled);
      this.#whole = null;
      return whole;
    }
  }

  /**
   * Cuts one chunk off; what remains is valid until the next `take` of the body, which comes only after it is
   * used up.
   */
  #cut(piece: Uint8Array): Chunk {
    if (piece.length <= this.#most) {
      this.#uncut = null;
      return piece.slice();
    }
    this.#uncut = piece.subarray(this.#most);
    return piece.slice(0, this.#most);
  }

  override async fill(): Promise<void> {
    if (this.#uncut !== null || this.#ready !== undefined) return;
    await this.source.fill();
    if (!this.source.chunked) return;
    // A piece that does not end its wire chunk gives `take` nothing to say yet.
    while ((this.#ready = this.take()) === undefined) await this.source.fill();
  }

  override cancel(reason: WeirError): void {
    this.#uncut = this.#whole = null;
    this.source.cancel(reason);
  }
}
