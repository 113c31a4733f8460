/**
 * node:zlib's native machines, driven directly: synchronously, one bounded output buffer at a time.
 *
 * node's streams answer a turn of the event loop later and cannot be stopped in mid chunk, and its calls for
 * whole bodies give nothing when there is too much and forget the window between calls. What is used here are
 * Node's own internals, the same since Node 0.12, which Deno has too.
 * @module
 */
import zlib from "node:zlib";
import { messageOf } from "../errors.ts";
import { EMPTY } from "./bytes.ts";

/** The part of a zlib stream that is used. */
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

/** Drives one machine, of any coding and in either direction. */
export class NativeZlib {
  readonly #native: Native;
  readonly #output: Uint8Array;
  #failed: string | null = null;
  #at = 0;
  #isFull = false;

  /** `output` is where each step puts what it gives. */
  constructor(stream: zlib.Zlib, output: Uint8Array) {
    this.#native = stream as unknown as Native;
    this.#output = output;
    this.#native._handle.onerror = (message) => this.#failed = message;
  }

  /** What the machine says of its input, once it has failed. */
  get failed(): string | null {
    return this.#failed;
  }

  /** Where the next step goes on in the input. */
  get at(): number {
    return this.#at;
  }

  /** The last step filled the output: there may be more of it without more input. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /**
   * Feeds `input` from `at` on; gives what comes out, valid until the output is used again. `flush` is what the machine is told behind
   * its input, in the words of its library; zlib's "give all that you can" by default.
   */
  step(input: Uint8Array, at: number, flush: number = zlib.constants.Z_SYNC_FLUSH): Uint8Array {
    const { _handle: handle, _writeState: state } = this.#native, output = this.#output;
    // A machine that throws leaves the state as it was.
    state[0] = output.length;
    try {
      handle.writeSync(flush, input, at, input.length - at, output, 0, output.length);
    } catch (error) {
      this.#failed = messageOf(error);
    }
    const [free, left] = state;
    this.#at = input.length - left;
    this.#isFull = free === 0;
    return free === output.length ? EMPTY : output.subarray(0, output.length - free);
  }

  /** What follows is a new stream. */
  reset(): void {
    this.#native.reset();
  }

  close(): void {
    this.#native.close();
  }
}
