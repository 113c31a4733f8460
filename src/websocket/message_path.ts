/**
 * The way of one direction's messages past the hooks: what reading, its two modes (`./modes.ts`) and injections share.
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";
import { messageOf, type Side, WeirError } from "../errors.ts";
import { internals } from "../internals.ts";
import type { Conn } from "../net/mod.ts";
import { type WebSocketData, WebSocketMessage } from "./conversation.ts";
import type { ReadMessage } from "./messages.ts";
import { Mutex } from "./mutex.ts";
import { type DirectionDeflate, MessageSender } from "./sender.ts";
import type { FrameWriter } from "./writer.ts";

/** Injected messages that may wait; beyond, whoever injects is faster than the peer reads. */
const MAX_INJECTS = 256;

export interface DirectionOptions {
  /** Whose bytes are read. */
  readonly from: Side;
  readonly source: Conn;
  readonly out: FrameWriter;
  readonly deflate: DirectionDeflate | null;
  readonly data: WebSocketData;
  /** Most bytes of a message (`websocket_message_limit`). */
  readonly limit: number;
  readonly onMessage: ((message: WebSocketMessage) => Promise<void> | void) | undefined;
  readonly warn: (text: string) => void;
  /** An addon changed a message that was streamed. */
  readonly onSealed: () => void;
  /** The peer is gone while one of its messages is with a hook, or waits to be written. */
  readonly onLost: (error: WeirError) => void;
}

export class MessagePath {
  readonly options: DirectionOptions;
  readonly sender: MessageSender;
  /** Hooks, and in message mode sending, one message at a time. */
  readonly turns = new Mutex();
  /** The frames of one message on the wire; in message mode only an injected one can be in the way. */
  readonly wire = new Mutex();
  /** A message in fragments has begun, and holds the turn, so that what is injected waits for its end. */
  isMidMessage = false;
  /** Nothing more is passed on. */
  isDiscarding = false;
  /** No hook is to be called any more. */
  isAbandoned = false;
  /** No frame comes any more. */
  isOver = false;
  #isHooking = false;
  #injects = 0;
  #injectBytes = 0;

  constructor(options: DirectionOptions) {
    this.options = options;
    this.sender = new MessageSender(options.out, options.deflate);
  }

  /** What was read, as the hooks see it. */
  messageOf({ isText, content }: ReadMessage): WebSocketMessage {
    return new WebSocketMessage(isText, this.options.from === "client", content);
  }

  /** Puts the message into the history and shows it to the hooks. Never throws. */
  async hook(message: WebSocketMessage): Promise<void> {
    const { data, out, onMessage, warn } = this.options;
    if (this.isAbandoned) return;
    data[internals].record(message);
    if (onMessage !== undefined) {
      // What earlier messages left in the buffer goes out even if this hook takes its time.
      const late = out.empty ? null : setImmediate(() => out.flush().catch(() => {}));
      this.#isHooking = true;
      try {
        await onMessage(message);
      } catch (thrown) {
        warn(`A websocket_message hook failed: ${messageOf(thrown)}`);
      }
      this.#isHooking = false;
      if (late !== null) clearImmediate(late);
    }
  }

  /** See {@linkcode WebSocketData.inject}. */
  inject(message: WebSocketMessage): Promise<void> {
    const size = message.content.length;
    if (
      this.#injects === MAX_INJECTS || (this.#injects > 0 && this.#injectBytes + size > this.options.limit)
    ) {
      const text =
        `${this.#injects} injected messages (${this.#injectBytes} bytes) are waiting; await inject().`;
      return Promise.reject(new WeirError("weir", "limit", text));
    }
    const sent = this.#injectInTurn(message, size);
    // A hook that awaits this must not wait for its own end, nor for a peer that may be waiting for the hook's message.
    if (!this.#isHooking && !this.isMidMessage) return sent;
    sent.catch(() => {});
    return Promise.resolve();
  }

  async #injectInTurn(message: WebSocketMessage, size: number): Promise<void> {
    this.#injects++;
    this.#injectBytes += size;
    await this.turns.lock();
    try {
      this.#checkOpen();
      await this.hook(message);
      if (message.dropped) return;
      await this.wire.lock();
      try {
        this.#checkOpen();
        await this.sender.inject(message);
        await this.options.out.flush();
      } finally {
        this.wire.unlock();
      }
    } finally {
      this.options.data[internals].settle(message);
      this.turns.unlock();
      this.#injects--;
      this.#injectBytes -= size;
    }
  }

  #checkOpen(): void {
    if (!this.isOver && !this.options.out.closed) return;
    throw new WeirError(
      "weir",
      "closed",
      "The WebSocket connection has ended before the message was injected.",
    );
  }
}
