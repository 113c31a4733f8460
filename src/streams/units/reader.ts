/**
 * The units of a body for those who show them: each with its place, its name and what it says.
 * @module
 */
import { WeirError } from "../../errors.ts";
import { codingsOf, decodeBytes } from "../coding.ts";
import type { CodedMessage } from "../coding_stream.ts";
import type { BodyUnit, UnitReader } from "./body_unit.ts";
import type { Cutter, Segment } from "./cutter.ts";
import { COMPRESSED, GrpcCutter, type GrpcFrame } from "./grpc.ts";
import { boundaryOf, MultipartCutter, type MultipartMark } from "./multipart.ts";
import { MultipartPart } from "./multipart_part.ts";
import { type JsonLine, NdjsonCutter } from "./ndjson.ts";
import { SseCutter, type SseEvent } from "./sse.ts";

/** Bytes of a unit that are kept to be shown, where nothing else is said. */
const SHOWN = 64 * 1024;

const encoder = new TextEncoder();

/**
 * A reader for the body of `message`, or null when its type has no units: `text/event-stream`,
 * newline-delimited JSON, gRPC, gRPC-Web and Connect streams, multipart. Content codings must have been taken
 * off. Of each unit at most `most` bytes are kept (64 KiB), and never more than 1 MiB before it is whole.
 *
 * @example
 * ```ts
 * import { unitReader } from "weir";
 *
 * const reader = unitReader({ headers: new Headers({ "content-type": "text/event-stream" }) })!;
 * const units = [...reader.push(new TextEncoder().encode("event: tick\ndata: 1\n\ndata: 2"))];
 * if (units.length !== 1 || units[0].name !== "tick") throw new Error(JSON.stringify(units));
 * ```
 */
export function unitReader(message: CodedMessage, most = SHOWN): UnitReader | null {
  const type = (message.headers.get("content-type") ?? "").toLowerCase();
  if (/^text\/event-stream\b/.test(type)) return new Reader(new SseCutter(), new EventUnits(), most);
  if (/ndjson|jsonl|json-lines/.test(type)) return new Reader(new NdjsonCutter(), new LineUnits(), most);
  if (/^application\/(grpc(?!-web-text)|connect\+)/.test(type)) {
    return new Reader(new GrpcCutter(), new MessageUnits(message), most);
  }
  if (!/^multipart\//.test(type)) return null;
  try {
    const boundary = boundaryOf(message.headers.get("content-type"));
    return new Reader(new MultipartCutter(boundary), new PartUnits(most), most);
  } catch {
    return null;
  }
}

/** What a segment says. */
type Said = Omit<BodyUnit, "at" | "size">;

/** How the segments of one kind are read. */
interface Units<U> {
  /** Null for what says nothing (yet). */
  read(segment: Segment<U>): Said | null;
  /** What was begun is all that there is of it. */
  flush?(): Said | null;
}

class Reader<U> implements UnitReader {
  readonly #cutter: Cutter<U>;
  readonly #units: Units<U>;
  readonly #most: number;
  /** Where the next segment begins, and the unit that is being read. */
  #at = 0;
  #start = 0;
  #isBroken = false;
  /** How many bytes were pushed. */
  #pushed = 0;

  constructor(cutter: Cutter<U>, units: Units<U>, most: number) {
    this.#cutter = cutter;
    this.#units = units;
    this.#most = most;
  }

  *push(piece: Uint8Array): Generator<BodyUnit, void> {
    this.#pushed += piece.length;
    if (this.#isBroken) return yield* this.#rest(piece);
    yield* this.#read(() => this.#cutter.push(piece), piece);
  }

  *end(): Generator<BodyUnit, void> {
    if (!this.#isBroken) yield* this.#read(() => this.#cutter.end(), new Uint8Array(0));
    const last = this.#units.flush?.() ?? null;
    if (last !== null) yield this.#unit(last);
  }

  *#read(cut: () => Iterable<Segment<U>>, piece: Uint8Array): Generator<BodyUnit, void> {
    try {
      for (const segment of cut()) {
        this.#at += segment.bytes.length;
        const said = this.#units.read(segment);
        if (said !== null) yield this.#unit(said);
      }
    } catch (thrown) {
      if (!(thrown instanceof WeirError)) throw thrown;
      this.#isBroken = true;
      // Of what is not whole, the part in this piece can still be shown.
      const left = Math.min(piece.length, this.#pushed - this.#at);
      yield* this.#rest(piece.subarray(piece.length - left));
    }
  }

  *#rest(bytes: Uint8Array): Generator<BodyUnit, void> {
    this.#at = this.#pushed;
    if (bytes.length > 0) yield this.#unit(rest(bytes));
  }

  #unit(said: Said): BodyUnit {
    const at = this.#start;
    this.#start = this.#at;
    const { content } = said;
    return {
      ...said,
      content: content.slice(0, this.#most),
      isCut: said.isCut || content.length > this.#most,
      at,
      size: this.#at - at,
    };
  }
}

const PLAIN = { name: "", about: "", isCut: false, type: null };

const rest = (content: Uint8Array): Said => ({ ...PLAIN, kind: "rest", content });

/** Null for white space alone. */
function restOf(content: Uint8Array): Said | null {
  return content.some((byte) => byte > 0x20) ? rest(content) : null;
}

class EventUnits implements Units<SseEvent> {
  read({ bytes, unit }: Segment<SseEvent>): Said | null {
    if (unit === null) return restOf(bytes);
    const about = [
      ...unit.id === null ? [] : [`id ${unit.id}`],
      ...unit.retry === null ? [] : [`retry ${unit.retry}`],
    ];
    return {
      ...PLAIN,
      kind: "event",
      name: unit.event || "message",
      about: about.join(", "),
      content: encoder.encode(unit.data),
    };
  }
}

class LineUnits implements Units<JsonLine> {
  read({ bytes, unit }: Segment<JsonLine>): Said | null {
    if (unit === null) return restOf(bytes);
    return { ...PLAIN, kind: "value", content: encoder.encode(unit.text.trim()), type: "application/json" };
  }
}

class MessageUnits implements Units<GrpcFrame> {
  readonly #encoding: string | null;
  readonly #type: string | null;

  constructor({ headers }: CodedMessage) {
    const encoding = headers.get("grpc-encoding") ?? headers.get("connect-content-encoding");
    try {
      this.#encoding = codingsOf(encoding).length === 0 ? null : encoding;
    } catch {
      this.#encoding = null;
    }
    this.#type = /\+json\b/i.test(headers.get("content-type") ?? "") ? "application/json" : null;
  }

  read({ bytes, unit }: Segment<GrpcFrame>): Said | null {
    // The frame with the trailers passes in pieces; each says what it can.
    if (unit === null) return bytes.length <= 5 ? null : { ...PLAIN, kind: "trailers", content: bytes };
    const isCompressed = (unit.flags & COMPRESSED) !== 0;
    const message = { ...PLAIN, kind: "message" as const, type: this.#type };
    if (!isCompressed) return { ...message, content: unit.payload };
    const about = this.#encoding ?? "compressed";
    try {
      if (this.#encoding !== null) {
        return { ...message, about, content: decodeBytes(unit.payload, this.#encoding, MAX_DECODED) };
      }
    } catch {
      // It is shown as it came.
    }
    return { ...message, about: `${about}, as it came`, content: unit.payload };
  }
}

/** Most bytes that a message unfolds to, to be shown. */
const MAX_DECODED = 4 * 1024 * 1024;

class PartUnits implements Units<MultipartMark> {
  readonly #most: number;
  #part: MultipartPart | null = null;
  #content: Uint8Array[] = [];
  #length = 0;
  #isCut = false;

  constructor(most: number) {
    this.#most = most;
  }

  read({ bytes, unit }: Segment<MultipartMark>): Said | null {
    if (unit === null) return /^\s*(--\S*)?\s*$/.test(new TextDecoder().decode(bytes)) ? null : restOf(bytes);
    if (unit.kind === "head") this.#part = new MultipartPart(unit.head.slice());
    else if (unit.kind === "content") this.#keep(bytes);
    else return this.flush();
    return null;
  }

  flush(): Said | null {
    if (this.#part === null) return null;
    const { name, filename, headers } = this.#part;
    const type = headers.get("content-type");
    const about = [...filename === null ? [] : [filename], ...type === null ? [] : [type]].join(", ");
    const content = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#content) {
      content.set(piece, at);
      at += piece.length;
    }
    const said: Said = {
      kind: "part",
      name: name ?? "",
      about,
      content,
      isCut: this.#isCut,
      type: type ?? "text/plain",
    };
    this.#part = null;
    this.#content = [];
    this.#length = 0;
    this.#isCut = false;
    return said;
  }

  #keep(bytes: Uint8Array): void {
    const piece = bytes.slice(0, this.#most - this.#length);
    if (piece.length < bytes.length) this.#isCut = true;
    if (piece.length > 0) this.#content.push(piece);
    this.#length += piece.length;
  }
}
