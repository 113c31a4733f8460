/**
 * Cuts an event stream (`text/event-stream`, HTML standard §9.2) into its events as bytes, each with the empty line behind it.
 * @module
 */
import { Buffer } from "node:buffer";

const LF = 10, CR = 13;

/** Takes a body in pieces; gives the events that are whole by then. Where it is cut does not depend on the pieces. */
export class EventCutter {
  readonly #most: number;
  #held: Uint8Array[] = [];
  #size = 0;
  #isLineStart = true;
  /** How the last line ended whose end is known. */
  #lineEnd: "LF" | "CR" | "CRLF" | null = null;
  /** The last byte was a CR: a LF behind it belongs to it. */
  #isAfterCr = false;
  /** That CR was the end of an empty line, and where lines end with CRLF the event ends behind its LF. */
  #isEnding = false;

  /** An event of more than `most` bytes is an error. */
  constructor(most: number) {
    this.#most = most;
  }

  /** @throws {RangeError} on an event that is too large. */
  push(piece: Uint8Array): Uint8Array[] {
    const events: Uint8Array[] = [];
    let from = 0;
    const cut = (to: number) => {
      this.#hold(piece.slice(from, to));
      events.push(Buffer.concat(this.#held));
      this.#held = [];
      this.#size = 0;
      this.#isEnding = false;
      from = to;
    };
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at];
      if (this.#isAfterCr) {
        this.#isAfterCr = false;
        this.#lineEnd = byte === LF ? "CRLF" : "CR";
        if (this.#isEnding) cut(byte === LF ? at + 1 : at);
        if (byte === LF) continue;
      }
      if (byte !== LF && byte !== CR) {
        this.#isLineStart = false;
        continue;
      }
      const isEmpty = this.#isLineStart;
      this.#isLineStart = true;
      if (byte === CR) {
        this.#isAfterCr = true;
        // Where lines end with a CR alone, what comes next may be long in coming.
        this.#isEnding = isEmpty && this.#lineEnd !== "CR";
        if (isEmpty && !this.#isEnding) cut(at + 1);
      } else {
        this.#lineEnd = "LF";
        if (isEmpty) cut(at + 1);
      }
    }
    this.#hold(piece.slice(from));
    return events;
  }

  /** What is left at the end: a part of an event; empty for none. */
  end(): Uint8Array {
    return Buffer.concat(this.#held);
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    if (this.#size > this.#most) throw new RangeError(`An event is larger than ${this.#most} bytes.`);
    this.#held.push(bytes);
  }
}
