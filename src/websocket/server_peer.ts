/**
 * The server's end of a WebSocket connection, in memory: for addons that answer a handshake themselves (RFC 6455 §5, §7).
 * @module
 */
import { concat } from "@std/bytes";
import { WeirError } from "../errors.ts";
import type { Address, Conn } from "../net/mod.ts";
import { closePayload, parseClose } from "./close.ts";
import { encodeFrameHead, FrameParser, isControl, MAX_HEAD, Opcode } from "./frames.ts";

/** A message that the client has sent. */
export interface PeerMessage {
  /** Text, not bytes. */
  readonly isText: boolean;
  /** Text in UTF-8, or bytes. */
  readonly content: Uint8Array<ArrayBuffer>;
}

/** What an addon has in its hands that plays a server. Iterating gives the client's messages, until the connection closes. */
export interface WebSocketPeer extends AsyncIterable<PeerMessage> {
  /** Resolves when the message was taken by the connection: a string as text, bytes as binary. Rejects when it is closed. */
  send(content: string | Uint8Array): Promise<void>;
  /** Sends a Close frame; without a code an empty one. */
  close(code?: number, reason?: string): Promise<void>;
  /** Ends the connection without a word, as one that was lost. */
  abort(): void;
}

/** Bytes of messages that wait for the addon; beyond that the client waits. */
const MAX_WAITING = 1024 * 1024;
const NOWHERE: Address = { hostname: "", port: 0 };
const encoder = new TextEncoder();

/** A connection to the relay; `peer` is what the addon has of it. */
export class ServerPeer implements Conn {
  readonly localAddr = NOWHERE;
  readonly remoteAddr = NOWHERE;
  readonly tls = null;
  readonly #parser = new FrameParser("client", false);
  readonly #limit: number;
  /** Frames for the client, and who wrote each. */
  #out: { bytes: Uint8Array; taken: PromiseWithResolvers<void> }[] = [];
  /** Messages for the addon. */
  #in: PeerMessage[] = [];
  #waiting = 0;
  /** What is there of a message, and of a control frame, which may come in the middle of one. */
  readonly #message = new Parts();
  readonly #control = new Parts();
  #isText = false;
  #state: "open" | "closing" | "closed" = "open";
  /** The client will send nothing more. */
  #isEnded = false;
  #error: WeirError | null = null;
  #changed = Promise.withResolvers<void>();

  /** `limit`: most bytes of a message. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** For the addon. */
  get peer(): WebSocketPeer {
    return {
      send: (content) => {
        const isText = typeof content === "string";
        return this.#frame(isText ? Opcode.text : Opcode.binary, isText ? encoder.encode(content) : content);
      },
      close: async (code, reason = "") => {
        if (this.#state !== "open") return;
        this.#state = "closing";
        await this.#frame(
          Opcode.close,
          code === undefined ? new Uint8Array() : closePayload({ code, reason }),
        );
      },
      abort: () => this.reset(),
      [Symbol.asyncIterator]: () => this.#messages(),
    };
  }

  async *#messages(): AsyncGenerator<PeerMessage, void> {
    for (;;) {
      const message = this.#in.shift();
      if (message !== undefined) {
        this.#waiting -= message.content.length;
        this.#wake();
        yield message;
      } else if (this.#isEnded || this.#state === "closed") return;
      else await this.#changed.promise;
    }
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const first = this.#out[0];
      if (first !== undefined) {
        const count = Math.min(into.length, first.bytes.length);
        into.set(first.bytes.subarray(0, count));
        first.bytes = first.bytes.subarray(count);
        if (first.bytes.length === 0) this.#out.shift()!.taken.resolve();
        return count;
      }
      // Both have said goodbye: the server closes first (RFC 6455 §7.1.1).
      if (this.#state === "closed" || this.#isEnded && this.#state === "closing") return null;
      await this.#changed.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== null) throw this.#error;
    this.#parser.push(bytes.slice());
    for (let event; (event = this.#parser.next()) !== undefined;) {
      if (event === "payload") this.#payload();
    }
    this.#wake();
    while (this.#waiting > MAX_WAITING && this.#state === "open") await this.#changed.promise;
  }

  closeWrite(): Promise<void> {
    this.#isEnded = true;
    this.#wake();
    return Promise.resolve();
  }

  reset(): void {
    this.#error ??= new WeirError("server", "closed", "The connection was lost.");
    this.#end();
  }

  close(): void {
    this.#end();
  }

  #end(): void {
    this.#state = "closed";
    for (const { taken } of this.#out.splice(0)) taken.reject(closedError());
    this.#wake();
  }

  #payload(): void {
    const { head, piece, left } = this.#parser;
    const parts = isControl(head) ? this.#control : this.#message;
    if (head.opcode === Opcode.text || head.opcode === Opcode.binary) {
      this.#isText = head.opcode === Opcode.text;
    }
    parts.add(piece);
    if (parts.size > this.#limit) throw new WeirError("client", "limit", "A message is too large.");
    if (left > 0) return;
    if (isControl(head)) return this.#onControl(head.opcode, parts.take());
    if (!head.fin) return;
    const content = parts.take();
    this.#in.push({ isText: this.#isText, content });
    this.#waiting += content.length;
  }

  #onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.ping) this.#frame(Opcode.pong, payload).catch(() => {});
    if (opcode !== Opcode.close) return;
    parseClose(payload, "client");
    this.#isEnded = true;
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#frame(Opcode.close, payload).catch(() => {});
  }

  #frame(opcode: number, payload: Uint8Array): Promise<void> {
    if (this.#state === "closed") return Promise.reject(closedError());
    const bytes = new Uint8Array(MAX_HEAD + payload.length);
    const at = encodeFrameHead(bytes, 0, true, false, opcode, payload.length, null);
    bytes.set(payload, at);
    const taken = Promise.withResolvers<void>();
    this.#out.push({ bytes: bytes.subarray(0, at + payload.length), taken });
    this.#wake();
    return taken.promise;
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}

function closedError(): WeirError {
  return new WeirError("client", "closed", "The WebSocket connection is closed.");
}

/** Bytes that come in pieces. */
class Parts {
  size = 0;
  #parts: Uint8Array[] = [];

  add(part: Uint8Array): void {
    this.#parts.push(part);
    this.size += part.length;
  }

  take(): Uint8Array<ArrayBuffer> {
    const bytes = concat(this.#parts);
    this.#parts = [];
    this.size = 0;
    return bytes;
  }
}
