/**
 * A streamed body that can be sent once more, as long as little of it was sent before: for requests that an
 * origin has not looked at (RFC 9113 §8.7).
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { joinedBody, type KeptPiece } from "./bytes_body.ts";
import { PassingBody } from "./passing.ts";

/** Enough for a unary call or a form; every upload whose answer is awaited may hold this much. */
const MAX_KEPT = 64 * 1024;
/**
 * What keeping a piece costs beside its bytes: a body of one-byte chunks may not hold hundreds of times as
 * much.
 */
const PIECE_COST = 256;

/**
 * What was taken from a body is kept until it is too much, or {@linkcode settle} says that it will not be
 * needed.
 */
export class ResendableBody {
  readonly #source: Body;
  #kept: KeptPiece[] | null = [];
  #size = 0;
  #current: Attempt | null = null;
  /** An attempt that was given up may have been waiting; the next one waits for the same. */
  #filling: Promise<void> | null = null;
  #ended = false;
  /** Why the last attempt wants no more; the source hears of it only when no other follows. */
  #dropped: WeirError | null = null;

  constructor(source: Body) {
    this.#source = source;
  }

  /** False when more was sent than is kept. */
  get isWhole(): boolean {
    return this.#kept !== null;
  }

  /**
   * The body from its start. Whoever has it from an earlier attempt gets no more of it. Only while it is
   * whole.
   */
  attempt(): Body {
    if (this.#kept === null) throw new WeirError("weir", "internal", "Too much was sent to send it again.");
    this.#dropped = null;
    const attempt = this.#current = new Attempt(this.#source, this);
    return this.#kept.length === 0 ? attempt : joinedBody([...this.#kept], attempt);
  }

  /** The current attempt is the last one. */
  settle(): void {
    this.#kept = null;
    if (this.#dropped !== null) this.#source.cancel(this.#dropped);
    this.#dropped = null;
  }

  /** For attempts. */
  take(by: Attempt): Uint8Array | null | undefined {
    // One that was cancelled may find out late, and what it took in between might be too much to keep.
    if (by !== this.#current || this.#dropped !== null) throw givenUp();
    if (this.#ended) return null;
    const piece = this.#source.take();
    if (piece === null) this.#ended = true;
    else if (piece !== undefined && this.#kept !== null) {
      this.#size += piece.length + PIECE_COST;
      if (this.#size > MAX_KEPT) this.#kept = null;
      else this.#kept.push({ bytes: piece.slice(), chunkLeft: this.#source.chunkLeft });
    }
    return piece;
  }

  /** For attempts. */
  fill(by: Attempt): Promise<void> {
    if (by !== this.#current) return Promise.reject(givenUp());
    if (this.#filling !== null) return this.#filling;
    if (this.#kept === null) return this.#source.fill();
    return this.#filling = this.#source.fill().finally(() => this.#filling = null);
  }

  /** For attempts. */
  cancel(by: Attempt, reason: WeirError): void {
    if (by !== this.#current) return;
    if (this.#kept === null) this.#source.cancel(reason);
    else this.#dropped = reason;
  }
}

class Attempt extends PassingBody {
  readonly #owner: ResendableBody;

  constructor(source: Body, owner: ResendableBody) {
    super(source);
    this.#owner = owner;
  }

  override take(): Uint8Array | null | undefined {
    return this.#owner.take(this);
  }

  override fill(): Promise<void> {
    return this.#owner.fill(this);
  }

  override cancel(reason: WeirError): void {
    this.#owner.cancel(this, reason);
  }
}

function givenUp(): WeirError {
  return new WeirError("weir", "closed", "The request is being sent again.");
}
