/**
 * A body whose pieces are made on demand by something that may answer at once or later: a hook, a stream.
 *
 * Nothing is made before it is asked for. What is made at once is handed over without a promise. What comes
 * by promise is gathered while it keeps coming within the same turn of the event loop, so that a writer can
 * send it in one go; the first piece that needs more than that does not hold up the others.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";

/** Most bytes that are gathered for one `fill`: one socket write's worth, and the read-ahead's bound. */
const GATHER = 64 * 1024;
/**
 * Microtasks that the next piece may take to be gathered with those before it. An `async function*` around
 * another one needs about eight; a piece that waits for anything real (a timer, a socket) takes longer than
 * any number of them.
 */
const GRACE = 24;

const RESOLVED = Promise.resolve();

/** The common part; subclasses say how the next piece is made. */
export abstract class PulledBody implements Body {
  readonly size: number | null;
  /** Every piece is a chunk of its own, so that one event in is one event out. */
  readonly chunked: boolean = true;
  readonly chunkLeft: number = 0;

  /**
   * Pieces that were gathered, from `#first` on; they lie in `#gathered` unless they are larger than its
   * rest.
   */
  #queue: Uint8Array[] = [];
  #first = 0;
  #gathered: Uint8Array | null = null;
  #used = 0;
  #state: "open" | "ended" | "failed" = "open";
  #error: WeirError | null = null;
  #released = false;
  /** `pull` said that it will call back. */
  #pulling = false;
  #resolve: (() => void) | null = null;
  #reject: ((error: WeirError) => void) | null = null;
  #graceLeft = 0;
  #graceRuns = false;

  constructor(size: number | null = null) {
    this.size = size;
  }

  abstract readonly trailers: string[] | null;

  /**
   * Makes the next piece: bytes (not empty), null at the end, or undefined when `arrive`, `resume` or `fail`
   * will be called later (never before it returns). Calls `fail` and returns undefined when there will be
   * none.
   */
  protected abstract pull(): Uint8Array | null | undefined;
  /** Frees what the pieces are made of: the body failed, or nobody wants the rest. Called once. */
  protected abstract release(reason: WeirError): void;

  protected get open(): boolean {
    return this.#state === "open";
  }

  take(): Uint8Array | null | undefined {
    if (this.#first < this.#queue.length) return this.#queue[this.#first++];
    if (this.#state === "ended") return null;
    if (this.#error !== null) throw this.#error;
    if (this.#pulling) return undefined;
    return this.#pull();
  }

  fill(): Promise<void> {
    if (this.#first < this.#queue.length || this.#state === "ended") return RESOLVED;
    if (this.#error !== null) return Promise.reject(this.#error);
    this.#queue.length = this.#first = this.#used = 0;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (!this.#pulling) this.#ask();
    });
  }

  cancel(reason: WeirError): void {
    if (this.#released) return;
    this.#queue.length = this.#first = 0;
    if (this.#state === "open") this.#close(reason);
    this.#free(reason);
  }

  /** A piece (or the end) that `pull` had to wait for. */
  protected arrive(piece: Uint8Array | null): void {
    this.#pulling = false;
    if (this.#state !== "open") return;
    if (piece === null) {
      this.#state = "ended";
      return this.#settle();
    }
    this.#keep(piece);
    this.#gather();
  }

  /** `pull` can go on; `gather` when it was waiting for its own work and not for the source. */
  protected resume(gather = false): void {
    this.#pulling = false;
    if (this.#state !== "open" || this.#resolve === null) return;
    if (gather || this.#queue.length > 0) this.#gather();
    else this.#ask();
  }

  /** There will be no next piece. What was gathered is still handed over first. */
  protected fail(error: WeirError): void {
    if (this.#state !== "open") return;
    this.#close(error);
    this.#free(error);
  }

  #pull(): Uint8Array | null | undefined {
    this.#pulling = true;
    const piece = this.pull();
    if (piece === undefined) return undefined;
    this.#pulling = false;
    if (piece === null) this.#state = "ended";
    return piece;
  }

  /** Makes the first piece of a `fill`. It stays where it is: valid until the next `take`. */
  #ask(): void {
    const piece = this.#pull();
    if (piece === undefined) return;
    if (piece !== null) this.#queue.push(piece);
    this.#settle();
  }

  /**
   * Has more pieces made, for a reader that waits; one that comes after its grace is the one that is read
   * ahead.
   */
  #gather(): void {
    while (this.#resolve !== null && this.#used < GATHER) {
      const piece = this.#pull();
      if (piece === undefined) {
        if (this.#pulling) this.#grace();
        return;
      }
      if (piece === null) break;
      this.#keep(piece);
    }
    this.#settle();
  }

  /**
   * Copies a piece, because what follows it is made before it is taken, and its maker may use the buffer
   * again.
   */
  #keep(piece: Uint8Array): void {
    this.#graceLeft = GRACE;
    const end = this.#used + piece.length;
    if (end > GATHER) {
      this.#used = GATHER;
      this.#queue.push(piece);
      return;
    }
    this.#gathered ??= new Uint8Array(GATHER);
    this.#gathered.set(piece, this.#used);
    this.#queue.push(this.#gathered.subarray(this.#used, end));
    this.#used = end;
  }

  #grace(): void {
    if (this.#graceRuns) return;
    this.#graceRuns = true;
    RESOLVED.then(this.#tick);
  }

  readonly #tick = () => {
    if (this.#resolve !== null && this.#queue.length > 0) {
      if (this.#graceLeft-- > 0) {
        RESOLVED.then(this.#tick);
        return;
      }
      this.#settle();
    }
    this.#graceRuns = false;
  };

  #settle(): void {
    const resolve = this.#resolve;
    this.#resolve = this.#reject = null;
    resolve?.();
  }

  #close(error: WeirError): void {
    this.#pulling = false;
    this.#state = "failed";
    this.#error = error;
    if (this.#queue.length > 0) return this.#settle();
    const reject = this.#reject;
    this.#resolve = this.#reject = null;
    reject?.(error);
  }

  #free(reason: WeirError): void {
    this.#released = true;
    this.#gathered = null;
    this.release(reason);
  }
}
