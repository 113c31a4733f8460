/**
 * A stage that calls a function for each unit of a body and sends what it gives.
 *
 * What needs no waiting is done without a promise: a function that answers at once has its event sent in the
 * turn of the event loop in which it came. What one piece of the body decides goes out as one piece.
 * @module
 */
import { concat } from "@std/bytes";
import type { WeirError } from "../../errors.ts";
import { AnsweredBody } from "../answered.ts";
import type { Body } from "../body.ts";
import { nameOf } from "../bytes.ts";
import { drop } from "../drop.ts";
import { closeIterable, ignore, isThenable } from "../iterators.ts";
import { Stage } from "../stage.ts";
import type { Cutter, Segment } from "./cutter.ts";

/**
 * What the function of a stage may give for one unit: nothing (the unit goes on, with what was changed in
 * it), null or `drop` (it is not sent), what is sent in its place, or several of those, each sent as it is
 * made.
 */
export type UnitOutput<U> = U | null | typeof drop | undefined | void | Iterable<U> | AsyncIterable<U>;

/** How a stage deals with one kind of unit, in one body. */
export interface UnitRules<U> {
  /** What the stage is called. */
  readonly name: string;
  readonly cutter: Cutter<U>;
  /** True when null and arrays are units of their own. */
  readonly isJson?: boolean;
  /** Has the function look at a unit. */
  call(unit: U): unknown;
  /**
   * The bytes of what is sent for a unit: of the unit itself with what was changed in it (`undefined`), or of
   * the one that was given in its place. @throws {TypeError} when it is none.
   */
  edited(value: unknown, segment: Segment<U>): Uint8Array;
  /** The bytes of one of several units that are sent for one. @throws {TypeError} when it is none. */
  added(value: unknown, segment: Segment<U> | null, index: number): Uint8Array;
  /** Units that are added when the body has ended. */
  end?(): unknown;
  /** The body failed, or nobody wants the rest. */
  cancel?(reason: WeirError): void;
}

/** A stage for one body; `rules` are made when its first bytes are wanted. */
export function unitStage<U>(rules: (warn: (text: string) => void) => UnitRules<U>): Stage {
  return new Stage((source, onFault, warn) => new UnitBody(source, rules(warn), onFault));
}

/** @throws {TypeError} when `fn` is no function; `use` says how the stage is called. */
export function checkFunction(fn: unknown, name: string, use: string): void {
  if (typeof fn !== "function") throw new TypeError(`${name} takes a function: ${use}; not ${nameOf(fn)}.`);
}

/** The body that comes out. */
class UnitBody<U> extends AnsweredBody {
  readonly #rules: UnitRules<U>;
  /** What the piece that was taken last is cut into. */
  #segments: Iterator<Segment<U>> | null = null;
  /** The unit that the function was called for last. */
  #segment: Segment<U> | null = null;
  #answer: Promise<unknown> | null = null;
  /** How many units came for one so far. */
  #count = 0;
  #isTailDropped = false;
  #phase: "open" | "ending" | "ended" = "open";
  /** What went wrong behind bytes that are still to be sent. */
  #failure: WeirError | null = null;
  /** What is to be sent; of the last piece the first part, and where in its buffer it ends so far. */
  #made: Uint8Array[] = [];
  #last: Uint8Array | null = null;
  #lastEnd = 0;

  constructor(source: Body, rules: UnitRules<U>, onFault: (error: WeirError) => void) {
    super(source, onFault, `The function of ${rules.name}`);
    this.#rules = rules;
  }

  protected pull(): Uint8Array | null | undefined {
    for (;;) {
      if (this.#segments === null || this.#failure !== null || this.#isBusy) {
        if (this.#last !== null) return this.#joined();
        if (this.#failure !== null) return this.broken(this.#failure);
        const bytes = this.#isBusy ? this.#work() : this.#read();
        if (bytes === null && this.#phase === "ended" && this.#segments === null && !this.#isBusy) {
          return null;
        }
        if (bytes !== null) return bytes;
        continue;
      }
      try {
        const step = this.#segments.next();
        if (step.done) this.#endPiece();
        else this.#take(step.value);
      } catch (thrown) {
        this.#failure = this.errorOf(thrown);
      }
    }
  }

  /** Something else than the next segment comes next. */
  get #isBusy(): boolean {
    return this.#answer !== null || this.hasOutputs;
  }

  /**
   * Reads the next piece. Like those below: bytes to send, null for none, undefined when it will call back.
   */
  #read(): null | undefined {
    if (this.#phase === "ended") return null;
    let piece: Uint8Array | null | undefined;
    try {
      piece = this.source.take();
    } catch (thrown) {
      return this.cut(thrown);
    }
    if (piece === undefined) {
      this.source.fill().then(this.filled, this.cut);
      return undefined;
    }
    const { cutter } = this.#rules;
    if (piece === null) this.#phase = "ending";
    this.#segments = (piece === null ? cutter.end() : cutter.push(piece))[Symbol.iterator]();
    return null;
  }

  #take(segment: Segment<U>): void {
    if (segment.unit === null) {
      if (segment.isTail && this.#isTailDropped) return;
      // What is added at the end stands before what is left of a unit that never became whole.
      if (this.#phase === "ending") {
        this.#addLast();
        if (this.#isBusy) return void (this.#segments = chained(segment, this.#segments!));
      }
      return this.#make(segment.bytes);
    }
    this.#segment = segment;
    this.#count = 0;
    this.#accept(this.#rules.call(segment.unit));
  }

  #endPiece(): void {
    if (this.#phase === "ending") {
      this.#addLast();
      if (this.#isBusy) return;
    }
    this.#segments = null;
  }

  /** Once, at the end of the body. */
  #addLast(): void {
    this.#phase = "ended";
    this.#segment = null;
    this.#count = 0;
    const added = this.#rules.end?.();
    if (added !== undefined) this.#accept(added);
  }

  /** Takes what the function gave. */
  #accept(value: unknown): void {
    const { isJson } = this.#rules;
    this.#isTailDropped = true;
    if (value === drop || (value === null && !isJson)) return;
    if (typeof value === "object" && value !== null) {
      if (isThenable(value)) {
        this.#answer = Promise.resolve(value);
        // It may fail while bytes that were made before are on their way.
        this.#answer.then(ignore, ignore);
        return;
      }
      if (Symbol.asyncIterator in value) return this.takeOutputs(value as AsyncIterable<unknown>);
      if (isSeveral(value, isJson)) return this.takeOutputs(value);
    }
    this.#isTailDropped = false;
    this.#make(this.#rules.edited(value, this.#segment!));
  }

  /** Goes on with what is not a matter of segments. */
  #work(): Uint8Array | null | undefined {
    if (this.#answer === null) return this.nextOutput();
    this.#answer.then(this.#answered, this.#refused);
    return undefined;
  }

  protected bytesOf(value: unknown): Uint8Array | null {
    if (value === drop || (value === null && !this.#rules.isJson)) return null;
    const bytes = this.#rules.added(value, this.#segment, this.#count++);
    return bytes.length === 0 ? null : bytes;
  }

  #make(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const last = this.#last;
    // What lies side by side is one piece.
    if (last !== null && last.buffer === bytes.buffer && bytes.byteOffset === this.#lastEnd) {
      this.#lastEnd += bytes.length;
      return;
    }
    if (last !== null) this.#made.push(this.#lastPiece());
    this.#last = bytes;
    this.#lastEnd = bytes.byteOffset + bytes.length;
  }

  #lastPiece(): Uint8Array {
    const last = this.#last!, length = this.#lastEnd - last.byteOffset;
    return length === last.length ? last : new Uint8Array(last.buffer, last.byteOffset, length);
  }

  #joined(): Uint8Array {
    const last = this.#lastPiece();
    this.#last = null;
    if (this.#made.length === 0) return last;
    const bytes = concat([...this.#made, last]);
    this.#made = [];
    return bytes;
  }

  readonly #answered = (value: unknown) => {
    if (!this.open) return closeIterable(value);
    this.#answer = null;
    try {
      this.#accept(value);
    } catch (thrown) {
      return this.threw(thrown);
    }
    if (this.#last !== null) this.arrive(this.#joined());
    else this.resume(true);
  };

  readonly #refused = (thrown: unknown) => {
    this.#answer = null;
    this.threw(thrown);
  };

  protected release(reason: WeirError): void {
    if (this.#phase === "open") this.source.cancel(reason);
    this.#segments = this.#answer = this.#last = null;
    this.#made = [];
    this.#rules.cancel?.(reason);
    this.closeOutputs();
  }
}

function* chained<T>(first: T, rest: Iterator<T>): Generator<T, void> {
  yield first;
  for (let step = rest.next(); !step.done; step = rest.next()) yield step.value;
}

/** Bytes are no units; of JSON, an array is a value. */
function isSeveral(value: object, isJson: boolean | undefined): value is Iterable<unknown> {
  if (!(Symbol.iterator in value) || ArrayBuffer.isView(value)) return false;
  return !isJson || ("next" in value && typeof value.next === "function");
}
