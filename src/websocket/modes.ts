/**
 * The two ways of data frames: in message mode a message is read whole, shown to the hooks, then sent; in stream mode each
 * frame goes on as it arrives, and the hooks are shown the message when it is complete.
 * @module
 */
import { internals } from "../internals.ts";
import type { WebSocketMessage } from "./conversation.ts";
import { type FrameHead, Opcode } from "./frames.ts";
import type { MessagePath } from "./message_path.ts";
import type { MessageReader, ReadMessage } from "./messages.ts";

/** Streamed messages, and bytes of them, whose hooks may be behind; beyond, the connection waits for the hooks. */
const MAX_BEHIND = 64;
const MAX_BEHIND_BYTES = 1024 * 1024;

/** What becomes of data frames. A promise holds the reading up. */
export interface FrameMode {
  /** A message's frames are on the wire: control frames may go between them (RFC 6455 §5.4). */
  readonly holdsWire: boolean;
  /** A frame begins. */
  begin(head: FrameHead): Promise<void> | undefined;
  /** Bytes of it; `isEnd`: the last ones of the message. */
  payload(piece: Uint8Array, isEnd: boolean): Promise<void> | undefined;
  /** No frame comes any more: gives back what an unfinished message holds. */
  end(): void;
}

/** Whole messages. */
export class MessageMode implements FrameMode {
  readonly holdsWire = false;
  readonly #path: MessagePath;
  readonly #reader: MessageReader;

  constructor(path: MessagePath, reader: MessageReader) {
    this.#path = path;
    this.#reader = reader;
  }

  begin(head: FrameHead): Promise<void> | undefined {
    this.#reader.begin(head);
    if (head.fin || head.opcode === Opcode.continuation) return;
    this.#path.isMidMessage = true;
    return this.#path.turns.lock();
  }

  payload(piece: Uint8Array, isEnd: boolean): Promise<void> | undefined {
    this.#reader.add(piece);
    const read = isEnd ? this.#reader.end() : null;
    return read === null ? undefined : this.#deliver(read);
  }

  end(): void {
    if (this.#path.isMidMessage) this.#path.turns.unlock();
  }

  /** Hooks, then sending. */
  #deliver(read: ReadMessage): Promise<void> | undefined {
    const path = this.#path, { data, onMessage } = path.options;
    const message = path.messageOf(read);
    const turn = path.isMidMessage ? undefined : path.turns.lock();
    path.isMidMessage = false;
    if (onMessage !== undefined || turn !== undefined) return this.#deliverInTurn(message, read, turn);
    const state = data[internals];
    state.record(message);
    const sent = path.sender.send(message, read);
    const sentOff = () => {
      this.#reader.release();
      state.settle(message);
      path.turns.unlock();
    };
    if (sent !== undefined) return sent.finally(sentOff);
    sentOff();
  }

  async #deliverInTurn(
    message: WebSocketMessage,
    read: ReadMessage,
    turn: Promise<void> | undefined,
  ): Promise<void> {
    const path = this.#path;
    await turn;
    try {
      await path.hook(message);
      if (!path.isDiscarding) await path.sender.send(message, read);
      this.#reader.keepWire = path.sender.inStep;
    } finally {
      this.#reader.release();
      path.options.data[internals].settle(message);
      path.turns.unlock();
    }
  }
}

/** Frames as they come. */
export class StreamMode implements FrameMode {
  readonly #path: MessagePath;
  readonly #reader: MessageReader;
  #holdsWire = false;
  #behind = 0;
  #behindBytes = 0;

  constructor(path: MessagePath, reader: MessageReader) {
    this.#path = path;
    this.#reader = reader;
  }

  get holdsWire(): boolean {
    return this.#holdsWire;
  }

  begin(head: FrameHead): Promise<void> | undefined {
    this.#reader.begin(head);
    const turn = head.opcode === Opcode.continuation ? undefined : this.#path.wire.lock();
    return turn === undefined ? this.#forward(head) : turn.then(() => this.#forward(head));
  }

  payload(piece: Uint8Array, isEnd: boolean): Promise<void> | undefined {
    this.#reader.add(piece);
    const read = isEnd ? this.#reader.end() : null;
    const sent = this.#path.options.out.payload(piece);
    if (read === null) return sent;
    return sent === undefined ? this.#observe(read) : sent.then(() => this.#observe(read));
  }

  end(): void {
    if (this.#holdsWire) this.#path.wire.unlock();
  }

  /** The wire is held from a message's first head to its end. */
  #forward({ fin, rsv1, opcode, length }: FrameHead): Promise<void> | undefined {
    this.#holdsWire = true;
    return this.#path.options.out.begin(fin, rsv1, opcode, length);
  }

  /** The message has gone; hooks look at it, a little behind if they are slow. */
  #observe(read: ReadMessage): Promise<void> | undefined {
    const path = this.#path, { data, onMessage, onSealed } = path.options;
    this.#holdsWire = false;
    path.wire.unlock();
    const message = path.messageOf(read);
    message[internals].sealed = onSealed;
    if (onMessage === undefined && path.turns.isFree) {
      const state = data[internals];
      state.record(message);
      state.settle(message);
      return;
    }
    const done = this.#observeInTurn(message, read.content.length);
    return this.#behind > MAX_BEHIND || this.#behindBytes > MAX_BEHIND_BYTES ? done : undefined;
  }

  async #observeInTurn(message: WebSocketMessage, size: number): Promise<void> {
    const path = this.#path;
    this.#behind++;
    this.#behindBytes += size;
    await path.turns.lock();
    await path.hook(message);
    path.options.data[internals].settle(message);
    path.turns.unlock();
    this.#behind--;
    this.#behindBytes -= size;
  }
}
