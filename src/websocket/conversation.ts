/**
 * What addons hold of a WebSocket connection: `flow.websocket` and its messages (mitmproxy `websocket.WebSocketData`).
 * @module
 */
import { WeirError } from "../errors.ts";
import type { HeldHistory, MemoryBudget } from "../memory_budget.ts";
import type { History } from "../options/mod.ts";
import { BytePool } from "./byte_pool.ts";
import { internals } from "../internals.ts";
import { BodySlice } from "../streams/mod.ts";
import { shortLivedCopy } from "./short_lived.ts";

/** What weir keeps on a message. */
interface MessageState {
  /** Null when it was released. */
  content: Uint8Array | null;
  /** The copy that hooks are given while it is busy. */
  shown: Uint8Array | null;
  /** Nobody else was given these very bytes: they can be used again. */
  unseen: boolean;
  /** It is being sent or shown to hooks. */
  busy: boolean;
  /** Content was assigned. */
  changed: boolean;
  /** Set when the message is already on its way: changes have no effect, and this is called. */
  sealed: (() => void) | null;
  /** Bytes that the history counts for it; -1 when it is not in the history. */
  counted: number;
  /** Where the content of a recorded message lies, as long as nobody has assigned another. */
  slice: BodySlice | null;
}

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One message, reassembled and decompressed. */
export class WebSocketMessage {
  /** Text (UTF-8) or binary. */
  readonly isText: boolean;
  /** From the client to the server, or back. */
  readonly fromClient: boolean;
  /** An addon made it, with `inject`. */
  readonly injected: boolean;
  /** When it was complete, in milliseconds since the epoch. */
  readonly timestamp: number;
  /** @ignore */
  readonly [internals]: MessageState;
  #dropped = false;

  /** @ignore */
  constructor(
    isText: boolean,
    fromClient: boolean,
    content: Uint8Array,
    injected = false,
    timestamp = Date.now(),
  ) {
    this.isText = isText;
    this.fromClient = fromClient;
    this.injected = injected;
    this.timestamp = timestamp;
    this[internals] = {
      content,
      shown: null,
      unseen: !injected,
      busy: true,
      changed: false,
      sealed: null,
      counted: -1,
      slice: null,
    };
  }

  /**
   * The payload. Assign bytes or a string to send something else; bytes written in place are not looked for.
   * A message that leaves the history gives up its memory, and reading it later throws: keep its content, not the message.
   * @throws {TypeError} when bytes that are not UTF-8 are assigned to a text message.
   */
  get content(): Uint8Array {
    const content = this.#bytes(), state = this[internals];
    // Hooks look at a copy, so that the memory of a message, which may be in the history for long, can be used again.
    if (state.unseen && state.busy) return state.shown ??= shortLivedCopy(content);
    state.unseen = false;
    return content;
  }

  set content(content: Uint8Array | string) {
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`A WebSocket message's content is bytes or a string, not ${typeof content}.`);
    }
    if (this.isText && typeof content !== "string") decode(bytes);
    const state = this[internals];
    if (bytes === state.content || bytes === state.shown || this.#sealed()) return;
    state.content = bytes;
    state.shown = null;
    state.changed = true;
    state.unseen = false;
  }

  /**
   * The content of a text message.
   * @throws {TypeError} for a binary message, which has only `content`.
   */
  get text(): string {
    if (!this.isText) throw new TypeError("This WebSocket message is binary: it has content, but no text.");
    return decode(this.#bytes());
  }

  set text(text: string) {
    if (!this.isText) {
      throw new TypeError("This WebSocket message is binary: assign its content, not its text.");
    }
    this.content = text;
  }

  /** Bytes of content. */
  get size(): number {
    return this[internals].slice?.size ?? this.#bytes().length;
  }

  /** True when it was not, and will not be, sent. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** Keeps the message from being sent. It stays in the history. */
  drop(): void {
    if (!this.#sealed()) this.#dropped = true;
  }

  /**
   * Remembers a message; the function that is returned puts it back as it was.
   * @ignore
   */
  static remember(message: WebSocketMessage): () => void {
    const state = message[internals], { content, changed, unseen } = state, dropped = message.#dropped;
    return () => {
      message.#dropped = dropped;
      state.content = content;
      // While it is busy its own bytes are given to nobody.
      state.unseen = unseen && state.busy;
      state.changed = changed;
    };
  }

  /**
   * A message of a conversation that is over.
   * @ignore
   */
  static recorded(init: RecordedWebSocketMessage): WebSocketMessage {
    const { isText, fromClient, content, injected, timestamp } = init;
    const slice = content instanceof BodySlice ? content : null;
    const bytes = typeof content === "string"
      ? encoder.encode(content)
      : content instanceof BodySlice
      ? EMPTY
      : content;
    const message = new WebSocketMessage(isText, fromClient, bytes, injected ?? false, timestamp);
    message.#dropped = init.dropped ?? false;
    Object.assign(message[internals], { busy: false, unseen: false });
    if (slice !== null) readFrom(message[internals], slice);
    return message;
  }

  #bytes(): Uint8Array {
    const { content } = this[internals];
    if (content !== null) return content;
    throw new Error(
      "This WebSocket message was released (option websocket_history): read its content earlier.",
    );
  }

  #sealed(): boolean {
    const { sealed } = this[internals];
    sealed?.();
    return sealed !== null;
  }
}

const EMPTY = new Uint8Array();

/** Has content read when it is looked at, until something else is assigned. */
function readFrom(state: MessageState, slice: BodySlice): void {
  state.slice = slice;
  Object.defineProperty(state, "content", {
    configurable: true,
    enumerable: true,
    get: () => slice.read(),
    set: (value: Uint8Array | null) => {
      state.slice = null;
      Object.defineProperty(state, "content", {
        value,
        writable: true,
        configurable: true,
        enumerable: true,
      });
    },
  });
}

function decode(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (cause) {
    throw new TypeError("The content of a WebSocket text message must be UTF-8.", { cause });
  }
}

/** A WebSocket message that is read from a file, or made by hand. */
export interface RecordedWebSocketMessage {
  /** Text (UTF-8) or binary. */
  readonly isText: boolean;
  /** From the client to the server, or back. */
  readonly fromClient: boolean;
  /** The payload; a string is encoded as UTF-8, bytes of a file are read when somebody looks at them. */
  readonly content: Uint8Array | string | BodySlice;
  /** In milliseconds since the epoch; the present by default. */
  readonly timestamp?: number;
  /** It was not sent on. */
  readonly dropped?: boolean;
  /** An addon made it. */
  readonly injected?: boolean;
}

/** What `inject` and `close` act on: the relay of the connection. */
export interface WebSocketControl {
  /** Resolves when the message was sent or dropped; see {@linkcode WebSocketData.inject}. */
  inject(message: WebSocketMessage): Promise<void>;
  close(code: number, reason: string): void;
}

/** Messages that may wait for the relay to start, so that an addon cannot fill memory in `websocket_start`. */
const MAX_EARLY = 64;

/** A WebSocket connection: `flow.websocket`. */
export class WebSocketData {
  /** The newest messages, oldest first; bounded by the option `websocket_history`. */
  readonly messages: WebSocketMessage[] = [];
  /** How many older messages were released. */
  forgotten = 0;
  /** Set it to true in `websocket_start` to forward each frame as it arrives (option `stream_websockets`). */
  stream = false;
  /** Who closed: true the client, false the server, null weir or nobody yet. */
  closedByClient: boolean | null = null;
  /** RFC 6455 §7.4; 1005: a Close frame without a code, 1006: the connection was lost. Null while it is open. */
  closeCode: number | null = null;
  /** The text in the Close frame; null while it is open. */
  closeReason: string | null = null;
  /** When the connection began, in milliseconds since the epoch. */
  readonly timestampStart: number;
  /** When the connection ended, or null. */
  timestampEnd: number | null = null;
  /** @ignore */
  readonly [internals]: WebSocketState;

  /** @ignore */
  constructor(history: History, timestampStart = Date.now()) {
    this[internals] = new WebSocketState(this, history);
    this.timestampStart = timestampStart;
  }

  /**
   * Sends a message of your own: a string as text, bytes as binary. It waits for an open fragmented message to end, and
   * `websocket_message` runs for it (with `injected` true). Resolves when it was sent, or at once while a hook runs for
   * that direction (so a hook may await it); rejects when the connection has ended or too many are waiting.
   */
  inject(toClient: boolean, content: string | Uint8Array): Promise<void> {
    const isText = typeof content === "string";
    const bytes = isText ? encoder.encode(content) : content;
    const done = this[internals].inject(new WebSocketMessage(isText, !toClient, bytes, true));
    // Who does not await it does not want to hear of it either.
    done.catch(() => {});
    return done;
  }

  /**
   * Closes both sides with this code and reason, now: messages under way are not sent.
   * @throws {RangeError} when the code may not be sent (RFC 6455 §7.4) or the reason has more than 123 bytes.
   */
  close(code = 1000, reason = ""): void {
    if (!isCloseCode(code)) throw new RangeError(`${code} is not a WebSocket close code that may be sent.`);
    if (encoder.encode(reason).length > 123) {
      throw new RangeError("A WebSocket close reason has at most 123 bytes.");
    }
    this[internals].close(code, reason);
  }
}

/** RFC 6455 §7.4 and the IANA registry: codes that may be in a Close frame. */
export function isCloseCode(code: number): boolean {
  return Number.isInteger(code) &&
    (code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999);
}

/**
 * Where the contents of messages come from, and go to when they are released: one for all connections, so that a thousand
 * of them do not each keep memory for messages to come.
 */
const pool = new BytePool();

/** What weir keeps on a connection, and does with its history. */
class WebSocketState implements HeldHistory {
  readonly #data: WebSocketData;
  readonly #history: History;
  readonly pool = pool;
  /** Where the history, and messages that are put together, are booked; null for none, and when the connection has ended. */
  memory: MemoryBudget | null = null;
  #bytes = 0;
  #control: WebSocketControl | null = null;
  /** Called before there was a relay. */
  #early: ((control: WebSocketControl) => void)[] = [];

  constructor(data: WebSocketData, history: History) {
    this.#data = data;
    this.#history = history;
  }

  /** Puts a message into the history, as the newest; older ones make room. */
  record(message: WebSocketMessage): void {
    this.#data.messages.push(message);
    this.#count(message);
    this.#release(1);
  }

  /** It was sent, and its hooks are over: from now on nothing keeps it but the limits. */
  settle(message: WebSocketMessage): void {
    const state = message[internals];
    state.busy = false;
    state.shown = null;
    if (state.changed && state.counted !== -1) {
      this.#uncount(state.counted);
      this.#count(message);
    }
    this.#release(0);
  }

  forgetOldest(): boolean {
    const { messages } = this.#data;
    // One that is being sent or shown stays, and so does what came after it.
    if (messages.length === 0 || messages[0][internals].busy) return false;
    this.#forget(messages.shift()!);
    return true;
  }

  /** Moves a message to the end when the other direction's have come after it: what a hook sees is the newest. */
  makeNewest(message: WebSocketMessage): void {
    const { messages } = this.#data;
    if (messages.at(-1) === message) return;
    const at = messages.lastIndexOf(message);
    if (at === -1) {
      this.#data.forgotten--;
      this.record(message);
    } else {
      messages.splice(at, 1);
      messages.push(message);
    }
  }

  inject(message: WebSocketMessage): Promise<void> {
    if (this.#control !== null) return this.#control.inject(message);
    if (this.#data.timestampEnd !== null) return Promise.reject(ended());
    if (this.#early.length === MAX_EARLY) {
      return Promise.reject(
        new WeirError(
          "weir",
          "limit",
          `More than ${MAX_EARLY} messages injected before the connection started.`,
        ),
      );
    }
    // Awaiting it in websocket_start would wait for what comes after the hook.
    this.#early.push((control) => control.inject(message).catch(() => {}));
    return Promise.resolve();
  }

  close(code: number, reason: string): void {
    if (this.#control !== null) this.#control.close(code, reason);
    else if (this.#data.timestampEnd === null && this.#early.length < 2 * MAX_EARLY) {
      this.#early.push((control) => control.close(code, reason));
    }
  }

  /** The relay has begun. */
  attach(control: WebSocketControl): void {
    this.#control = control;
    for (const act of this.#early.splice(0)) act(control);
  }

  /** The relay is over. */
  detach(): void {
    this.#control = null;
    this.#data.timestampEnd = Date.now();
    // What addons keep of it is theirs from here on.
    this.memory?.leave(this, this.#bytes);
    this.memory = null;
  }

  #count(message: WebSocketMessage): void {
    const size = message.size;
    message[internals].counted = size;
    this.#bytes += size;
    this.memory?.remember(this, size);
  }

  #uncount(size: number): void {
    this.#bytes -= size;
    this.memory?.forgot(size);
  }

  #forget(message: WebSocketMessage): void {
    const state = message[internals];
    this.#data.forgotten++;
    this.#uncount(state.counted);
    state.counted = -1;
    if (state.busy || !state.unseen || state.content === null) return;
    this.pool.give(state.content);
    state.content = null;
  }

  /** Forgets the oldest until the limits hold, but not the newest `keep`. */
  #release(keep: number): void {
    const { messages } = this.#data;
    while (
      messages.length > keep &&
      (messages.length > this.#history.messages || this.#bytes > this.#history.bytes)
    ) {
      const oldest = messages.shift()!;
      this.#forget(oldest);
    }
  }
}

function ended(): WeirError {
  return new WeirError("weir", "closed", "The WebSocket connection has ended.");
}
