/**
 * Messages out of data frames (RFC 6455 §5.4, RFC 7692 §6.2): joined, inflated, checked, never beyond a limit.
 * @module
 */
import type { Side } from "../errors.ts";
import type { BytePool } from "./byte_pool.ts";
import type { MemoryBudget } from "../memory_budget.ts";
import { CloseCode, WebSocketError } from "./close.ts";
import { ByteCollector } from "./collector.ts";
import type { Inflater } from "./deflate.ts";
import { type FrameHead, Opcode } from "./frames.ts";
import { Utf8Validator } from "./utf8.ts";

/** Frame lengths that are remembered; a message of more fragments goes out with the rest in one frame. */
const MAX_FRAGMENTS = 16 * 1024;

/** A complete message. */
export interface ReadMessage {
  readonly isText: boolean;
  readonly content: Uint8Array;
  /** It came compressed: with its bytes as they were on the wire, if they were kept. */
  readonly compressed: boolean;
  readonly wire: Uint8Array | null;
  /** Payload lengths of its frames on the wire. */
  readonly lengths: readonly number[];
}

export interface MessageReaderOptions {
  /** Most bytes of a message. */
  readonly limit: number;
  readonly inflater: Inflater | null;
  /** Keep compressed messages as they were on the wire too. */
  readonly keepWire: boolean;
  /** Where the memory for contents comes from. */
  readonly pool: BytePool;
  /** Where it is booked. */
  readonly memory: MemoryBudget | null;
}

/** Puts one peer's messages together. Throws {@linkcode WebSocketError} at the first byte that is wrong or too many. */
export class MessageReader {
  readonly #side: Side;
  readonly #limit: number;
  readonly #inflater: Inflater | null;
  readonly #memory: MemoryBudget | null;
  readonly #utf8 = new Utf8Validator();
  readonly #content: ByteCollector;
  readonly #wire = new ByteCollector();
  readonly #keep = (plain: Uint8Array) => this.#plain(plain);
  #isText = false;
  #compressed = false;
  #lengths: number[] = [];
  /** Declared plain bytes of the message so far; 0 when it is compressed. */
  #declared = 0;
  /** Bytes that are booked. */
  #held = 0;
  /** Keep compressed messages as they were on the wire too. */
  keepWire: boolean;

  constructor(side: Side, options: MessageReaderOptions) {
    this.#content = new ByteCollector(options.pool);
    this.#side = side;
    this.#limit = options.limit;
    this.#inflater = options.inflater;
    this.#memory = options.memory;
    this.keepWire = options.keepWire;
  }

  /** A data frame's head. */
  begin(head: FrameHead): void {
    if (head.opcode !== Opcode.continuation) {
      this.release();
      this.#isText = head.opcode === Opcode.text;
      this.#compressed = head.rsv1;
      this.#lengths = [];
      this.#declared = 0;
    }
    if (this.#lengths.length < MAX_FRAGMENTS) this.#lengths.push(head.length);
    else this.#lengths[MAX_FRAGMENTS - 1] += head.length;
    if (!this.#compressed) {
      this.#declared += head.length;
      this.#check(this.#declared);
    } else if (this.keepWire) this.#check(this.#wire.size + head.length);
  }

  /** Part of a data frame's payload. */
  add(piece: Uint8Array): void {
    if (!this.#compressed) return this.#plain(piece);
    if (this.keepWire) {
      this.#hold(piece.length);
      this.#wire.add(piece);
    }
    this.#inflater!.push(piece, this.#keep);
  }

  /** The last frame has ended. */
  end(): ReadMessage {
    if (this.#compressed) this.#inflater!.end(this.#keep);
    if (this.#isText && !this.#utf8.end()) throw this.#notUtf8();
    const wire = this.#compressed && this.keepWire ? this.#wire.take() : null;
    // The history counts the content from here on.
    this.#giveBack(wire?.length ?? 0);
    return {
      isText: this.#isText,
      content: this.#content.take(),
      compressed: this.#compressed,
      wire,
      lengths: this.#lengths,
    };
  }

  /** What was read last is not needed any more as it was on the wire. */
  release(): void {
    this.#giveBack(0);
  }

  /** Books out all but `rest` bytes. */
  #giveBack(rest: number): void {
    this.#memory?.give(this.#held - rest);
    this.#held = rest;
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    if (this.#memory === null || this.#memory.take(bytes)) return;
    throw new WebSocketError(
      this.#side,
      CloseCode.tooBig,
      `There is no room for a message of the ${this.#side}'s: what weir holds has passed memory_limit.`,
    );
  }

  #plain(piece: Uint8Array): void {
    if (this.#compressed) this.#check(this.#content.size + piece.length);
    if (this.#isText && !this.#utf8.push(piece)) throw this.#notUtf8();
    this.#hold(piece.length);
    this.#content.add(piece, this.#declared);
  }

  #check(size: number): void {
    if (size <= this.#limit) return;
    throw new WebSocketError(
      this.#side,
      CloseCode.tooBig,
      `The ${this.#side} sent a message of more than ${this.#limit} bytes (websocket_message_limit).`,
    );
  }

  #notUtf8(): WebSocketError {
    return new WebSocketError(
      this.#side,
      CloseCode.invalidPayload,
      `The ${this.#side} sent a text message that is not UTF-8.`,
    );
  }
}
