/**
 * permessage-deflate's two machines (RFC 7692 §7.2), each for one direction of one connection.
 *
 * They are driven directly (`NativeZlib`): 2 to 3 µs for a message of 1 KiB, and a bomb is noticed after 64 KiB of it.
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import type { Side } from "../errors.ts";
import { NativeZlib } from "../streams/mod.ts";
import { CloseCode, WebSocketError } from "./close.ts";

/** One for all: it is emptied before anyone else's turn. */
const output = new Uint8Array(64 * 1024);
/** What a sender takes off each message and a receiver puts back (RFC 7692 §7.2.1, §7.2.2). */
const TAIL = new Uint8Array([0x00, 0x00, 0xff, 0xff]);

/** Feeds `input` and gives what comes out, in views that are valid during the call. Returns zlib's complaint, or null. */
function run(machine: NativeZlib, input: Uint8Array, give: (piece: Uint8Array) => void): string | null {
  for (let at = 0, restarted = false;;) {
    const piece = machine.step(input, at);
    if (machine.failed !== null) return machine.failed;
    if (machine.at > at) restarted = false;
    at = machine.at;
    if (piece.length > 0) give(piece);
    if (machine.isFull) continue;
    if (at === input.length) return null;
    // A block with BFINAL has ended the stream (RFC 7692 §7.2.3.4 allows that): what follows is a new one.
    if (restarted) return "no progress";
    machine.reset();
    restarted = true;
  }
}

/** Decompresses what `side` sends. */
export class Inflater {
  readonly #machine = new NativeZlib(zlib.createInflateRaw({ windowBits: 15 }), output);
  readonly #side: Side;
  readonly #takeover: boolean;

  /** `takeover`: the window lives on from message to message. Any window size that was agreed on fits into 15 bits. */
  constructor(side: Side, takeover: boolean) {
    this.#side = side;
    this.#takeover = takeover;
  }

  /** Inflates part of a message; `give` gets the plain pieces and may throw to stop. */
  push(compressed: Uint8Array, give: (plain: Uint8Array) => void): void {
    if (compressed.length === 0) return;
    const complaint = run(this.#machine, compressed, give);
    if (complaint !== null) {
      throw new WebSocketError(
        this.#side,
        CloseCode.invalidPayload,
        `The ${this.#side} sent a message that cannot be inflated (${complaint}).`,
      );
    }
  }

  /** Ends the message. */
  end(give: (plain: Uint8Array) => void): void {
    this.push(TAIL, give);
    if (!this.#takeover) this.#machine.reset();
  }

  close(): void {
    this.#machine.close();
  }
}

/** zlib's raw deflate cannot do a window of 256 bytes. */
export const MIN_DEFLATE_BITS = 9;

/** Compresses messages. */
export class Deflater {
  readonly #machine: NativeZlib;
  readonly #takeover: boolean;

  constructor(windowBits: number, takeover: boolean) {
    this.#machine = new NativeZlib(zlib.createDeflateRaw({ windowBits, memLevel: 8 }), output);
    this.#takeover = takeover;
  }

  /** A message, compressed, without its tail (RFC 7692 §7.2.1). */
  deflate(message: Uint8Array): Uint8Array {
    const pieces: Uint8Array[] = [];
    const complaint = run(this.#machine, message, (piece) => pieces.push(piece.slice()));
    if (complaint !== null) throw new Error(`Deflating a message failed: ${complaint}.`);
    if (!this.#takeover) this.#machine.reset();
    const whole = pieces.length === 1 ? pieces[0] : concat(pieces);
    // An empty message flushes to nothing but what the last one left; RFC 7692 §7.2.3.6 gives it one zero byte.
    return message.length === 0 ? new Uint8Array(1) : whole.subarray(0, whole.length - TAIL.length);
  }

  close(): void {
    this.#machine.close();
  }
}
