/**
 * One direction of a relayed connection: one peer's bytes become frames for the other, past the hooks.
 *
 * In message mode a message is read whole, shown to the hooks, then sent. In stream mode each frame goes on as it
 * arrives, and the hooks are shown the message when it is complete.
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";
import { messageOf, type Side, WeirError } from "../errors.ts";
import { internals } from "../internals.ts";
import { type WebSocketData, WebSocketMessage } from "./conversation.ts";
import type { Conn } from "../net/mod.ts";
import { type Close, parseClose } from "./close.ts";
import { Inflater } from "./deflate.ts";
import { type FrameHead, FrameParser, isControl, MAX_CONTROL, Opcode } from "./frames.ts";
import { Intake } from "./intake.ts";
import { MessageReader, type ReadMessage } from "./messages.ts";
import { type DirectionDeflate, MessageSender } from "./sender.ts";
import { Mutex } from "./mutex.ts";
import type { FrameWriter } from "./writer.ts";

/** Injected messages that may wait; beyond, whoever injects is faster than the peer reads. */
const MAX_INJECTS = 256;
/** Streamed messages, and bytes of them, whose hooks may be behind; beyond, the connection waits for the hooks. */
const MAX_BEHIND = 64;
const MAX_BEHIND_BYTES = 1024 * 1024;

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

/** Reads one peer, writes to the other. */
export class Direction {
  readonly from: Side;
  readonly #options: DirectionOptions;
  readonly #intake: Intake;
  readonly #streaming: boolean;
  readonly #parser: FrameParser;
  readonly #inflater: Inflater | null;
  readonly #reader: MessageReader;
  readonly #sender: MessageSender;
  /** Hooks, and in message mode sending, one message at a time. */
  readonly #turns = new Mutex();
  /** The frames of one message on the wire; in message mode only an injected one can be in the way. */
  readonly #wire = new Mutex();
  #holdsWire = false;
  /** Message mode: a message in fragments has begun, and holds the turn, so that what is injected waits for its end. */
  #midMessage = false;
  #hooking = false;
  readonly #control = new Uint8Array(MAX_CONTROL);
  #controlSize = 0;
  #close: Close | null = null;
  #discarding = false;
  #skipping = false;
  #over = false;
  #abandoned = false;
  #injects = 0;
  #injectBytes = 0;
  #behind = 0;
  #behindBytes = 0;

  constructor(options: DirectionOptions) {
    const { from, deflate } = options;
    this.from = from;
    this.#options = options;
    this.#intake = new Intake(options.source, (thrown) => options.onLost(this.#lost(thrown)));
    this.#streaming = options.data.stream;
    this.#parser = new FrameParser(from, deflate !== null);
    this.#inflater = deflate === null ? null : new Inflater(from, deflate.takeover);
    this.#reader = new MessageReader(from, {
      limit: options.limit,
      inflater: this.#inflater,
      keepWire: !this.#streaming,
      pool: options.data[internals].pool,
      memory: options.data[internals].memory,
    });
    this.#sender = new MessageSender(options.out, deflate);
  }

  /** Relays until a Close frame was passed on. Throws {@linkcode WeirError}: its side says who is at fault. */
  async run(): Promise<Close> {
    const { out } = this.#options;
    const parser = this.#parser, intake = this.#intake;
    try {
      for (;;) {
        parser.push(await this.#read());
        for (let event = parser.next(); event !== undefined; event = parser.next()) {
          const wait = event === "head" ? this.#onHead(parser.head) : this.#onPayload(parser.piece);
          if (wait !== undefined) await intake.during(wait);
          if (this.#close !== null) break;
        }
        if (!out.empty) await intake.during(out.flush());
        if (this.#close !== null) return this.#close;
      }
    } finally {
      this.#over = true;
      if (this.#holdsWire) this.#wire.unlock();
      if (this.#midMessage) this.#turns.unlock();
    }
  }

  /** From the next frame on nothing is passed on, but the peer's Close frame is still awaited. */
  discard(): void {
    this.#discarding = true;
  }

  /** No hook is to be called any more. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** Waits for the hooks that are under way or due, and frees what is left. Call after `run` has ended. */
  async finish(): Promise<void> {
    this.#over = true;
    await this.#turns.lock();
    await this.#intake.close();
    this.#reader.release();
    this.#inflater?.close();
    this.#sender.close();
    this.#turns.unlock();
  }

  /** See {@linkcode WebSocketData.inject}. */
  inject(message: WebSocketMessage): Promise<void> {
    const size = message.content.length;
    if (
      this.#injects === MAX_INJECTS || (this.#injects > 0 && this.#injectBytes + size > this.#options.limit)
    ) {
      const text =
        `${this.#injects} injected messages (${this.#injectBytes} bytes) are waiting; await inject().`;
      return Promise.reject(new WeirError("weir", "limit", text));
    }
    const sent = this.#injectInTurn(message, size);
    // A hook that awaits this must not wait for its own end, nor for a peer that may be waiting for the hook's message.
    if (!this.#hooking && !this.#midMessage) return sent;
    sent.catch(() => {});
    return Promise.resolve();
  }

  async #injectInTurn(message: WebSocketMessage, size: number): Promise<void> {
    this.#injects++;
    this.#injectBytes += size;
    await this.#turns.lock();
    try {
      this.#checkOpen();
      await this.#hook(message);
      if (message.dropped) return;
      await this.#wire.lock();
      try {
        this.#checkOpen();
        await this.#sender.inject(message);
        await this.#options.out.flush();
      } finally {
        this.#wire.unlock();
      }
    } finally {
      this.#options.data[internals].settle(message);
      this.#turns.unlock();
      this.#injects--;
      this.#injectBytes -= size;
    }
  }

  #checkOpen(): void {
    if (!this.#over && !this.#options.out.closed) return;
    throw new WeirError(
      "weir",
      "closed",
      "The WebSocket connection has ended before the message was injected.",
    );
  }

  async #read(): Promise<Uint8Array> {
    let bytes;
    try {
      bytes = await this.#intake.read();
    } catch (thrown) {
      throw this.#lost(thrown);
    }
    if (bytes === null) throw this.#lost(null);
    return bytes;
  }

  /** `thrown`: what reading said; null for an end in order, but without a Close frame. */
  #lost(thrown: unknown): WeirError {
    return thrown === null
      ? new WeirError(this.from, "closed", `The ${this.from} ended its connection without a Close frame.`)
      : WeirError.from(thrown, this.from, "closed", `The ${this.from}'s WebSocket connection broke`);
  }

  #onHead(head: FrameHead): Promise<void> | undefined {
    if (isControl(head)) {
      this.#controlSize = 0;
      return;
    }
    this.#skipping = this.#discarding;
    if (this.#skipping) return;
    this.#reader.begin(head);
    if (!this.#streaming) {
      if (head.fin || head.opcode === Opcode.continuation) return;
      this.#midMessage = true;
      return this.#turns.lock();
    }
    if (head.opcode !== Opcode.continuation) {
      const turn = this.#wire.lock();
      if (turn !== undefined) return turn.then(() => this.#forward(head));
    }
    return this.#forward(head);
  }

  /** Stream mode: the wire is held from a message's first head to its end. */
  #forward({ fin, rsv1, opcode, length }: FrameHead): Promise<void> | undefined {
    this.#holdsWire = true;
    return this.#options.out.begin(fin, rsv1, opcode, length);
  }

  #onPayload(piece: Uint8Array): Promise<void> | undefined {
    const { head, left } = this.#parser;
    if (isControl(head)) {
      this.#control.set(piece, this.#controlSize);
      this.#controlSize += piece.length;
      return left === 0 ? this.#onControl(head.opcode) : undefined;
    }
    if (this.#skipping) return;
    this.#reader.add(piece);
    const read = left === 0 && head.fin ? this.#reader.end() : null;
    if (!this.#streaming) return read === null ? undefined : this.#deliver(read);
    const sent = this.#options.out.payload(piece);
    if (read === null) return sent;
    return sent === undefined ? this.#observe(read) : sent.then(() => this.#observe(read));
  }

  #onControl(opcode: number): Promise<void> | undefined {
    const { out } = this.#options;
    const payload = this.#control.subarray(0, this.#controlSize);
    if (opcode === Opcode.close) {
      this.#close = parseClose(payload, this.from);
      out.close(this.#close);
      return;
    }
    if (!this.#holdsWire && !this.#wire.isFree) return this.#controlInTurn(opcode, payload);
    const sent = out.frame(true, false, opcode, payload);
    if (sent === undefined || this.#holdsWire) return sent;
    this.#wire.lock();
    return sent.finally(() => this.#wire.unlock());
  }

  async #controlInTurn(opcode: number, payload: Uint8Array): Promise<void> {
    await this.#wire.lock();
    try {
      await this.#options.out.frame(true, false, opcode, payload);
    } finally {
      this.#wire.unlock();
    }
  }

  /** Message mode: hooks, then sending. */
  #deliver(read: ReadMessage): Promise<void> | undefined {
    const message = this.#messageOf(read);
    const turn = this.#midMessage ? undefined : this.#turns.lock();
    this.#midMessage = false;
    if (this.#options.onMessage !== undefined || turn !== undefined) {
      return this.#deliverInTurn(message, read, turn);
    }
    const state = this.#options.data[internals];
    state.record(message);
    const sent = this.#sender.send(message, read);
    const sentOff = () => {
      this.#reader.release();
      state.settle(message);
      this.#turns.unlock();
    };
    if (sent !== undefined) return sent.finally(sentOff);
    sentOff();
  }

  async #deliverInTurn(
    message: WebSocketMessage,
    read: ReadMessage,
    turn: Promise<void> | undefined,
  ): Promise<void> {
    await turn;
    try {
      await this.#hook(message);
      if (!this.#discarding) await this.#sender.send(message, read);
      this.#reader.keepWire = this.#sender.inStep;
    } finally {
      this.#reader.release();
      this.#options.data[internals].settle(message);
      this.#turns.unlock();
    }
  }

  /** Stream mode: the message has gone; hooks look at it, a little behind if they are slow. */
  #observe(read: ReadMessage): Promise<void> | undefined {
    this.#holdsWire = false;
    this.#wire.unlock();
    const message = this.#messageOf(read);
    message[internals].sealed = this.#options.onSealed;
    if (this.#options.onMessage === undefined && this.#turns.isFree) {
      const state = this.#options.data[internals];
      state.record(message);
      state.settle(message);
      return;
    }
    const done = this.#observeInTurn(message, read.content.length);
    return this.#behind > MAX_BEHIND || this.#behindBytes > MAX_BEHIND_BYTES ? done : undefined;
  }

  async #observeInTurn(message: WebSocketMessage, size: number): Promise<void> {
    this.#behind++;
    this.#behindBytes += size;
    await this.#turns.lock();
    await this.#hook(message);
    this.#options.data[internals].settle(message);
    this.#turns.unlock();
    this.#behind--;
    this.#behindBytes -= size;
  }

  /** Puts the message into the history and shows it to the hooks. Never throws. */
  async #hook(message: WebSocketMessage): Promise<void> {
    const { data, out, onMessage, warn } = this.#options;
    if (this.#abandoned) return;
    data[internals].record(message);
    if (onMessage !== undefined) {
      // What earlier messages left in the buffer goes out even if this hook takes its time.
      const late = out.empty ? null : setImmediate(() => out.flush().catch(() => {}));
      this.#hooking = true;
      try {
        await onMessage(message);
      } catch (thrown) {
        warn(`A websocket_message hook failed: ${messageOf(thrown)}`);
      }
      this.#hooking = false;
      if (late !== null) clearImmediate(late);
    }
  }

  #messageOf({ isText, content }: ReadMessage): WebSocketMessage {
    return new WebSocketMessage(isText, this.from === "client", content);
  }
}
