/**
 * The newest messages of a raw conversation: bounded by number and by bytes, and counted while it runs.
 * @module
 */
import { BodySlice } from "../streams/mod.ts";
import type { HeldHistory, MemoryBudget } from "../memory_budget.ts";

/** Some bytes of a raw TCP conversation. */
export interface TcpMessage {
  /** From the client to the server, or back. */
  readonly fromClient: boolean;
  /** Assign other bytes in `tcp_message` to change what is sent; empty sends nothing. */
  content: Uint8Array;
  /** When it came, in milliseconds since the epoch. */
  readonly timestamp: number;
}

/** How many messages a TCP flow keeps: enough to look back a little, no growth with the conversation. */
export const TCP_HISTORY = 32;
/** And how many bytes of them, so that a thousand tunnels cost megabytes. The newest message may be larger. */
export const TCP_HISTORY_BYTES = 256 * 1024;

/** A message of a conversation that is over, whose bytes lie in a file: read when somebody looks at them. */
export class RecordedTcpMessage implements TcpMessage {
  readonly fromClient: boolean;
  readonly timestamp: number;
  /** Where they lie, or what was assigned. */
  held: BodySlice | Uint8Array;

  constructor(fromClient: boolean, slice: BodySlice, timestamp: number) {
    this.fromClient = fromClient;
    this.held = slice;
    this.timestamp = timestamp;
  }

  get content(): Uint8Array {
    return this.held instanceof BodySlice ? this.held.read() : this.held;
  }

  set content(content: Uint8Array) {
    this.held = content;
  }

  get size(): number {
    return this.held instanceof BodySlice ? this.held.size : this.held.length;
  }
}

/** Bytes on their way: copied when somebody looks at them, as the buffer that they lie in is used again. */
export class PassingTcpMessage implements TcpMessage {
  readonly fromClient: boolean;
  readonly timestamp: number = Date.now();
  #view: Uint8Array;
  #content: Uint8Array | null = null;

  /** `view` is valid until {@linkcode PassingTcpMessage.passed}. */
  constructor(fromClient: boolean, view: Uint8Array) {
    this.fromClient = fromClient;
    this.#view = view;
  }

  get content(): Uint8Array {
    this.copy();
    return this.#content!;
  }

  set content(content: Uint8Array) {
    this.#content = content;
  }

  /** Copies the bytes now, for those who look later. */
  copy(): void {
    this.#content ??= this.#view.slice();
  }

  /** It was shown to all who look, and what it is now is sent: gives that. The message keeps only what was looked at. */
  passed(): Uint8Array {
    const bytes = this.#content ?? this.#view;
    this.#content ??= NOTHING;
    this.#view = NOTHING;
    return bytes;
  }

  /** Puts back what a hook changed before it threw. */
  remember(): () => void {
    const content = this.#content;
    return () => this.#content = content;
  }
}

const NOTHING = new Uint8Array(0);

/** What a {@linkcode TcpFlow} keeps. */
export class TcpHistory implements HeldHistory {
  readonly messages: TcpMessage[] = [];
  /** How many older messages were let go. */
  forgotten = 0;
  readonly #sizes = new Map<TcpMessage, number>();
  #bytes = 0;
  #memory: MemoryBudget | null = null;

  /** Counts what is kept from here on. */
  bookIn(memory: MemoryBudget): void {
    this.#memory = memory;
  }

  /** Adds the newest message and lets go of the oldest. */
  record(message: TcpMessage): void {
    if (this.messages.length >= TCP_HISTORY) this.#forgetOldest();
    this.messages.push(message);
  }

  /** It was shown to the hooks, and is what it will be: from now on its bytes count. */
  settle(message: TcpMessage): void {
    const size = message.content.length;
    this.#sizes.set(message, size);
    this.#bytes += size;
    this.#memory?.remember(this, size);
    while (this.#bytes > TCP_HISTORY_BYTES && this.messages[0] !== message && this.forgetOldest());
  }

  /** It was shown to the hooks, and nobody keeps it. */
  drop(message: TcpMessage): void {
    const at = this.messages.lastIndexOf(message);
    if (at >= 0) this.messages.splice(at, 1);
    this.forgotten++;
  }

  forgetOldest(): boolean {
    // One that a hook is looking at stays.
    if (this.messages.length === 0 || !this.#sizes.has(this.messages[0])) return false;
    this.#forgetOldest();
    return true;
  }

  #forgetOldest(): void {
    const oldest = this.messages.shift()!;
    const size = this.#sizes.get(oldest) ?? 0;
    this.forgotten++;
    this.#sizes.delete(oldest);
    this.#bytes -= size;
    this.#memory?.forgot(size);
  }

  /** The conversation has ended: what addons keep of it is theirs. */
  end(): void {
    this.#memory?.leave(this, this.#bytes);
    this.#memory = null;
  }
}
