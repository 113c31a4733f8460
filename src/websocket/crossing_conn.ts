/**
 * A WebSocket connection to a server whose payloads are changed on their way, frame by frame (RFC 6455 §5): of messages, of Close
 * reasons (§5.5.1), of pings (§5.5.2). Whoever is in front of it sees what has come in, and what has not yet gone out.
 *
 * A message is changed piece by piece, as it comes; what its editor holds back goes out with the piece that decides it. A frame that
 * is here as a whole stays one frame, a longer one becomes several. There is no compression (RFC 7692) on such a connection.
 * @module
 */
import { concat } from "@std/bytes";
import type { Side } from "../errors.ts";
import { type Conn, PassingConn } from "../net/mod.ts";
import { closePayload, parseClose } from "./close.ts";
import { encodeFrameHead, FrameParser, MAX_CONTROL, MAX_HEAD, Opcode } from "./frames.ts";
import { applyMask, newMaskKey } from "./mask.ts";

/** Changes the bytes of one message while they come. What it gives is valid until the next call. */
export interface CrossingEditor {
  /** Takes the next bytes; gives what can be sent now. */
  push(piece: Uint8Array): Uint8Array;
  /** The message has ended; gives what was held back. */
  end(): Uint8Array;
}

/** What the messages of a WebSocket go through. */
export interface MessageCrossing {
  /** For one message to the server. */
  up(): CrossingEditor;
  /** For one message to the client. */
  down(): CrossingEditor;
}

/** Bytes of one read. */
const READ_SIZE = 64 * 1024;
/** Pings that were changed and whose pongs are yet to come. */
const MAX_PINGS = 16;

/** The server's connection, changed in both directions. */
export class CrossingConn extends PassingConn {
  readonly #up: Rewriter;
  readonly #down: Rewriter;
  readonly #input = new Uint8Array(READ_SIZE);
  /** What was changed and not read yet. */
  #ready: Uint8Array = new Uint8Array();
  #writing: Promise<void> = Promise.resolve();
  /** Payloads of pings that the client saw changed. */
  readonly #pings: string[] = [];

  constructor(server: Conn, crossing: MessageCrossing) {
    super(server);
    this.#up = new Rewriter("client", () => crossing.up(), (opcode, was, is) => this.#onUp(opcode, was, is));
    this.#down = new Rewriter(
      "server",
      () => crossing.down(),
      (opcode, was, is) => this.#onDown(opcode, was, is),
    );
  }

  override async read(into: Uint8Array): Promise<number | null> {
    while (this.#ready.length === 0) {
      const count = await this.conn.read(this.#input);
      if (count === null) return null;
      this.#ready = this.#down.rewrite(this.#input.subarray(0, count));
    }
    const count = Math.min(into.length, this.#ready.length);
    into.set(this.#ready.subarray(0, count));
    this.#ready = this.#ready.subarray(count);
    return count;
  }

  override write(bytes: Uint8Array): Promise<void> {
    // It is unmasked in place, and is not this connection's.
    return this.#send(this.#up.rewrite(bytes.slice()));
  }

  override async closeWrite(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.conn.closeWrite();
  }

  /** Pongs are written beside what the client sends. */
  #send(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return this.#writing;
    const sent = this.#writing.then(() => this.conn.write(bytes));
    this.#writing = sent;
    sent.catch(() => {});
    return sent;
  }

  /** The client's pong to a changed ping was answered already. */
  #onUp(opcode: number, payload: Uint8Array, changed: Uint8Array): Uint8Array | null {
    if (opcode !== Opcode.pong || this.#pings.length === 0) return changed;
    const at = this.#pings.indexOf(payload.toHex());
    if (at < 0) return changed;
    this.#pings.splice(at, 1);
    return null;
  }

  /** A ping that is changed is answered here: its pong must say what it said (§5.5.3). */
  #onDown(opcode: number, payload: Uint8Array, changed: Uint8Array): Uint8Array {
    if (opcode !== Opcode.ping || changed === payload) return changed;
    const seen = changed.subarray(0, MAX_CONTROL);
    this.#pings.push(seen.toHex());
    if (this.#pings.length > MAX_PINGS) this.#pings.shift();
    void this.#send(frame("client", true, Opcode.pong, payload)).catch(() => {});
    return seen;
  }
}

/** One direction: frames in, frames out. */
class Rewriter {
  readonly #side: Side;
  readonly #parser: FrameParser;
  readonly #makeEditor: () => CrossingEditor;
  readonly #onControl: (opcode: number, payload: Uint8Array, changed: Uint8Array) => Uint8Array | null;
  /** Of the message that is under way. */
  #editor: CrossingEditor | null = null;
  /** What its next frame is. */
  #opcode = 0;
  #control: Uint8Array[] = [];
  #out: Uint8Array[] = [];

  /** `side`: who sends; `onControl` has the last word about a control frame, and null drops it. */
  constructor(
    side: Side,
    makeEditor: () => CrossingEditor,
    onControl: (opcode: number, payload: Uint8Array, changed: Uint8Array) => Uint8Array | null,
  ) {
    this.#side = side;
    this.#parser = new FrameParser(side, false);
    this.#makeEditor = makeEditor;
    this.#onControl = onControl;
  }

  /** Frames for the next bytes. @throws {WebSocketError} on a broken rule. */
  rewrite(bytes: Uint8Array): Uint8Array {
    const parser = this.#parser;
    parser.push(bytes);
    for (let event; (event = parser.next()) !== undefined;) {
      const { fin, opcode } = parser.head;
      if (event === "head") {
        if (opcode === Opcode.text || opcode === Opcode.binary) {
          this.#editor = this.#makeEditor();
          this.#opcode = opcode;
        }
        continue;
      }
      if (opcode >= Opcode.close) this.#controlPiece(opcode, parser.piece, parser.left);
      else this.#piece(parser.piece, fin && parser.left === 0);
    }
    const out = this.#out.length === 1 ? this.#out[0] : concat(this.#out);
    this.#out = [];
    return out;
  }

  #piece(piece: Uint8Array, isEnd: boolean): void {
    const editor = this.#editor!;
    let payload = editor.push(piece);
    if (isEnd) payload = concat([payload.slice(), editor.end()]);
    if (payload.length === 0 && !isEnd) return;
    this.#out.push(frame(this.#side, isEnd, this.#opcode, payload));
    this.#opcode = Opcode.continuation;
  }

  #controlPiece(opcode: number, piece: Uint8Array, left: number): void {
    this.#control.push(piece.slice());
    if (left > 0) return;
    const payload = concat(this.#control);
    this.#control = [];
    const passed = this.#onControl(opcode, payload, this.#changed(opcode, payload));
    if (passed !== null) this.#out.push(frame(this.#side, true, opcode, passed));
  }

  /** The payload of a control frame, the same one where nothing is changed or the result would be too long. */
  #changed(opcode: number, payload: Uint8Array): Uint8Array {
    if (payload.length === 0) return payload;
    if (opcode !== Opcode.close) return this.#edited(payload);
    const { code, reason } = parseClose(payload, this.#side);
    const bytes = new TextEncoder().encode(reason), edited = this.#edited(bytes);
    return edited === bytes ? payload : closePayload({ code, reason: new TextDecoder().decode(edited) });
  }

  #edited(bytes: Uint8Array): Uint8Array {
    const editor = this.#makeEditor();
    const edited = concat([editor.push(bytes).slice(), editor.end()]);
    const isSame = edited.length === bytes.length && edited.every((byte, i) => byte === bytes[i]);
    // What goes up and would be too long stays the placeholder; what comes down must not stay the value.
    return isSame || this.#side === "client" && edited.length > MAX_CONTROL ? bytes : edited;
  }
}

/** A whole frame; a client's is masked (RFC 6455 §5.3). */
function frame(side: Side, fin: boolean, opcode: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(MAX_HEAD + payload.length);
  const key = side === "client" ? newMaskKey() : null;
  const length = encodeFrameHead(bytes, 0, fin, false, opcode, payload.length, key);
  bytes.set(payload, length);
  if (key !== null) applyMask(bytes.subarray(length, length + payload.length), key, 0);
  return bytes.subarray(0, length + payload.length);
}
