/**
 * Newline-delimited JSON (application/x-ndjson, application/jsonl): one value (RFC 8259) per line.
 * @module
 */
import { HOLD } from "../hold.ts";
import type { Cutter, Segment } from "./cutter.ts";
import { HeldBytes } from "../held_bytes.ts";
import { plainText } from "../plain_text.ts";

/** A line that is JSON. */
export interface JsonLine {
  /** The line, its end included. */
  readonly text: string;
  /** What the line says. */
  readonly value: unknown;
}

const LF = 10;
const decoder = new TextDecoder();

/** Cuts a body into lines, each with its end. Lines that are no JSON are no units. */
export class NdjsonCutter implements Cutter<JsonLine> {
  readonly #held: HeldBytes;

  constructor(hold = HOLD, what = "ndjsonStream") {
    this.#held = new HeldBytes(what, hold);
  }

  *push(piece: Uint8Array): Generator<Segment<JsonLine>, void> {
    const text = plainText(piece);
    let from = 0;
    for (let end; (end = text === null ? piece.indexOf(LF, from) : text.indexOf("\n", from)) !== -1;) {
      const isHere = text !== null && this.#held.length === 0;
      const bytes = this.#held.release(piece.subarray(from, end + 1), 1);
      const line = isHere ? text.slice(from, end + 1) : decoder.decode(bytes);
      from = end + 1;
      yield { bytes, unit: readLine(line) };
    }
    if (from < piece.length) this.#held.add(piece.subarray(from));
  }

  *end(): Generator<Segment<JsonLine>, void> {
    if (this.#held.length === 0) return;
    const bytes = this.#held.release();
    yield { bytes, unit: readLine(decoder.decode(bytes)) };
  }
}

function readLine(text: string): JsonLine | null {
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    return null;
  }
}

/** How a line ends: with LF, CRLF, or (the last one) not at all. */
export function endOf(line: Uint8Array): string {
  if (line.at(-1) !== LF) return "";
  return line.at(-2) === 13 ? "\r\n" : "\n";
}
