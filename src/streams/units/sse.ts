/**
 * Server-sent events (HTML standard §9.2): cut out of a body, read, and written.
 *
 * An event is what stands before an empty line. Lines end with LF, CRLF or CR; an empty line that ends with
 * CR is one at once, and a LF behind it belongs to it.
 * @module
 */
import { nameOf } from "../bytes.ts";
import { HOLD } from "../hold.ts";
import type { Cutter, Segment } from "./cutter.ts";
import { HeldBytes } from "../held_bytes.ts";
import { plainText } from "../plain_text.ts";

/** A server-sent event, as its fields say. */
export interface SseEvent {
  /** Its type; null without an `event` field, which means "message". */
  event: string | null;
  /** Its lines, parted by LF. */
  data: string;
  /** What it sets the last event id to; null when it leaves it. */
  id: string | null;
  /** Milliseconds to wait before connecting again; null when it does not say. */
  retry: number | null;
}

/** An event to be sent: what is left out is null. */
export type SseEventInit = Pick<SseEvent, "data"> & Partial<SseEvent>;

const LF = 10, CR = 13, SPACE = 32;
const BOM = Uint8Array.of(0xef, 0xbb, 0xbf);
const FIELDS = ["event", "id", "retry", "data"] as const;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Cuts a body into events. Blocks without data are no units. */
export class SseCutter implements Cutter<SseEvent> {
  readonly #held: HeldBytes;
  /** How much of a byte order mark has come, as long as there may be one. */
  #bom = 0;
  #isStart = true;
  /** Nothing of the current line has come yet. */
  #isLineStart = true;
  /** A line has just ended with CR, and with it (`block`) a block. */
  #afterCr: "line" | "block" | null = null;

  constructor(hold = HOLD, what = "sseStream") {
    this.#held = new HeldBytes(what, hold);
  }

  *push(piece: Uint8Array): Generator<Segment<SseEvent>, void> {
    let at = 0;
    if (this.#isStart) {
      while (this.#bom < 3 && at < piece.length && piece[at] === BOM[this.#bom]) at++, this.#bom++;
      if (this.#bom < 3 && at === piece.length) return;
      this.#isStart = false;
      if (this.#bom === 3) yield { bytes: BOM, unit: null };
      else if (this.#bom > at) {
        this.#held.add(BOM.subarray(0, this.#bom - at));
        this.#isLineStart = false;
      }
      if (this.#bom < 3) at = 0;
    }
    let from = at, lf = -2, cr = -2, isTried = false;
    for (; at < piece.length; at++) {
      if (!isTried && at === from && this.#isLineStart && this.#afterCr === null && this.#held.length === 0) {
        isTried = true;
        const text = plainText(piece, at);
        if (text !== null && !text.includes("\r")) {
          from = yield* this.#pushPlain(piece, at, text);
          break;
        }
      }
      if (this.#afterCr !== null) {
        const isTail = this.#afterCr === "block";
        this.#afterCr = null;
        if (piece[at] === LF) {
          if (isTail) {
            yield { bytes: piece.subarray(at, at + 1), unit: null, isTail };
            from = at + 1;
          }
          continue;
        }
      }
      if (lf !== -1 && lf < at) lf = piece.indexOf(LF, at);
      if (cr !== -1 && cr < at) cr = piece.indexOf(CR, at);
      const end = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
      if (end === -1) {
        this.#isLineStart = false;
        break;
      }
      const isBlank = this.#isLineStart && end === at;
      this.#isLineStart = true;
      if (end === cr) this.#afterCr = isBlank ? "block" : "line";
      at = end;
      if (!isBlank) continue;
      const bytes = this.#held.release(piece.subarray(from, at + 1), 1);
      from = at + 1;
      yield { bytes, unit: readEvent(decoder.decode(bytes)) };
    }
    if (from < piece.length) this.#held.add(piece.subarray(from));
  }

  /**
   * The blocks of `text`, which is the rest of the piece from `at` on; gives where the last one that is open
   * begins.
   */
  *#pushPlain(piece: Uint8Array, at: number, text: string): Generator<Segment<SseEvent>, number> {
    let start = 0;
    while (start < text.length) {
      const isEmpty = text.charCodeAt(start) === LF;
      const end = isEmpty ? start + 1 : text.indexOf("\n\n", start) + 2;
      if (!isEmpty && end === 1) {
        this.#isLineStart = text.endsWith("\n");
        break;
      }
      const bytes = this.#held.release(piece.subarray(at + start, at + end), 1);
      yield { bytes, unit: readEvent(text.slice(start, end)) };
      start = end;
    }
    return at + start;
  }

  *end(): Generator<Segment<SseEvent>, void> {
    if (this.#isStart && this.#bom > 0) yield { bytes: BOM.subarray(0, this.#bom), unit: null };
    // A block without its empty line is no event.
    if (this.#held.length > 0) yield { bytes: this.#held.release(), unit: null };
  }
}

/** The event that a block of lines is; null when it has no data. */
function readEvent(text: string): SseEvent | null {
  if (text.length < 5) return null;
  let event: string | null = null, id: string | null = null, retry: number | null = null;
  let data: string | null = null;
  const lines = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  for (let at = 0, end; at < lines.length; at = end + 1) {
    end = lines.indexOf("\n", at);
    if (end === -1) end = lines.length;
    if (end === at) continue;
    if (lines.startsWith("data:", at)) {
      const value = lines.slice(at + (lines.charCodeAt(at + 5) === SPACE ? 6 : 5), end);
      data = data === null ? value : `${data}\n${value}`;
      continue;
    }
    const [field, value] = fieldOf(lines.slice(at, end));
    if (field === "data") data = data === null ? value : `${data}\n${value}`;
    else if (field === "event") event = value;
    else if (field === "id") id = isId(value) ? value : id;
    else if (field === "retry") retry = isRetry(value) ? Number(value) : retry;
  }
  return data === null ? null : { event, data, id, retry };
}

/** Name and value of a line; a comment's name is empty. */
function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon === -1) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + (line[colon + 1] === " " ? 2 : 1))];
}

const isId = (value: string) => !value.includes("\0");
const isRetry = (value: string) => /^[0-9]+$/.test(value);

/** A copy, to be compared with what a function makes of the event. */
export function copyOf({ event, data, id, retry }: SseEvent): SseEvent {
  return { event, data, id, retry };
}

/** True when no field differs. */
export function isSame(one: SseEvent, other: SseEvent): boolean {
  return one.data === other.data && one.event === other.event && one.id === other.id &&
    one.retry === other.retry;
}

/** @throws {TypeError} when `value` is no event that can be written. */
export function checkEvent(value: unknown): SseEvent {
  const { event = null, data, id = null, retry = null } = Object(value) as Record<string, unknown>;
  if (typeof value !== "object" || value === null || typeof data !== "string") {
    const what = typeof value === "object" && value !== null ? `its data is ${nameOf(data)}` : nameOf(value);
    throw new TypeError(`an event is { data: string, event?, id?, retry? }, but ${what}`);
  }
  if (event !== null && (typeof event !== "string" || /[\r\n]/.test(event))) {
    throw new TypeError(
      `the event field must be a string without line breaks, or null; it is ${nameOf(event)}`,
    );
  }
  if (id !== null && (typeof id !== "string" || /[\r\n\0]/.test(id))) {
    throw new TypeError(
      `the id of an event must be a string without line breaks and NUL, or null; it is ${nameOf(id)}`,
    );
  }
  if (retry !== null && !(Number.isSafeInteger(retry) && retry as number >= 0)) {
    throw new TypeError(
      `the retry of an event must be a whole number of milliseconds, or null; it is ${nameOf(retry)}`,
    );
  }
  return { event, data, id, retry: retry as number | null };
}

/** An event in its canonical form. */
export function writeEvent(event: SseEvent, lineEnd: string): Uint8Array {
  return encoder.encode(FIELDS.map((field) => linesOf(event, field, lineEnd)).join("") + lineEnd);
}

function linesOf(event: SseEvent, field: typeof FIELDS[number], lineEnd: string): string {
  const value = event[field];
  if (value === null) return "";
  if (field !== "data") return `${field}: ${value}${lineEnd}`;
  return (value as string).split(/\r\n|\n|\r/).map((line) => `data: ${line}${lineEnd}`).join("");
}

/** How the lines of a block end. */
export function lineEndOf(block: Uint8Array): string {
  const lf = block.indexOf(LF), cr = block.indexOf(CR);
  if (cr === -1 || (lf !== -1 && lf < cr)) return "\n";
  return lf === cr + 1 ? "\r\n" : "\r";
}

/** A line with its end. */
const LINE = /[^\r\n]*(?:\r\n|\n|\r)/g;

/** The block of an event that was `before` and is `after`: lines of what did not change stay as they came. */
export function rewriteEvent(block: Uint8Array, before: SseEvent, after: SseEvent): Uint8Array {
  if (isSame(before, after)) return block;
  const left = new Set<string>(FIELDS.filter((field) => before[field] !== after[field]));
  const changed = new Set(left);
  const lineEnd = lineEndOf(block);
  const text = textOf(block);
  let out = "";
  /** Writes a changed field in the place of the first of its lines, or in front of the data. */
  const write = (field: typeof FIELDS[number]) => {
    if (left.delete(field)) out += text.write(linesOf(after, field, lineEnd));
  };
  for (const line of text.value.match(LINE) ?? []) {
    const [field, value] = fieldOf(line.replace(/[\r\n]+$/, ""));
    if (field === "data") FIELDS.forEach((name) => before[name] === null && write(name));
    const isIgnored = field === "id" && !isId(value) || field === "retry" && !isRetry(value);
    if (changed.has(field) && !isIgnored) write(field as typeof FIELDS[number]);
    // The LF of an empty line must not become a part of the line before it.
    else out += line[0] === "\n" && out.endsWith("\r") ? `\n${line}` : line;
  }
  return text.bytes(out);
}

/** A block as text from which the same bytes are made again; `write` puts text into it. */
interface BlockText {
  readonly value: string;
  write(text: string): string;
  bytes(text: string): Uint8Array;
}

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

function textOf(block: Uint8Array): BlockText {
  try {
    return { value: strict.decode(block), write: (text) => text, bytes: (text) => encoder.encode(text) };
  } catch {
    // No UTF-8: a character stands for a byte.
    const chars = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    return {
      value: chars(block),
      write: (text) => chars(encoder.encode(text)),
      bytes: (text) => Uint8Array.from(text, (char) => char.charCodeAt(0)),
    };
  }
}
