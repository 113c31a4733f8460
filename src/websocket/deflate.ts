/**
 * permessage-deflate's two machines (RFC 7692 §7.2), each for one direction of one connection.
 *
 * node:zlib's streams would cost a turn of the event loop per message and could not be stopped in mid chunk, and
 * `inflateRawSync` forgets the window between calls. So the stream's native handle is driven directly, synchronously, one
 * bounded output buffer at a time: 2 to 3 µs for a message of 1 KiB, and a bomb is noticed after 64 KiB of it.
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import type { Side } from "../errors.ts";
import { CloseCode, WebSocketError } from "./close.ts";

/** The part of a zlib stream that is used: Node's own internals, the same since Node 0.12, which Deno has too. */
interface Native {
  readonly _handle: {
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void;
    onerror: (message: string) => void;
  };
  /** Set by `writeSync`: bytes left free in the output, bytes left over of the input. */
  readonly _writeState: Uint32Array;
  reset(): void;
  close(): void;
}

/** One for all: it is emptied before anyone else's turn. */
const output = new Uint8Array(64 * 1024);
/** What a sender takes off each message and a receiver puts back (RFC 7692 §7.2.1, §7.2.2). */
const TAIL = new Uint8Array([0x00, 0x00, 0xff, 0xff]);

/** Drives one native stream. */
class ZlibStream {
  readonly #native: Native;
  #failed: string | null = null;

  constructor(stream: zlib.InflateRaw | zlib.DeflateRaw) {
    this.#native = stream as unknown as Native;
    this.#native._handle.onerror = (message) => this.#failed = message;
  }

  /** Feeds `input` and gives what comes out, in views that are valid during the call. Returns zlib's complaint, or null. */
  run(input: Uint8Array, give: (piece: Uint8Array) => void): string | null {
    const { _handle: handle, _writeState: state } = this.#native;
    let at = 0, restarted = false;
    for (;;) {
      const rest = input.length - at;
      handle.writeSync(zlib.constants.Z_SYNC_FLUSH, input, at, rest, output, 0, output.length);
      if (this.#failed !== null) return this.#failed;
      const [free, left] = state;
      at = input.length - left;
      if (left < rest) restarted = false;
      if (free < output.length) give(output.subarray(0, output.length - free));
      if (free === 0) continue;
      if (left === 0) return null;
      // A block with BFINAL has ended the stream (RFC 7692 §7.2.3.4 allows that): what follows is a new one.
      if (restarted) return "no progress";
      this.#native.reset();
      restarted = true;
    }
  }

  reset(): void {
    this.#native.reset();
  }

  close(): void {
    this.#native.close();
  }
}

/** Decompresses what `side` sends. */
export class Inflater {
  readonly #machine = new ZlibStream(zlib.createInflateRaw({ windowBits: 15 }));
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
    const complaint = this.#machine.run(compressed, give);
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
  readonly #machine: ZlibStream;
  readonly #takeover: boolean;

  constructor(windowBits: number, takeover: boolean) {
    this.#machine = new ZlibStream(zlib.createDeflateRaw({ windowBits, memLevel: 8 }));
    this.#takeover = takeover;
  }

  /** A message, compressed, without its tail (RFC 7692 §7.2.1). */
  deflate(message: Uint8Array): Uint8Array {
    const pieces: Uint8Array[] = [];
    const complaint = this.#machine.run(message, (piece) => pieces.push(piece.slice()));
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
