/**
 * Finds the end of a head or of a trailer section, and refuses what no parser should see: bare CR, bare LF, control
 * characters (RFC 9112 §2.2, RFC 9110 §5.5), and blocks beyond weir's bounds. Each byte is looked at once, however it arrives.
 * @module
 */
import type { Side } from "../errors.ts";
import { MAX_FIELD_BLOCK, MAX_FIELDS, MAX_LENIENT_FIELDS, MAX_START_LINE } from "../http/mod.ts";
import { malformed, tooLarge } from "./refusal.ts";

const TAB = 9, LF = 10, CR = 13, SPACE = 32, DEL = 127;

/** One scan at a time; `reset` before the next head. Positions are relative to the head's first byte. */
export class HeadScanner {
  readonly #side: Side;
  readonly #startLine: boolean;
  readonly #isLenient: boolean;
  #scanned = 0;
  #lineStart = 0;
  #lines = 0;
  /** Where the field block starts: after the start line's CRLF; 0 without a start line. */
  fieldsStart = 0;

  /**
   * `startLine` false: a trailer section, which is fields alone. `lenient` takes a bare LF for the end of a line, and more
   * fields: for servers alone, whose heads then need {@linkcode mended}.
   */
  constructor(side: Side, startLine: boolean, { lenient = false } = {}) {
    this.#side = side;
    this.#startLine = startLine;
    this.#isLenient = lenient;
  }

  reset(): void {
    this.#scanned =
      this.#lineStart =
      this.#lines =
      this.fieldsStart =
        0;
  }

  /**
   * Looks at `bytes[start..end)`, where `start` is the head's first byte each time. Gives the head's length with its
   * empty line, or -1 when it is not all here.
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    let i = start + this.#scanned;
    for (; i < end; i++) {
      const byte = bytes[i];
      if (byte >= SPACE && byte !== DEL) continue;
      if (byte === CR) {
        if (i + 1 === end) break;
        if (bytes[i + 1] !== LF) throw malformed(this.#side, `${this.#what()} has a bare CR.`);
        i++;
        const length = i + 1 - start;
        if (this.#endLine(length, 2)) return length;
      } else if (byte === LF) {
        if (!this.#isLenient) throw malformed(this.#side, `${this.#what()} has a bare LF.`);
        const length = i + 1 - start;
        if (this.#endLine(length, 1)) return length;
      } else if (byte !== TAB) {
        const hex = byte.toString(16).padStart(2, "0");
        throw malformed(this.#side, `${this.#what()} has the control character 0x${hex}.`);
      }
    }
    this.#scanned = i - start;
    this.#checkSize(this.#scanned);
    return -1;
  }

  /** Takes note of a line whose end, of so many bytes, is before `length`; true when it was the empty one. */
  #endLine(length: number, endBytes: number): boolean {
    const empty = length - endBytes === this.#lineStart;
    this.#checkSize(length);
    this.#lineStart = length;
    if (this.#lines++ === 0 && this.#startLine) {
      this.fieldsStart = length;
      return empty;
    }
    const fields = this.#lines - (this.#startLine ? 1 : 0);
    const most = this.#isLenient ? MAX_LENIENT_FIELDS : MAX_FIELDS;
    if (!empty && fields > most) {
      throw tooLarge(this.#side, `${this.#what()} has more than ${most} fields.`, 431);
    }
    return empty;
  }

  #checkSize(length: number): void {
    if (this.#startLine && this.#lines === 0) {
      if (length <= MAX_START_LINE + 2) return;
      const line = this.#side === "client" ? "The request line" : "The status line";
      throw tooLarge(this.#side, `${line} is longer than ${MAX_START_LINE} bytes.`, 414);
    }
    // The empty line that ends the block is not counted.
    if (length - this.fieldsStart <= MAX_FIELD_BLOCK + 2) return;
    throw tooLarge(this.#side, `${this.#what()} is longer than ${MAX_FIELD_BLOCK} bytes.`, 431);
  }

  #what(): string {
    if (!this.#startLine) return "The trailer section";
    return this.#side === "client" ? "The request's header block" : "The response's header block";
  }
}
