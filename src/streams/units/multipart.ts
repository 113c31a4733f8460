/**
 * Multipart bodies (RFC 2046 §5.1): cut into the heads of their parts, what the parts contain, and what parts
 * them.
 *
 * Content flows: held back is only what could be the beginning of a delimiter. Lines may end with a bare LF,
 * as browsers take them too.
 * @module
 */
import { concat, startsWith } from "@std/bytes";
import { latin1 } from "../../latin1.ts";
import { HOLD } from "../hold.ts";
import type { Cutter, Segment } from "./cutter.ts";
import { HeldBytes } from "../held_bytes.ts";

/**
 * What a stretch of a multipart body is: what comes between parts (preamble, last delimiter, epilogue) is no
 * unit.
 */
export type MultipartMark =
  /** The delimiter line, the fields, and the empty line behind them; `head` begins behind the delimiter. */
  | { readonly kind: "head"; readonly head: Uint8Array }
  | { readonly kind: "content" }
  /** The line break before the next delimiter, or nothing where the body ends in the part. */
  | { readonly kind: "end" };

const LF = 10, CR = 13, DASH = 0x2d, SPACE = 0x20, TAB = 9;
/** Most white space behind a boundary (RFC 2046's transport-padding) of a line that is a delimiter. */
const MAX_PADDING = 1000;
const CONTENT: MultipartMark = { kind: "content" };
const END: MultipartMark = { kind: "end" };

/**
 * The boundary that a `content-type` names (RFC 2046 §5.1.1).
 * @throws {TypeError} when it names none, or is not multipart.
 */
export function boundaryOf(contentType: string | null): string {
  if (contentType === null || !/^\s*multipart\/[^\s;]/i.test(contentType)) {
    throw new TypeError(
      `multipartStream is for a message whose content-type is multipart/…; this one's is ${
        contentType ?? "not given"
      }.`,
    );
  }
  const boundary = parametersOf(contentType).get("boundary");
  if (!boundary) {
    throw new TypeError(
      `The content-type ${contentType} names no boundary, so its parts cannot be told apart.`,
    );
  }
  return boundary;
}

/** Cuts one body. */
export class MultipartCutter implements Cutter<MultipartMark> {
  readonly #held: HeldBytes;
  /** "--" and the boundary. */
  readonly #needle: Uint8Array;
  #state: "preamble" | "head" | "content" | "epilogue" = "preamble";
  /** The next byte begins a line of which nothing was given out yet. */
  #isLineStart = true;
  /** Length of the delimiter line with which the held head begins. */
  #delimiter = 0;
  /** How much of the head's last line is held. */
  #line = 0;

  constructor(boundary: string, hold = HOLD, what = "multipartStream") {
    this.#needle = bytesOf(`--${boundary}`);
    this.#held = new HeldBytes(what, hold);
  }

  *push(piece: Uint8Array): Generator<Segment<MultipartMark>, void> {
    for (let text = piece; text.length > 0;) {
      if (this.#state === "epilogue") {
        yield { bytes: text, unit: null };
        return;
      }
      if (this.#state === "head") {
        const end = this.#headEnd(text);
        if (end === -1) return;
        const bytes = this.#held.release();
        this.#state = "content";
        this.#isLineStart = true;
        yield { bytes, unit: { kind: "head", head: bytes.subarray(this.#delimiter) } };
        text = text.subarray(end);
        continue;
      }
      if (this.#held.length > 0) text = concat([this.#held.release(), text]);
      const isContent = this.#state === "content";
      const found = this.#find(text);
      if (found.start > 0) {
        this.#isLineStart = false;
        yield { bytes: text.subarray(0, found.start), unit: isContent ? CONTENT : null };
      }
      if (found.kind === "none") return this.#held.add(text.subarray(found.start));
      // The line break in front of a delimiter belongs to it.
      const lineBreak = text.subarray(found.start, found.line);
      if (isContent) yield { bytes: lineBreak, unit: END };
      else if (lineBreak.length > 0) yield { bytes: lineBreak, unit: null };
      if (found.kind === "close") {
        this.#state = "epilogue";
        text = text.subarray(found.line);
      } else {
        this.#state = "head";
        this.#delimiter = found.end - found.line;
        this.#held.add(text.subarray(found.line, found.end));
        this.#line = 0;
        text = text.subarray(found.end);
      }
    }
  }

  *end(): Generator<Segment<MultipartMark>, void> {
    const isContent = this.#state === "content";
    if (this.#held.length > 0) yield { bytes: this.#held.release(), unit: isContent ? CONTENT : null };
    if (isContent) yield { bytes: new Uint8Array(0), unit: END };
  }

  /** Holds what belongs to the head; gives where in `text` that ends, or -1. */
  #headEnd(text: Uint8Array): number {
    for (let start = 0; start < text.length;) {
      const lf = text.indexOf(LF, start);
      const end = lf === -1 ? text.length : lf + 1;
      this.#held.add(text.subarray(start, end));
      this.#line += end - start;
      start = end;
      if (lf === -1) return -1;
      const isEmpty = this.#line === 1 || (this.#line === 2 && this.#held.view().at(-2) === CR);
      if (isEmpty) return end;
      this.#line = 0;
    }
    return -1;
  }

  /**
   * The first delimiter: from `start` on its line break, from `line` on the line, up to `end`. Without one,
   * `start` is where what may still become one begins.
   */
  #find(text: Uint8Array): { kind: "none" | "open" | "close"; start: number; line: number; end: number } {
    const needle = this.#needle;
    for (
      let line = this.#isLineStart ? 0 : this.#lineAfter(text, 0);
      line !== -1;
      line = this.#lineAfter(text, line)
    ) {
      if (text[line] !== DASH || text[line + 1] !== DASH || !startsWith(text.subarray(line), needle)) {
        continue;
      }
      const start = line === 0 ? 0 : line > 1 && text[line - 2] === CR ? line - 2 : line - 1;
      let end = line + needle.length;
      if (text[end] === DASH && text[end + 1] === DASH) return { kind: "close", start, line, end: end + 2 };
      if (text[end] === DASH && end + 1 === text.length) return { kind: "none", start, line, end };
      while ((text[end] === SPACE || text[end] === TAB) && end - line < needle.length + MAX_PADDING) end++;
      if (text[end] === CR) end++;
      if (end === text.length) return { kind: "none", start, line, end };
      if (text[end] === LF) return { kind: "open", start, line, end: end + 1 };
    }
    const start = this.#undecided(text);
    return { kind: "none", start, line: start, end: start };
  }

  /** Where the next line begins behind `at`, or -1. */
  #lineAfter(text: Uint8Array, at: number): number {
    const end = text.indexOf(LF, at);
    return end === -1 ? -1 : end + 1;
  }

  /** Where the longest end of the text begins that a delimiter could begin with. */
  #undecided(text: Uint8Array): number {
    const needle = this.#needle;
    for (let at = Math.max(0, text.length - needle.length - 1); at < text.length; at++) {
      let line = at;
      if (text[line] === CR) line++;
      if (text[line] === LF) line++;
      else if (line < text.length && !(at === 0 && line === 0 && this.#isLineStart)) continue;
      const rest = text.subarray(line);
      if (rest.length < needle.length && startsWith(needle, rest)) return at;
    }
    return text.length;
  }
}

/** A field of a part's head, and where its lines are. */
export interface PartField {
  readonly name: string;
  /** A character per byte. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/** The fields of a head (RFC 822 §3.2, folded lines too); lines that are none are left out. */
export function fieldsOf(head: Uint8Array): PartField[] {
  const fields: PartField[] = [];
  for (let start = 0, end = 0; start < head.length; start = end) {
    do {
      const lineEnd = head.indexOf(LF, end);
      end = lineEnd === -1 ? head.length : lineEnd + 1;
    } while (head[end] === SPACE || head[end] === TAB);
    const line = latin1(head.subarray(start, end)).replace(/\r?\n/g, "");
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name !== undefined) fields.push({ name, value, start, end });
  }
  return fields;
}

/** A head with these fields: what did not change stays as it came, what is new is put behind it. */
export function rewriteHead(head: Uint8Array, before: Headers, after: Headers): Uint8Array {
  const fields = fieldsOf(head);
  const changed = new Set(
    [...before.keys(), ...after.keys()].filter((name) => before.get(name) !== after.get(name)),
  );
  if (changed.size === 0) return head;
  const isCrlf = head.at(-2) === CR;
  const parts: Uint8Array[] = [];
  let at = 0;
  const write = (name: string) => {
    const value = after.get(name.toLowerCase());
    if (!changed.delete(name.toLowerCase()) || value === null) return;
    parts.push(bytesOf(`${name}: ${value}${isCrlf ? "\r\n" : "\n"}`));
  };
  const dropped = new Set(changed);
  for (const { name, start, end } of fields) {
    if (!dropped.has(name.toLowerCase())) continue;
    parts.push(head.subarray(at, start));
    write(name);
    at = end;
  }
  const end = head.length - (isCrlf ? 2 : 1);
  parts.push(head.subarray(at, end));
  for (const name of [...changed]) write(name);
  parts.push(head.subarray(end));
  return concat(parts);
}

/**
 * A parameter of a `content-disposition` (RFC 7578 §4.2), read as browsers write it; null when it has none.
 */
export function dispositionOf(value: string, parameter: string): string | null {
  const parameters = parametersOf(value);
  const [, extended] = /^utf-8'[^']*'(.*)$/i.exec(parameters.get(`${parameter}*`) ?? "") ?? [];
  try {
    if (extended !== undefined) return decodeURIComponent(extended);
  } catch {
    // The plain one counts.
  }
  const text = parameters.get(parameter);
  if (text === undefined) return null;
  return new TextDecoder().decode(bytesOf(text)).replace(
    /%(22|0d|0a)/gi,
    (escape) => decodeURIComponent(escape),
  );
}

/** One parameter: its name, its value in quotes, or the same without. */
const PARAMETER = /;\s*([^\s;=]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"[^;]*|([^;]*))|;[^;]*/gy;

/**
 * The parameters of a field's value (RFC 9110 §5.6.6), their names in small letters; the first of a name
 * counts.
 */
function parametersOf(value: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name, quoted, plain] of value.slice(value.search(/;|$/)).matchAll(PARAMETER)) {
    const key = name?.toLowerCase();
    if (key === undefined || parameters.has(key)) continue;
    parameters.set(key, quoted?.replace(/\\(["\\])/g, "$1") ?? plain.trim());
  }
  return parameters;
}

/** A byte per character. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
