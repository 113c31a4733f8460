/**
 * What requests and responses share: fields, trailers, the body and how it travels (RFC 9110 §6; mitmproxy `http.Message`).
 * @module
 */
import { internals } from "../internals.ts";
import { shortened } from "../shown.ts";
import {
  asBytes,
  type BytesLike,
  checkStreamValue,
  type ContentStart,
  decodeStart,
  encodeBytes,
  type Moment,
  nameOf,
  type Observer,
  type StoredBody,
  type StreamValue,
  type Timeline,
  TokenBucket,
  Valve,
} from "../streams/mod.ts";
import { declarationOf, encodeText, withCharset } from "./charset.ts";
import { DecodedContent } from "./decoded_content.ts";
import type { MessageOwner } from "./message_owner.ts";
import { Headers, type HeadersInit, type HttpVersion } from "../http/mod.ts";

/** What decided that a body is streamed: an addon, its size, its type, or memory running short. */
export type StreamedBy = "addon" | "size" | "type" | "memory" | "unread";

/** What the exchange keeps on a message. */
export interface MessageState {
  /** The body as on the wire (content codings still on); null while unread and when streamed. */
  raw: Uint8Array | null;
  /** "pending": not read yet. */
  mode: "pending" | "buffered" | "streamed";
  /** What an addon assigned to `stream`; undefined when none did. */
  stream: StreamValue | undefined;
  streamedBy: StreamedBy | null;
  /** Bytes of body that have come so far, as on the wire. */
  received: number;
  /** Bytes of a web stream that is to be the body, where they are known. */
  webSize: number | null;
  /** Bytes that were declared for a body that a gate changes on its way; null where its own size says all. */
  declaredSize: number | null;
  /** Reads the body of a request that is streamed before it is forwarded; set while that is possible. */
  consume: ((fn: (chunk: Uint8Array) => void, isKept: boolean) => Promise<void>) | null;
  /** What holds the body up, once somebody wanted that. */
  valve: Valve | null;
  /** How the body came, once some of it has; null where all of it came in one piece. */
  timeline: Timeline | null;
  /** Bytes of a body that came in one piece; 0 where it did not, or has not come. */
  cameAtOnce: number;
  /** Who watches the body on its way. */
  watchers: Observer[] | null;
  /** The copy that `store_streamed_bodies` keeps, or that a file was read into. */
  stored: StoredBody | null;
  /** It was read from a file or made by hand: nothing is on its way, and content can be assigned at any time. */
  isRecorded: boolean;
  /** Which addon assigned `stream`, for the log. */
  streamSetBy: string | null;
  /** What a streamed body passes behind `stream`. */
  edits: StreamEdit[] | null;
  /** What any body passes last. */
  outlet: StreamEdit[] | null;
  /** Why the body must be there as a whole; null where it need not. */
  whole: string | null;
  /** Which addon assigned the response that this is, for the log. */
  responseSetBy: string | null;
  /** The flow it belongs to; null before it does. */
  flow: MessageOwner | null;
  /** What `raw` unfolded to, when somebody asked. */
  decoded: DecodedContent | null;
}

/** Stages that somebody wants a body to pass in case that it is streamed. */
export interface StreamEdit {
  /** Whose they are, for the log. */
  readonly addon: string | null;
  make(): StreamValue;
}

/** A request or a response. */
export abstract class Message {
  #headers: Headers;
  #trailers: Headers | null = null;
  /** "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0": what this side of weir speaks. */
  httpVersion: HttpVersion;
  /** When the first byte came, in milliseconds since the epoch. */
  timestampStart: number;
  /** When the last byte came, or null. */
  timestampEnd: number | null = null;
  /**
   * Streams a body that is longer than so many bytes: at once when a longer length is declared, else as soon as more
   * than that has been read; 0 streams everything. Weaker than `stream`, `false` included (contract of
   * `stream_large_bodies`: `streamedBy` becomes "size").
   */
  streamOver: number | null = null;
  /**
   * Says that bodies of this media type may never end, so that none is waited for. Weaker than `stream` and
   * `streamOver` (contract of `stream_content_types`: `streamedBy` becomes "type").
   */
  streamEndless = false;
  /** @ignore */
  readonly [internals]: MessageState = {
    raw: null,
    mode: "pending",
    stream: undefined,
    streamedBy: null,
    received: 0,
    webSize: null,
    declaredSize: null,
    consume: null,
    valve: null,
    timeline: null,
    cameAtOnce: 0,
    watchers: null,
    stored: null,
    isRecorded: false,
    streamSetBy: null,
    edits: null,
    outlet: null,
    whole: null,
    responseSetBy: null,
    flow: null,
    decoded: null,
  };

  /** @ignore */
  constructor(headers: Headers, httpVersion: HttpVersion, timestampStart: number) {
    this.#headers = headers;
    this.httpVersion = httpVersion;
    this.timestampStart = timestampStart;
  }

  /** Header fields. Assigning replaces all of them. */
  get headers(): Headers {
    return this.#headers;
  }

  set headers(init: HeadersInit) {
    this.#headers = init instanceof Headers ? init : new Headers(init);
  }

  /**
   * Trailer fields (RFC 9110 §6.5), or null. Known once the body is read; set them earlier to send your own. A hook that a
   * body is streamed through may set them as late as at its end.
   */
  get trailers(): Headers | null {
    return this.#trailers;
  }

  set trailers(init: HeadersInit | null) {
    this.#trailers = init === null || init instanceof Headers ? init : new Headers(init);
  }

  /**
   * How the body travels: `false` buffers it, `true` forwards it as it arrives, anything else is a hook that the body
   * is piped through. Set it in `requestheaders` or `responseheaders`; it beats every option (mitmproxy `message.stream`).
   * @throws {TypeError} on a value that is none of the kinds, a sync generator function for one.
   */
  get stream(): StreamValue {
    return this[internals].stream ?? this[internals].mode === "streamed";
  }

  set stream(value: StreamValue) {
    checkStreamValue(value);
    const state = this[internals];
    if (state.mode === "pending") {
      state.stream = value;
      state.streamSetBy = state.flow?.addon ?? null;
    } else if (!state.isRecorded) {
      state.flow?.warn("message.stream was set too late; set it in requestheaders or responseheaders.");
    }
  }

  /**
   * Holds the body up where it is, at any moment, also before it comes; its source is stopped by that. Nothing is lost, and the
   * rest goes on with {@linkcode resume}.
   */
  pause(): void {
    this.#valve().isPaused = true;
  }

  /** Lets a body go on that was held up by {@linkcode pause}. */
  resume(): void {
    if (this[internals].valve !== null) this.#valve().isPaused = false;
  }

  /**
   * Lets so many bytes per second of the body through from now on; null ends that.
   * @throws {TypeError} when it is neither null nor a number above 0.
   */
  throttle(bytesPerSecond: number | null): void {
    if (bytesPerSecond !== null) this.#valve().bucket = new TokenBucket(bytesPerSecond);
    else if (this[internals].valve !== null) this.#valve().bucket = null;
  }

  #valve(): Valve {
    return this[internals].valve ??= new Valve();
  }

  /**
   * How the body came, as on the wire: milliseconds since its first byte, and the bytes that were there by then, for each piece;
   * of long bodies for every second one, every fourth and so on: at most 1 000 entries.
   */
  get timeline(): Moment[] {
    const { timeline, cameAtOnce } = this[internals];
    return timeline?.moments() ?? (cameAtOnce > 0 ? [[0, cameAtOnce]] : []);
  }

  /** What decided that this body is streamed, or null when it is not. */
  get streamedBy(): StreamedBy | null {
    return this[internals].streamedBy;
  }

  /** Bytes of the body as on the wire; of one that is streamed, those that have come so far. */
  get size(): number {
    const { raw, received, stored, isRecorded } = this[internals];
    return raw?.length ?? (isRecorded && stored !== null ? stored.size : received);
  }

  /** The body as on the wire, or null when it is streamed or not read yet. */
  get rawContent(): Uint8Array | null {
    const { raw, stored } = this[internals];
    if (raw !== null || !stored?.complete) return raw;
    const { flow } = this[internals];
    if (stored.size <= (flow?.room ?? Infinity)) return stored.bytesSync();
    flow?.warn("The copy of the body has no room in memory (memory_limit): read it with readStored().");
    return null;
  }

  /**
   * `content-length` follows, where there is one.
   * @throws {TypeError} on what is no bytes: it would fail where nobody knows which addon it came from.
   */
  set rawContent(value: BytesLike | null) {
    const bytes = bytesOf(value);
    const state = this[internals];
    if (state.mode === "buffered" || state.isRecorded) {
      state.mode = "buffered";
      state.raw = bytes;
      state.stored = null;
      if (this.headers.has("content-length")) this.headers.set("content-length", String(bytes.length));
      return;
    }
    state.flow?.warn(
      state.mode === "streamed"
        ? "The body is streamed, so assigning content has no effect; set message.stream to a function to change it."
        : "The body has not been read yet, so assigning content has no effect; do it in request or response.",
    );
  }

  /**
   * Looks at a streamed body on its way to the other side, as it is sent there: behind `stream`, with its content codings on. It
   * changes nothing (neither `stream` nor `streamedBy`, nor the length that was declared), and what the watcher throws is a warning.
   * Call it in `request` or `response`, or before; of a body that is buffered it sees nothing.
   */
  watch(watcher: Observer): void {
    (this[internals].watchers ??= []).push(watcher);
  }

  /**
   * What the body passes in case that it is streamed, whatever decides that, behind `stream`: for who edits buffered bodies in the
   * hooks `request` and `response` and wants streamed ones to be the same. `make` is called once the body is known to be streamed.
   * Call it in `requestheaders` or `responseheaders`; several calls add up.
   *
   * ```ts
   * import { decoded, type HttpFlow, replaceStream } from "weir";
   *
   * export function responseheaders({ response }: HttpFlow) {
   *   response!.whenStreamed(() => decoded(response!, replaceStream("foo", "bar")));
   * }
   *
   * export function response({ response }: HttpFlow) {
   *   if (response!.text !== null) response!.text = response!.text.replaceAll("foo", "bar");
   * }
   * ```
   */
  whenStreamed(make: () => StreamValue): void {
    (this[internals].edits ??= []).push({ addon: this[internals].flow?.addon ?? null, make });
  }

  /**
   * What the body passes last, on its way to the other side: streamed or buffered, with its content codings on, behind all else that
   * changes it. For who slows bodies, cuts or damages them, and wants hooks to see what they would see otherwise. A stage that keeps
   * the number of bytes, as weir's for these ends do, leaves the declared length as it is. `make` is called when the body is sent,
   * once for each attempt. Call it before that; several calls add up.
   *
   * ```ts
   * import { type HttpFlow, throttleStream } from "weir";
   *
   * export function response({ response }: HttpFlow) {
   *   response!.sendThrough(() => throttleStream(50_000));
   * }
   * ```
   */
  sendThrough(make: () => StreamValue): void {
    (this[internals].outlet ??= []).push({ addon: this[internals].flow?.addon ?? null, make });
  }

  /**
   * Says that the body must be there as a whole before it goes on, whatever `stream` and the options say (stages of `stream` work
   * before it is whole): up to `body_buffer_limit`, and what `memory_limit` leaves. A larger one ends the flow with an error that
   * begins with `reason`, a clause. Call it in `requestheaders` or `responseheaders`.
   */
  needWhole(reason: string): void {
    this[internals].whole ??= reason;
  }

  /**
   * Reads the copy that `store_streamed_bodies` keeps of a streamed body, from its start; while the body is on its way it
   * waits for more. Null when there is no copy.
   */
  readStored(): ReadableStream<Uint8Array> | null {
    return this[internals].stored?.readable() ?? null;
  }

  /**
   * The body with its content codings taken off (RFC 9110 §8.4), or null when it is streamed or not read yet. As it came where
   * that cannot be done, or unfolds to more than `memory_limit` has room for: the log says so, once.
   */
  get content(): Uint8Array | null {
    const raw = this.rawContent;
    const coding = this.headers.get("content-encoding");
    if (raw === null || coding === null || raw.length === 0) return raw;
    const state = this[internals], { decoded, flow } = state;
    if (decoded !== null && decoded.raw === raw && decoded.coding === coding) {
      const { content } = decoded;
      if (content !== null) return content;
    }
    decoded?.drop(flow);
    const { content, failure } = state.decoded = new DecodedContent(raw, coding, flow);
    if (failure !== null) {
      flow?.warn(`Content-Encoding ${shortened(coding)} could not be decoded, content is raw: ${failure}`);
    }
    return content;
  }

  /** @throws {TypeError} on what is no bytes. */
  set content(value: BytesLike | null) {
    const bytes = bytesOf(value);
    const coding = this.headers.get("content-encoding");
    const { mode, isRecorded } = this[internals];
    if (coding === null || mode !== "buffered" && !isRecorded) {
      this.rawContent = bytes;
      return;
    }
    try {
      this.rawContent = encodeBytes(bytes, coding);
    } catch {
      // A coding that weir cannot write: the body goes plain, and says so.
      this.headers.delete("content-encoding");
      this.rawContent = bytes;
    }
  }

  /**
   * The first `most` bytes of `content`, for who shows or searches the start of it: what is behind is neither unfolded nor
   * read, so few bytes on the wire cost little whatever they unfold to. Null where there is no content.
   */
  contentStart(most: number): ContentStart | null {
    const { raw, stored } = this[internals];
    const bytes = raw ?? (stored?.complete ? stored.startSync(most) : null);
    if (bytes === null) return null;
    const isAll = raw !== null || bytes.length === stored!.size;
    try {
      const { bytes: start, isWhole } = decodeStart(bytes, this.headers.get("content-encoding"), most);
      return { bytes: start, isWhole: isWhole && isAll };
    } catch {
      // What cannot be decoded is its own content.
      return { bytes: bytes.subarray(0, most), isWhole: isAll && bytes.length <= most };
    }
  }

  /**
   * `content` as text, or null, in the charset that a byte order mark, `content-type`, or the document itself (`<meta charset>`,
   * XML's and CSS's declarations) names, else in UTF-8. A byte that is no text in it is a lone surrogate, U+DC80 to U+DCFF, and
   * becomes that byte again where the text is assigned: an edit leaves all else as it was. The mark is no part of the text.
   */
  get text(): string | null {
    const content = this.content;
    if (content === null) return null;
    const { charset, mark } = declarationOf(content, this.headers.get("content-type"));
    return charset.decode(content.subarray(mark.length));
  }

  /**
   * Written in the charset that the content has, its byte order mark kept; in UTF-8 where that charset has not all of its
   * characters, and `content-type` then says so.
   */
  set text(value: string | null) {
    const { mode, isRecorded } = this[internals];
    if (typeof value !== "string" || mode !== "buffered" && !isRecorded) {
      this.content = value;
      return;
    }
    const type = this.headers.get("content-type");
    const { bytes, charset } = encodeText(value, this.content ?? new Uint8Array(), type);
    if (charset !== null) this.headers.set("content-type", withCharset(type ?? "text/html", charset));
    this.content = bytes;
  }
}

/** The flow has ended: what a message unfolded to is kept by who else has it. */
export function endContent({ [internals]: state }: Message): void {
  // Of a copy that is read anew each time nothing is kept.
  if (state.raw === null) state.decoded = null;
  state.decoded?.end();
}

function bytesOf(value: BytesLike | null): Uint8Array {
  const bytes = value === null ? new Uint8Array() : asBytes(value);
  if (bytes === null) {
    throw new TypeError(
      `The content of a message is bytes, a string or null; it was given ${nameOf(value)}.`,
    );
  }
  return bytes;
}
