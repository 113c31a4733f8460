/**
 * What decides between buffering and streaming a body, and the way it takes (contract sections 2, 3).
 *
 *     source ─▶ [valve] ─▶ [limit] ─▶ [meter] ─▶ [decode] ─▶ [stages] ─▶ [encode] ─▶ [tee] ─▶ [trailers] ─▶ other leg
 *                             │
 *                             └─▶ collect ─▶ hooks look ─▶ bytes ─▶ [valve] ─▶ other leg
 *
 * Each box is a stage, and there only where it is needed. Decode and encode are among the stages that an addon sets
 * (`decoded(message, …)`). Of a body that turns out too large to buffer, what was collected goes back in front of the meter.
 * @module
 */
import { WeirError } from "../errors.ts";
import { Headers } from "../http/mod.ts";
import { internals } from "../internals.ts";
import type { Message, StreamedBy } from "../flow/message.ts";
import { Request } from "../flow/request.ts";
import { describeHookError } from "../hooks/mod.ts";
import {
  type Body,
  bodyOf,
  bytesBody,
  collect,
  EMPTY,
  limit,
  observe,
  piped,
  type Stage,
  stagesOf,
  StoredBody,
  type StreamValue,
  tee,
  Timeline,
  valvedBody,
  withTrailers,
} from "../streams/mod.ts";
import type { ProxyContext } from "./context.ts";
import { watched } from "./watched.ts";

/** What is left of a body that an addon has consumed: nothing that could be forwarded. */
function consumed(): ReadableStream<Uint8Array> {
  const error = new WeirError("weir", "addon", "An addon consumed the request's body and did not answer it.");
  return new ReadableStream({ pull: (controller) => controller.error(error) }, { highWaterMark: 0 });
}

/** Buffered bodies above this size can be paused on their way out. */
const HELD_UP = 64 * 1024;

/** The body of one message from the moment its head is known until it is handed to the other leg. */
export class BodyPlan {
  readonly message: Message;
  readonly #context: ProxyContext;
  /** The source, later what is streamed in its place; null when there is none, or it was read whole. */
  #body: Body | null;
  /** Only the body's end told its size: no length was declared. */
  readonly #isOpen: boolean;
  /** How many bytes were collected: they came before, and go through the stages when the rest is streamed. */
  #collected = 0;
  readonly #isRead: () => boolean;
  /** What `isRead` said; null before it was asked. */
  #willBeRead: boolean | null = null;
  /** How many bytes of this body are booked in the memory budget. */
  #booked = 0;

  /** `isRead` says whether anybody will look at the body, should the option `stream_unread` ask. */
  constructor(
    context: ProxyContext,
    message: Message,
    source: Body | null,
    isRead: () => boolean = () => true,
  ) {
    this.message = message;
    this.#isRead = isRead;
    this.#context = context;
    this.#body = source && valvedBody(source, message[internals]);
    this.#isOpen = source !== null && source.size === null && message[internals].declaredSize === null;
  }

  /** True when the whole body will be read before it is forwarded, as far as the head tells. */
  get willBuffer(): boolean {
    return this.#body !== null &&
      (this.message[internals].whole !== null || this.#streamedAtOnce(this.#body) === null);
  }

  /**
   * Reads the body, or arranges for it to be streamed; afterwards `message.content` says what contract section 2 says.
   * `tooLarge` makes the error for a body beyond `body_size_limit`.
   */
  async settle(tooLarge: (limit: number) => WeirError): Promise<void> {
    const source = this.#body;
    // An addon's answer may have its content already: a copy of another flow's, or one that was given content since.
    if (source === null) return this.#buffered(this.message[internals].raw ?? EMPTY, null);
    const { body_size_limit: most } = this.#context.options;
    if (most !== null) {
      if (source.size !== null && source.size > most) throw tooLarge(most);
      this.#body = limit(most, () => tooLarge(most)).through(source);
    }
    const body = this.#body!;
    const { whole } = this.message[internals];
    if (whole !== null) return await this.#settleWhole(body, whole);
    const reason = this.#streamedAtOnce(body);
    if (reason !== null) return this.#stream(body, reason);
    const { over, reason: late } = this.#switchPoint();
    const mustBuffer = this.message[internals].stream === false;
    const collected = await collect(body, {
      switchAt: over,
      onBytes: (count) => {
        this.#booked += count;
        this.#came(this.#collected += count);
        return this.#context.memory.take(count) || mustBuffer;
      },
    });
    if (collected.kind === "whole") return this.#buffered(collected.bytes, collected.trailers);
    if (collected.held > over) this.#stream(collected.rest, late);
    else this.#stream(collected.rest, "memory", "memory_limit together with the others");
  }

  /** Reads a body that somebody needs as a whole, or fails. */
  async #settleWhole(source: Body, reason: string): Promise<void> {
    const { message } = this, { stream } = message[internals];
    const stages = stagesOf(stream ?? false);
    const body = this.#piped(source, stages, message[internals].streamSetBy);
    const limit = this.#bufferLimit();
    let hasRoom = true;
    const collected = await collect(body, {
      switchAt: limit,
      onBytes: (count) => {
        this.#booked += count;
        this.#came(this.#collected += count);
        return hasRoom = this.#context.memory.take(count);
      },
    });
    if (collected.kind === "whole") {
      this.#buffered(collected.bytes, collected.trailers);
      // What stages made of it has a length of its own.
      if (stages.length > 0) message.rawContent = collected.bytes;
      return;
    }
    const isRequest = message instanceof Request;
    const what = `${reason}, but the ${isRequest ? "request" : "response"} body`;
    const error = new WeirError(
      isRequest ? "client" : "weir",
      "limit",
      hasRoom
        ? `${what} is larger than body_buffer_limit (${limit} bytes).`
        : `${what} has no room in memory (memory_limit).`,
      isRequest ? { statusCode: 413 } : {},
    );
    collected.rest.cancel(error);
    this.#body = null;
    throw error;
  }

  /** Reads a streamed body to its end; with `isKept` a copy of it is then forwarded. */
  async consume(fn: (chunk: Uint8Array) => void, isKept: boolean): Promise<void> {
    const body = this.#body;
    if (body === null) return;
    const { size } = body;
    const copy = isKept ? new StoredBody() : null;
    for (let piece; (piece = body.take()) !== null;) {
      if (piece === undefined) {
        await body.fill();
        continue;
      }
      fn(piece);
      await copy?.append(piece);
    }
    copy?.end(null);
    const { trailers } = body;
    this.#body = bodyOf(copy?.readable() ?? consumed(), { size, trailers: () => trailers });
  }

  /** The body for the other leg; null for none. Call once, after the last hook that may change it. */
  outgoing(): Body | null {
    if (this.#body !== null) return this.#watched(this.#atLast(this.#withTrailers(this.#body)));
    const { raw } = this.message[internals];
    const { trailers } = this.message;
    if (raw === null || (raw.length === 0 && trailers === null)) return null;
    // Whether there is a length stays as it came: nothing is added that was not asked for (contract §5).
    const isOpen = this.#isOpen && !this.message.headers.has("content-length");
    const body = bytesBody(raw, trailers?.raw ?? null, isOpen);
    // Small ones are gone before anybody could hold them up.
    const isLong = raw.length > HELD_UP || this.message[internals].valve !== null;
    return this.#atLast(isLong ? valvedBody(body, this.message[internals]) : body);
  }

  /** What `sendThrough` was given. */
  #atLast(body: Body): Body {
    const { outlet } = this.message[internals];
    if (outlet === null) return body;
    return outlet.reduce((source, { addon, make }) => this.#piped(source, this.#made(make), addon), body);
  }

  /** A streamed body ends with the message's trailers, which an addon may have set. */
  #withTrailers(body: Body): Body {
    const { message } = this;
    const { stream } = message[internals];
    // Without a hook nothing can set them any more, and the length that was declared stays.
    const isHooked = stream !== undefined && typeof stream !== "boolean" || message[internals].edits !== null;
    return isHooked || message.trailers !== null
      ? withTrailers(() => message.trailers?.raw ?? null).through(body)
      : body;
  }

  #watched(body: Body): Body {
    const { watchers, flow } = this.message[internals];
    return watchers === null ? body : watched(body, watchers, (text) => flow?.warn(text));
  }

  /** Gives the memory back that was booked for this body. */
  release(): void {
    this.#context.memory.give(this.#booked);
    this.#booked = 0;
  }

  /** Drops a body that will not be forwarded, at any stage; who waits for it learns the reason. */
  discard(reason: WeirError): void {
    this.#body?.cancel(reason);
    this.#body = null;
  }

  /** So many bytes have come by now. */
  #came(bytes: number): void {
    const state = this.message[internals];
    if (state.timeline === null && bytes === this.#body?.size) state.cameAtOnce = bytes;
    else (state.timeline ??= new Timeline()).add(bytes);
  }

  #buffered(bytes: Uint8Array, trailers: string[] | null): void {
    const { message } = this;
    const state = message[internals];
    state.mode = "buffered";
    state.raw = bytes;
    message.trailers ??= trailers && Headers.fromRaw(trailers);
    message.timestampEnd = Date.now();
    this.#body = null;
  }

  /** `limit` says which one was passed where the reason is memory. */
  #stream(source: Body, reason: StreamedBy, limit = "body_buffer_limit"): void {
    const { message } = this;
    const state = message[internals];
    state.mode = "streamed";
    state.streamedBy = reason;
    if (reason === "memory") {
      const what = message instanceof Request ? "request" : "response";
      state.flow?.warn(`The ${what} body passes ${limit}: it is streamed, and hooks do not see its content.`);
    }
    let body = this.#piped(
      source,
      [this.#meter(source), ...stagesOf(state.stream ?? false)],
      state.streamSetBy,
    );
    for (const { addon, make } of state.edits ?? []) body = this.#piped(body, this.#made(make), addon);
    this.#body = this.#piped(body, this.#copy(), null);
  }

  /** Counts what comes, and takes the trailers over. */
  #meter(source: Body): Stage {
    const { message } = this, state = message[internals];
    return observe({
      piece: ({ length }) => {
        state.received += length;
        if (state.received > this.#collected) this.#came(state.received);
        // What was collected stays in memory until it is on its way.
        if (this.#booked > 0 && state.received > this.#booked) this.release();
      },
      end: (error) => {
        message.timestampEnd = Date.now();
        if (error === null) message.trailers ??= source.trailers && Headers.fromRaw(source.trailers);
      },
    });
  }

  /** The copy that `store_streamed_bodies` asks for. */
  #copy(): Stage[] {
    if (!this.#context.options.store_streamed_bodies) return [];
    const state = this.message[internals];
    state.stored = new StoredBody({ onFailure: (error) => state.flow?.warn(error.message) });
    state.stored.bookIn(this.#context.memory);
    return [tee(state.stored)];
  }

  /** The body behind stages of an addon's. */
  #piped(body: Body, stages: readonly Stage[], addon: string | null): Body {
    const { flow } = this.message[internals];
    return piped(
      body,
      stages,
      (error) =>
        this.#context.log.error(
          `${
            describeHookError(addon ?? "without a name", "message.stream", error.cause ?? error)
          }; the flow is cut`,
        ),
      (text) => flow?.warn(addon === null ? text : `${addon}: ${text}`),
    );
  }

  /** What `whenStreamed` was given; where that throws, a stage that fails the body. */
  #made(make: () => StreamValue): Stage[] {
    try {
      return stagesOf(make());
    } catch (thrown) {
      return stagesOf(() => Promise.reject(thrown));
    }
  }

  /** What the head alone decides. */
  #streamedAtOnce(body: Body): StreamedBy | null {
    const { streamOver, streamEndless, [internals]: { stream } } = this.message;
    if (stream !== undefined) return stream === false ? null : "addon";
    const size = body.size ?? this.message[internals].declaredSize ?? 0;
    if (streamOver !== null && (streamOver === 0 || size > streamOver)) return "size";
    if (streamEndless) return "type";
    if (this.#context.options.stream_unread && !(this.#willBeRead ??= this.#isRead())) return "unread";
    return size > this.#bufferLimit() ? "memory" : null;
  }

  /** How many bytes may be buffered before the rest is streamed, and which rule says so. */
  #switchPoint(): { over: number; reason: StreamedBy } {
    const { streamOver } = this.message;
    if (this.message[internals].stream === false) return { over: Infinity, reason: "memory" };
    const limit = this.#bufferLimit();
    return streamOver !== null && streamOver <= limit
      ? { over: streamOver, reason: "size" }
      : { over: limit, reason: "memory" };
  }

  #bufferLimit(): number {
    return this.#context.options.body_buffer_limit ?? Infinity;
  }
}
