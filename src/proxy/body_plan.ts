/**
 * What decides between buffering and streaming a body, and the chain it takes when streamed (contract sections 2, 3).
 * @module
 */
import { WeirError } from "../errors.ts";
import { Headers } from "../flow/headers.ts";
import { internals, type Message, type StreamedBy } from "../flow/message.ts";
import { describeHookError } from "../hooks/mod.ts";
import type { Body } from "../streams/body.ts";
import { bytesBody } from "../streams/bytes_body.ts";
import { collect } from "../streams/collect.ts";
import { throughHook } from "../streams/hook.ts";
import { limited } from "../streams/limit.ts";
import { metered } from "../streams/meter.ts";
import { StoredBody } from "../streams/store.ts";
import { teed } from "../streams/tee.ts";
import type { ProxyContext } from "./context.ts";

const EMPTY = new Uint8Array();

/** The body of one message from the moment its head is known until it is handed to the other leg. */
export class BodyPlan {
  readonly #context: ProxyContext;
  readonly #message: Message;
  /** How many bytes of this body are booked in the memory budget. */
  #booked = 0;
  #streamed: Body | null = null;

  constructor(context: ProxyContext, message: Message) {
    this.#context = context;
    this.#message = message;
  }

  /** True when the whole body will be read before it is forwarded, as far as the head tells. */
  willBuffer(body: Body | null): boolean {
    return body !== null && this.#streamedAtOnce(body) === null;
  }

  /**
   * Reads the body, or arranges for it to be streamed; afterwards `message.content` says what contract section 2 says.
   * `tooLarge` makes the error for a body beyond `body_size_limit`.
   */
  async settle(body: Body | null, tooLarge: (limit: number) => WeirError): Promise<void> {
    const state = this.#message[internals];
    if (body === null) {
      this.#buffered(EMPTY, null);
      return;
    }
    const limit = this.#context.options.body_size_limit;
    if (limit !== null) {
      if (body.size !== null && body.size > limit) {
        const error = tooLarge(limit);
        body.cancel(error);
        throw error;
      }
      body = limited(body, limit, () => tooLarge(limit));
    }
    const reason = this.#streamedAtOnce(body);
    if (reason !== null) {
      state.streamedBy = reason;
      this.#stream(body);
      return;
    }
    const { over, reason: late } = this.#switchPoint();
    const collected = await collect(body, {
      switchAt: over,
      onBytes: (count) => {
        this.#booked += count;
        const fits = this.#context.memory.take(count);
        return fits || state.stream === false;
      },
    });
    if (collected.kind === "whole") {
      this.#buffered(collected.bytes, collected.trailers);
      return;
    }
    this.release();
    state.streamedBy = late;
    if (late === "memory") {
      state.warn(
        "A body grew beyond body_buffer_limit or memory_limit and is streamed from here on; hooks do not see its content.",
      );
    }
    this.#stream(collected.rest);
  }

  /** The body for the other leg; null for none. Call once, after the last hook that may change it. */
  outgoing(): Body | null {
    if (this.#streamed !== null) return this.#streamed;
    const { raw } = this.#message[internals];
    const { trailers } = this.#message;
    if (raw === null || (raw.length === 0 && trailers === null)) return null;
    return bytesBody(raw, trailers?.raw ?? null);
  }

  /** Gives the memory back that was booked for this body. */
  release(): void {
    this.#context.memory.give(this.#booked);
    this.#booked = 0;
  }

  /** Drops a body that will not be forwarded. */
  discard(reason: WeirError): void {
    this.#streamed?.cancel(reason);
    this.#streamed = null;
  }

  #buffered(bytes: Uint8Array, trailers: string[] | null): void {
    const state = this.#message[internals];
    state.mode = "buffered";
    state.raw = bytes;
    this.#message.trailers ??= trailers && Headers.fromRaw(trailers);
    this.#message.timestampEnd = Date.now();
  }

  #stream(source: Body): void {
    const message = this.#message;
    const state = message[internals];
    state.mode = "streamed";
    let body = metered(source, (bytes) => state.received += bytes, (error) => {
      message.timestampEnd = Date.now();
      if (error === null) message.trailers ??= source.trailers && Headers.fromRaw(source.trailers);
    });
    const hook = state.stream;
    if (hook !== undefined && typeof hook !== "boolean") {
      body = throughHook(body, hook, { onAddonError: (error) => this.#tell(error) });
    }
    if (this.#context.options.store_streamed_bodies) {
      state.stored = new StoredBody({ onFailure: (error) => state.warn(error.message) });
      body = teed(body, state.stored);
    }
    this.#streamed = body;
  }

  #tell(error: WeirError): void {
    const addon = this.#message[internals].streamSetBy ?? "without a name";
    this.#context.log.error(
      `${describeHookError(addon, "message.stream", error.cause ?? error)}; the flow is cut`,
    );
  }

  /** What the head alone decides. */
  #streamedAtOnce(body: Body): StreamedBy | null {
    const { stream } = this.#message[internals];
    const { streamOver, streamEndless } = this.#message;
    if (stream !== undefined) return stream === false ? null : "addon";
    if (streamOver !== null && (streamOver === 0 || (body.size ?? 0) > streamOver)) return "size";
    if (streamEndless) return "type";
    return (body.size ?? 0) > this.#bufferLimit() ? "memory" : null;
  }

  /** How many bytes may be buffered before the rest is streamed, and which rule says so. */
  #switchPoint(): { over: number; reason: StreamedBy } {
    const { streamOver } = this.#message;
    if (this.#message[internals].stream === false) return { over: Infinity, reason: "memory" };
    const limit = this.#bufferLimit();
    return streamOver !== null && streamOver < limit
      ? { over: streamOver, reason: "size" }
      : { over: limit, reason: "memory" };
  }

  #bufferLimit(): number {
    return this.#context.options.body_buffer_limit ?? Infinity;
  }
}
