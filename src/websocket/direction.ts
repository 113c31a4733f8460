/**
 * One direction of a relayed connection: one peer's bytes become frames for the other, past the hooks. Here is the read loop,
 * and what becomes of control frames; data frames go by one of two modes (`./modes.ts`).
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { internals } from "../internals.ts";
import { type Close, parseClose } from "./close.ts";
import type { WebSocketMessage } from "./conversation.ts";
import { Inflater } from "./deflate.ts";
import { type FrameHead, FrameParser, isControl, MAX_CONTROL, Opcode } from "./frames.ts";
import { Intake } from "./intake.ts";
import { type DirectionOptions, MessagePath } from "./message_path.ts";
import { MessageReader } from "./messages.ts";
import { type FrameMode, MessageMode, StreamMode } from "./modes.ts";

/** Reads one peer, writes to the other. */
export class Direction {
  readonly from: Side;
  readonly #options: DirectionOptions;
  readonly #intake: Intake;
  readonly #parser: FrameParser;
  readonly #inflater: Inflater | null;
  readonly #reader: MessageReader;
  readonly #path: MessagePath;
  readonly #mode: FrameMode;
  readonly #control = new Uint8Array(MAX_CONTROL);
  #controlSize = 0;
  #close: Close | null = null;
  /** The data frame that is under way is not passed on. */
  #isSkipping = false;

  constructor(options: DirectionOptions) {
    const { from, deflate, data, limit } = options;
    this.from = from;
    this.#options = options;
    this.#intake = new Intake(options.source, (thrown) => options.onLost(this.#lost(thrown)));
    this.#parser = new FrameParser(from, deflate !== null);
    this.#inflater = deflate === null ? null : new Inflater(from, deflate.takeover);
    const { pool, memory } = data[internals];
    this.#reader = new MessageReader(from, {
      limit,
      inflater: this.#inflater,
      keepWire: !data.stream,
      pool,
      memory,
    });
    this.#path = new MessagePath(options);
    const Mode = data.stream ? StreamMode : MessageMode;
    this.#mode = new Mode(this.#path, this.#reader);
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
      this.#path.isOver = true;
      this.#mode.end();
    }
  }

  /** From the next frame on nothing is passed on, but the peer's Close frame is still awaited. */
  discard(): void {
    this.#path.isDiscarding = true;
  }

  /** No hook is to be called any more. */
  abandon(): void {
    this.#path.isAbandoned = true;
  }

  /** Waits for the hooks that are under way or due, and frees what is left. Call after `run` has ended. */
  async finish(): Promise<void> {
    const { turns, sender } = this.#path;
    this.#path.isOver = true;
    await turns.lock();
    await this.#intake.close();
    this.#reader.release();
    this.#inflater?.close();
    sender.close();
    turns.unlock();
  }

  /** See `WebSocketData.inject`. */
  inject(message: WebSocketMessage): Promise<void> {
    return this.#path.inject(message);
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
    this.#isSkipping = this.#path.isDiscarding;
    if (!this.#isSkipping) return this.#mode.begin(head);
  }

  #onPayload(piece: Uint8Array): Promise<void> | undefined {
    const { head, left } = this.#parser;
    if (isControl(head)) {
      this.#control.set(piece, this.#controlSize);
      this.#controlSize += piece.length;
      return left === 0 ? this.#onControl(head.opcode) : undefined;
    }
    if (!this.#isSkipping) return this.#mode.payload(piece, left === 0 && head.fin);
  }

  #onControl(opcode: number): Promise<void> | undefined {
    const { out } = this.#options, { wire } = this.#path, { holdsWire } = this.#mode;
    const payload = this.#control.subarray(0, this.#controlSize);
    if (opcode === Opcode.close) {
      this.#close = parseClose(payload, this.from);
      out.close(this.#close);
      return;
    }
    if (!holdsWire && !wire.isFree) return this.#controlInTurn(opcode, payload);
    const sent = out.frame(true, false, opcode, payload);
    if (sent === undefined || holdsWire) return sent;
    wire.lock();
    return sent.finally(() => wire.unlock());
  }

  async #controlInTurn(opcode: number, payload: Uint8Array): Promise<void> {
    const { wire } = this.#path;
    await wire.lock();
    try {
      await this.#options.out.frame(true, false, opcode, payload);
    } finally {
      wire.unlock();
    }
  }
}
