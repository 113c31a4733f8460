/**
 * Changing the lines of a text that comes in pieces.
 *
 * What a function answers at once is done at once; from the first answer that has to be waited for, the rest
 * of the piece is done in an async generator.
 * @module
 */
import { concat } from "@std/bytes";
import { asBytes, EMPTY, nameOf } from "../bytes.ts";
import { drop } from "../drop.ts";
import { isThenable } from "../iterators.ts";
import { tooMuchHeld } from "../hold.ts";
import type { PieceEditor } from "../piece_stage.ts";
import { HeldBytes } from "../held_bytes.ts";
import { plainText } from "../plain_text.ts";

const LF = 10, CR = 13;
const WHAT = "linesStream";
const NEWLINE = Uint8Array.of(LF);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** What the function of `linesStream` may give for a line; nothing leaves it as it is. */
export type LineOutput =
  | string
  | null
  | typeof drop
  | undefined
  | void
  | Iterable<string>
  | AsyncIterable<string>;

/** A line that ended with the last byte that came, a CR: an LF behind it is part of its end. */
interface OpenLine {
  /** Nothing was sent for it. */
  readonly isDropped: boolean;
  /** What is sent behind its first line, when the end is known. */
  readonly rest: readonly Uint8Array[];
}

/**
 * One line in a piece: its text begins at `from` (what is held comes before that) and ends at `textEnd`, its
 * end is at `end`.
 */
interface Line {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly end: Uint8Array;
  readonly isOpen: boolean;
}

/** Calls a function for each line of one text. */
export class LineEditor implements PieceEditor {
  readonly #fn: (line: string, index: number) => unknown;
  readonly #hold: number;
  readonly #held: HeldBytes;
  #index = 0;
  #open: OpenLine | null = null;
  /**
   * The piece that is being read, and as text where that has a character for each byte; the next byte, and
   * the next places of CR and LF in it.
   */
  #piece = EMPTY;
  #plain: string | null = null;
  #at = 0;
  #cr = 0;
  #lf = 0;
  #isLast = false;
  #out: Uint8Array[] = [];

  constructor(fn: (line: string, index: number) => unknown, hold: number) {
    this.#fn = fn;
    this.#hold = hold;
    this.#held = new HeldBytes(WHAT, hold);
  }

  /** Takes the next piece, which stays valid until all was read that this gives. */
  push(piece: Uint8Array): Uint8Array | AsyncGenerator<Uint8Array, void> {
    this.#piece = piece;
    this.#plain = plainText(piece);
    this.#at = 0;
    this.#cr = this.#find(CR, 0);
    this.#lf = this.#find(LF, 0);
    return this.#edit();
  }

  /** The text has ended. */
  end(): Uint8Array | AsyncGenerator<Uint8Array, void> {
    this.#isLast = true;
    return this.push(EMPTY);
  }

  decided(): Uint8Array {
    const out = this.#out;
    this.#out = [];
    return joined(out);
  }

  /** Edits the piece, as far as nothing has to be waited for, and the rest in a generator. */
  #edit(): Uint8Array | AsyncGenerator<Uint8Array, void> {
    this.#endOpen();
    for (let line = this.#next(); line !== null; line = this.#next()) {
      const given = this.#fn(line.text, this.#index++);
      if (isAnswer(given)) return this.#wait(line, given);
      this.#put(line, given);
    }
    return this.decided();
  }

  async *#wait(first: Line, answer: unknown): AsyncGenerator<Uint8Array, void> {
    try {
      let given = answer;
      for (let line: Line | null = first; line !== null; line = this.#next()) {
        if (line !== first) given = this.#fn(line.text, this.#index++);
        if (isAnswer(given)) {
          if (this.#out.length > 0) yield this.decided();
          if (isThenable(given)) given = await given;
        }
        if (isSeveral(given)) yield* this.#several(line, given);
        else this.#put(line, given);
      }
    } finally {
      // Also what was decided before something went wrong.
      if (this.#out.length > 0) yield this.decided();
    }
  }

  /** Puts out what was given for a line. */
  #put(line: Line, given: unknown): void {
    const out = this.#out, isDropped = given === null || given === drop;
    if (line.isOpen) this.#open = { isDropped, rest: [] };
    if (isDropped) return;
    if (given === undefined || given === line.text) out.push(line.bytes);
    else out.push(lineBytes(given));
    if (line.end.length > 0) out.push(line.end);
  }

  /** The lines that are sent for one. Where its end is not known yet, those behind the first wait for it. */
  async *#several(
    line: Line,
    given: Iterable<unknown> | AsyncIterable<unknown>,
  ): AsyncGenerator<Uint8Array, void> {
    const rest: Uint8Array[] = [];
    let count = 0, held = 0;
    // The end of a line that is open is all that may be added here, and only once.
    if (line.isOpen) this.#open = { isDropped: true, rest };
    for await (const each of given) {
      if (each === null || each === drop) continue;
      const bytes = lineBytes(each);
      if (count++ === 0) {
        if (line.isOpen) this.#open = { isDropped: false, rest };
        if (bytes.length + line.end.length > 0) yield concat([bytes, line.end]);
      } else if (line.isOpen) {
        if ((held += bytes.length) > this.#hold) throw tooMuchHeld(WHAT, this.#hold);
        rest.push(bytes.slice());
      } else if (line.end.length === 0) yield concat([NEWLINE, bytes]);
      else yield concat([bytes, line.end]);
    }
  }

  /** Completes the end of the line before, now that a byte is there, or none comes. */
  #endOpen(): void {
    const out = this.#out;
    if (this.#open === null || this.#piece.length === 0 && !this.#isLast) return;
    const { isDropped, rest } = this.#open;
    this.#open = null;
    const isLf = this.#piece[0] === LF;
    if (isLf) {
      if (!isDropped) out.push(NEWLINE);
      this.#at = 1;
      this.#lf = this.#find(LF, 1);
    }
    const end = Uint8Array.from(isLf ? [CR, LF] : [CR]);
    for (const bytes of rest) out.push(bytes, end);
  }

  /** The next line that is whole; null when there is none, and what is there is held. */
  #next(): Line | null {
    const piece = this.#piece, from = this.#at;
    const isCr = this.#cr !== -1 && (this.#lf === -1 || this.#cr < this.#lf);
    const textEnd = isCr ? this.#cr : this.#lf;
    if (textEnd === -1) {
      this.#at = piece.length;
      if (from < piece.length) this.#held.add(piece.subarray(from));
      if (!this.#isLast || this.#held.length === 0) return null;
      const { bytes, text } = this.#text(piece.length, piece.length);
      return { bytes, text, end: EMPTY, isOpen: false };
    }
    const { bytes, text } = this.#text(from, textEnd);
    const isOpen = isCr && textEnd + 1 === piece.length;
    const end = textEnd + (isCr && piece[textEnd + 1] === LF ? 2 : 1);
    this.#at = end;
    if (isCr) this.#cr = this.#find(CR, end);
    if (this.#lf !== -1 && this.#lf < end) this.#lf = this.#find(LF, end);
    return { bytes, text, end: piece.subarray(textEnd, end), isOpen };
  }

  #text(from: number, to: number): { bytes: Uint8Array; text: string } {
    const isHere = this.#plain !== null && this.#held.length === 0;
    const bytes = this.#held.release(this.#piece.subarray(from, to));
    return { bytes, text: isHere ? this.#plain!.slice(from, to) : decoder.decode(bytes) };
  }

  #find(byte: number, from: number): number {
    if (this.#plain === null) return this.#piece.indexOf(byte, from);
    return this.#plain.indexOf(byte === LF ? "\n" : "\r", from);
  }
}

/** What is not a line, and not done with at once: a promise, or several lines. */
function isAnswer(given: unknown): given is object {
  return typeof given === "object" && given !== null && !ArrayBuffer.isView(given);
}

function isSeveral(given: unknown): given is Iterable<unknown> | AsyncIterable<unknown> {
  return isAnswer(given) && (Symbol.asyncIterator in given || Symbol.iterator in given);
}

/** @throws {TypeError} when an addon gave something that is no line. */
function lineBytes(given: unknown): Uint8Array {
  const bytes = typeof given === "string" ? encoder.encode(given) : asBytes(given);
  if (bytes === null) throw new TypeError(`a line must be a string, not ${nameOf(given)}`);
  return bytes;
}

/** What lies side by side is one piece. */
function joined(out: Uint8Array[]): Uint8Array {
  if (out.length < 2) return out[0] ?? EMPTY;
  const first = out[0], { buffer } = first;
  let end = first.byteOffset;
  for (const bytes of out) {
    if (bytes.byteOffset !== end || bytes.buffer !== buffer) return concat(out);
    end += bytes.length;
  }
  return new Uint8Array(buffer, first.byteOffset, end - first.byteOffset);
}
