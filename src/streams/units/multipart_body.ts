/**
 * The body that comes out of `multipartStream`.
 * @module
 */
import { concat } from "@std/bytes";
import { WeirError } from "../../errors.ts";
import type { Body } from "../body.ts";
import { nameOf, threw } from "../bytes.ts";
import { drop } from "../drop.ts";
import { piped, stagesOf } from "../hook.ts";
import { ignore, isThenable } from "../iterators.ts";
import { PulledBody } from "../pulled.ts";
import type { Segment } from "./cutter.ts";
import { type MultipartCutter, type MultipartMark, rewriteHead } from "./multipart.ts";
import { headersOf, MultipartPart } from "./multipart_part.ts";

/** The segments of a body, read from two sides: by the body that comes out, and by the stages of a part. */
class Segments {
  readonly #source: Body;
  readonly #cutter: MultipartCutter;
  #segments: Iterator<Segment<MultipartMark>> | null = null;
  #isEnded = false;
  #filling: Promise<void> | null = null;

  constructor(source: Body, cutter: MultipartCutter) {
    this.#source = source;
    this.#cutter = cutter;
  }

  /** The next one; undefined when `fill` must be waited for, null at the end. */
  next(): Segment<MultipartMark> | null | undefined {
    for (;;) {
      const step = this.#segments?.next();
      if (step !== undefined && !step.done) return step.value;
      this.#segments = null;
      if (this.#isEnded) return null;
      if (this.#filling !== null) return undefined;
      const piece = this.#source.take();
      if (piece === undefined) return undefined;
      this.#isEnded = piece === null;
      this.#segments = piece === null ? this.#cutter.end() : this.#cutter.push(piece);
    }
  }

  fill(): Promise<void> {
    if (this.#segments !== null || this.#isEnded) return Promise.resolve();
    const done = () => void (this.#filling = null);
    if (this.#filling === null) {
      this.#filling = this.#source.fill();
      this.#filling.then(done, done);
    }
    return this.#filling;
  }
}

/** The content of one part, for its stages. */
class PartContent implements Body {
  readonly size = null;
  readonly chunked = false;
  readonly chunkLeft = 0;
  readonly trailers = null;
  readonly #segments: Segments;
  /** What stands between it and the next delimiter; null until that has come. */
  lineBreak: Uint8Array | null = null;
  #isLeft = false;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  take(): Uint8Array | null | undefined {
    if (this.lineBreak !== null || this.#isLeft) return null;
    for (;;) {
      const segment = this.#segments.next();
      if (segment === undefined) return undefined;
      if (segment === null || segment.unit?.kind === "end") {
        this.lineBreak = segment?.bytes.slice() ?? new Uint8Array(0);
        return null;
      }
      if (segment.bytes.length > 0) return segment.bytes;
    }
  }

  fill(): Promise<void> {
    return this.lineBreak !== null || this.#isLeft ? Promise.resolve() : this.#segments.fill();
  }

  /** Its stages want no more; what is left of it is still read, because other parts follow. */
  cancel(): void {
    this.#isLeft = true;
  }
}

/** The body that comes out. */
export class MultipartBody extends PulledBody {
  readonly #source: Body;
  readonly #segments: Segments;
  readonly #fn: (part: MultipartPart) => unknown;
  readonly #onFault: (error: WeirError) => void;
  readonly #warn: (text: string) => void;
  /** The part whose function is awaited. */
  #answer: Promise<unknown> | null = null;
  #part: { part: MultipartPart; before: Headers; delimiter: Uint8Array; head: Uint8Array } | null = null;
  /** The content of a part that goes through stages, and what comes out of them. */
  #content: PartContent | null = null;
  #out: Body | null = null;
  /** The rest of the part is not sent, or (`line`) nothing of it but the line break behind it. */
  #skipping: "all" | "content" | null = null;

  constructor(
    source: Body,
    cutter: MultipartCutter,
    fn: (part: MultipartPart) => unknown,
    onFault: (error: WeirError) => void,
    warn: (text: string) => void,
  ) {
    super();
    this.#source = source;
    this.#segments = new Segments(source, cutter);
    this.#fn = fn;
    this.#onFault = onFault;
    this.#warn = warn;
  }

  get trailers(): string[] | null {
    return this.#source.trailers;
  }

  protected pull(): Uint8Array | null | undefined {
    for (;;) {
      if (this.#answer !== null) {
        this.#answer.then(this.#answered, this.#threw);
        return undefined;
      }
      if (this.#out !== null) {
        const bytes = this.#fromStages(this.#out);
        if (bytes !== null) return bytes;
        continue;
      }
      let segment: Segment<MultipartMark> | null | undefined;
      try {
        segment = this.#segments.next();
      } catch (thrown) {
        return this.#cut(thrown);
      }
      if (segment === undefined) {
        this.#segments.fill().then(this.#resume, this.#cut);
        return undefined;
      }
      if (segment === null) return null;
      const { bytes, unit } = segment;
      if (unit?.kind === "head") {
        const made = this.#begin(bytes, unit.head);
        if (made !== null) return made;
        continue;
      }
      const isSkipped = this.#skipping === "all" && unit !== null ||
        this.#skipping !== null && unit?.kind === "content";
      if (unit?.kind === "end") this.#skipping = null;
      if (!isSkipped && bytes.length > 0) return bytes;
    }
  }

  /** Bytes of a part's stages; null when they have no more, undefined when they will call back. */
  #fromStages(out: Body): Uint8Array | null | undefined {
    let bytes: Uint8Array | null | undefined;
    try {
      bytes = out.take();
    } catch (thrown) {
      return this.#cut(thrown);
    }
    if (bytes === undefined) {
      out.fill().then(this.#resume, this.#cut);
      return undefined;
    }
    if (bytes !== null) return bytes;
    const { lineBreak } = this.#content!;
    this.#content!.cancel();
    this.#out = this.#content = null;
    if (lineBreak === null) this.#skipping = "content";
    return lineBreak === null || lineBreak.length === 0 ? null : lineBreak;
  }

  /** Calls the function for a part. */
  #begin(bytes: Uint8Array, head: Uint8Array): Uint8Array | null | undefined {
    const part = new MultipartPart(head);
    const delimiter = bytes.subarray(0, bytes.length - head.length);
    this.#part = { part, before: headersOf(head), delimiter, head };
    try {
      const answer = this.#fn(part);
      if (!isThenable(answer)) return this.#accept(answer);
      this.#answer = Promise.resolve(answer);
      this.#answer.then(ignore, ignore);
      return null;
    } catch (thrown) {
      return this.#threw(thrown);
    }
  }

  /** Takes what the function gave; gives the head. @throws {TypeError} when it is something else. */
  #accept(answer: unknown): Uint8Array | null {
    const { part, before, delimiter, head } = this.#part!;
    this.#part = null;
    if (answer === null || answer === drop) {
      this.#skipping = "all";
      return null;
    }
    if (answer !== undefined && answer !== part) {
      throw new TypeError(`it returns nothing, or null to leave the part out; not ${nameOf(answer)}`);
    }
    if (typeof part.stream !== "boolean") {
      part.headers.delete("content-length");
      this.#content = new PartContent(this.#segments);
      this.#out = piped(this.#content, stagesOf(part.stream), this.#onFault, this.#warn);
    }
    return concat([delimiter, rewriteHead(head, before, part.headers)]);
  }

  readonly #answered = (answer: unknown) => {
    this.#answer = null;
    if (!this.open) return;
    try {
      const bytes = this.#accept(answer);
      if (bytes === null) this.resume(true);
      else this.arrive(bytes);
    } catch (thrown) {
      this.#threw(thrown);
    }
  };

  readonly #resume = () => this.resume();

  readonly #threw = (thrown: unknown): undefined => {
    if (!this.open) return;
    const error = thrown instanceof WeirError ? thrown : threw("The function of multipartStream", thrown);
    this.#onFault(error);
    this.fail(error);
  };

  /** The source failed, or a stage, which has told of it, or the head is too large. */
  readonly #cut = (thrown: unknown): undefined => {
    this.fail(WeirError.from(thrown, "weir", "internal", "The body could not be read"));
  };

  protected release(reason: WeirError): void {
    this.#out?.cancel(reason);
    this.#out = this.#content = this.#answer = null;
    this.#source.cancel(reason);
  }
}
