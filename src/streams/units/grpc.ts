/**
 * Length-prefixed messages as gRPC, gRPC-Web and Connect send them: a byte of flags, four of length, the
 * message (gRPC over HTTP/2 "Length-Prefixed-Message"; PROTOCOL-WEB.md; Connect "Enveloped-Message").
 * @module
 */
import { WeirError } from "../../errors.ts";
import { tooMuchHeld } from "../hold.ts";
import type { Cutter, Segment } from "./cutter.ts";
import { HeldBytes } from "../held_bytes.ts";

/** Most bytes of a message where nothing else is said, as in gRPC itself. */
export const GRPC_HOLD = 4 * 1024 * 1024;

/** The message is compressed. */
export const COMPRESSED = 0x01;
/** No message: Connect's end of stream, gRPC-Web's trailers. */
const END_FLAGS = 0x02 | 0x80;
const PREFIX = 5;

/** A message as it stands in its frame. */
export interface GrpcFrame {
  /** The first byte of the frame. */
  readonly flags: number;
  /** The message, compressed when the flags say so. */
  readonly payload: Uint8Array;
}

/**
 * Cuts a body into messages. Frames with trailers, or the end of the stream, are no units and pass as they
 * come.
 */
export class GrpcCutter implements Cutter<GrpcFrame> {
  readonly #held: HeldBytes;
  readonly #what: string;
  readonly #hold: number;
  /** Bytes that are left of a frame that passes. */
  #passing = 0;
  /** Bytes of the frame of which a part is held, its prefix included; 0 when that is not known. */
  #length = 0;

  constructor(hold = GRPC_HOLD, what = "grpcStream") {
    this.#what = what;
    this.#hold = hold;
    // The prefix does not count.
    this.#held = new HeldBytes(what, hold + PREFIX);
  }

  *push(piece: Uint8Array): Generator<Segment<GrpcFrame>, void> {
    for (let at = 0; at < piece.length;) {
      if (this.#passing > 0) {
        const end = Math.min(piece.length, at + this.#passing);
        this.#passing -= end - at;
        yield { bytes: piece.subarray(at, end), unit: null };
        at = end;
        continue;
      }
      if (this.#held.length === 0) {
        // Most messages lie in one piece, and need not be held.
        const whole = this.#wholeAt(piece, at);
        if (whole !== null) {
          yield { bytes: whole, unit: { flags: whole[0], payload: whole.subarray(PREFIX) } };
          at += whole.length;
          continue;
        }
      }
      if (this.#held.length < PREFIX) {
        const end = Math.min(piece.length, at + PREFIX - this.#held.length);
        this.#held.add(piece.subarray(at, end));
        at = end;
        if (this.#held.length < PREFIX) return;
        const prefix = this.#held.view();
        const length = lengthOf(prefix);
        if ((prefix[0] & END_FLAGS) !== 0) {
          this.#passing = length;
          yield { bytes: this.#held.release(), unit: null };
          continue;
        }
        if (length > this.#hold) throw tooMuchHeld(this.#what, this.#hold);
        this.#length = PREFIX + length;
      }
      const end = Math.min(piece.length, at + this.#length - this.#held.length);
      this.#held.add(piece.subarray(at, end));
      at = end;
      if (this.#held.length < this.#length) return;
      const bytes = this.#held.release();
      yield { bytes, unit: { flags: bytes[0], payload: bytes.subarray(PREFIX) } };
    }
  }

  /** The message that begins at `at`, when it ends in the same piece. */
  #wholeAt(piece: Uint8Array, at: number): Uint8Array | null {
    if (piece.length < at + PREFIX || (piece[at] & END_FLAGS) !== 0) return null;
    const length = lengthOf(piece.subarray(at, at + PREFIX));
    const isWhole = length <= this.#hold && at + PREFIX + length <= piece.length;
    return isWhole ? piece.subarray(at, at + PREFIX + length) : null;
  }

  // deno-lint-ignore require-yield -- A frame that is whole is never held.
  *end(): Generator<Segment<GrpcFrame>, void> {
    if (this.#held.length === 0 && this.#passing === 0) return;
    throw new WeirError("weir", "protocol", `${this.#what}: the body ends in the middle of a gRPC message.`);
  }
}

function lengthOf(prefix: Uint8Array): number {
  return prefix[1] * 0x1000000 + (prefix[2] << 16 | prefix[3] << 8 | prefix[4]);
}

/** A frame, written. */
export function writeFrame(flags: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX + payload.length);
  frame[0] = flags;
  new DataView(frame.buffer).setUint32(1, payload.length);
  frame.set(payload, PREFIX);
  return frame;
}
