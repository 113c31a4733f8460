/**
 * A JSON body (RFC 8259) as a model sends it: one object, or an array of objects that come one after the
 * other (Gemini).
 * @module
 */
import { concat } from "@std/bytes";
import { HeldBytes } from "../../held_bytes.ts";
import type { Cutter, Segment } from "../cutter.ts";

/** An object; or the bracket that ends the array. */
export interface JsonPart {
  readonly kind: "whole" | "element" | "close";
  /** As it is written, white space around it included. */
  readonly text: string;
}

const QUOTE = 0x22, BACKSLASH = 0x5c;
const BRACE = 0x7b, BRACE_END = 0x7d, BRACKET = 0x5b, BRACKET_END = 0x5d;

/** Members of a model's answer that have its text, and how their values begin. */
const MARKS = new Map(Object.entries({
  choices: "[",
  output: "[",
  candidates: "[",
  content: "[",
  message: "{",
  response: '"',
}));

/** Strings, brackets, and the colon behind a name. */
const TOKEN = /"(?:[^"\\]|\\.)*(?:"|$)|[{}[\]:]/gs;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cuts a body. What is neither an object nor an array passes as it comes; so does the rest of one that
 * `isOther` says is no model's, and an object that passes the bound without a member that could have a
 * model's text.
 */
export class JsonCutter implements Cutter<JsonPart> {
  readonly #held: HeldBytes;
  readonly #hold: number;
  readonly #isOther: () => boolean;
  #state: "start" | "whole" | "array" | "element" | "passing" = "start";
  /** In an element: how deep, and whether in a string, or behind a backslash in it. */
  #depth = 0;
  #isString = false;
  #isEscaped = false;
  #elements = 0;

  constructor(what: string, hold: number, isOther: () => boolean) {
    this.#held = new HeldBytes(what, hold);
    this.#hold = hold;
    this.#isOther = isOther;
  }

  *push(piece: Uint8Array): Generator<Segment<JsonPart>, void> {
    let from = 0;
    for (let at = 0; at < piece.length;) {
      if (this.#state === "start") {
        const byte = piece[at];
        // White space and a byte order mark.
        if (byte <= 0x20 || byte === 0xef || byte === 0xbb || byte === 0xbf) at++;
        else if (byte === BRACE) this.#state = "whole";
        else {
          this.#state = byte === BRACKET ? "array" : "passing";
          at++;
        }
      } else if (this.#state === "array") {
        const byte = piece[at];
        if (byte === BRACE || byte === BRACKET_END) {
          if (at > from) yield { bytes: piece.subarray(from, at), unit: null };
          from = at;
        }
        if (byte === BRACE) this.#state = "element";
        else at++;
        if (byte === BRACKET_END) {
          this.#state = "passing";
          yield { bytes: piece.subarray(from, at), unit: { kind: "close", text: "]" } };
          from = at;
        }
      } else if (this.#state === "element") {
        at = this.#element(piece, at);
        if (this.#depth > 0) continue;
        // The bracket that ends it need not be held.
        if (this.#isTooMuch(piece.subarray(from, at - 1))) continue;
        const bytes = this.#held.release(piece.subarray(from, at), 1);
        from = at;
        this.#state = "array";
        this.#elements++;
        yield { bytes, unit: { kind: "element", text: decoder.decode(bytes) } };
        if (this.#isOther()) this.#state = "passing";
      } else at = piece.length;
    }
    const rest = piece.subarray(from);
    if (rest.length === 0) return;
    const isHeld = this.#state === "whole" || this.#state === "element";
    if (isHeld && !this.#isTooMuch(rest)) return this.#held.add(rest);
    // White space at the start is held only where an object follows in the same piece.
    if (this.#held.length > 0) yield { bytes: this.#held.release(), unit: null };
    yield { bytes: rest, unit: null };
  }

  *end(): Generator<Segment<JsonPart>, void> {
    if (this.#held.length === 0) return;
    const bytes = this.#held.release();
    const unit: JsonPart | null = this.#state === "whole"
      ? { kind: "whole", text: decoder.decode(bytes) }
      : null;
    yield { bytes, unit };
  }

  /** Goes on in an element; gives where it ends, or where the piece does. */
  #element(piece: Uint8Array, at: number): number {
    for (; at < piece.length; at++) {
      const byte = piece[at];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isString) {
        if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isString = false;
      } else if (byte === QUOTE) this.#isString = true;
      else if (byte === BRACE || byte === BRACKET) this.#depth++;
      else if ((byte === BRACE_END || byte === BRACKET_END) && --this.#depth === 0) return at + 1;
    }
    return at;
  }

  /** Whether an object that cannot be held is no model's; if it could be, holding it fails. */
  #isTooMuch(rest: Uint8Array): boolean {
    if (this.#held.length + rest.length <= this.#hold) return false;
    const start = concat([this.#held.view(), rest.subarray(0, this.#hold)]);
    if (this.#elements > 0 || mayBeModels(decoder.decode(start))) return false;
    this.#state = "passing";
    return true;
  }
}

/** Whether an object, of which this is the beginning, has a member that a model's answer has. */
function mayBeModels(text: string): boolean {
  let depth = 0, name = "";
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token === ":") {
      const value = /\S|$/.exec(text.slice(index + 1, index + 100))![0];
      if (value !== "" && MARKS.get(name) === value) return true;
    } else if (depth === 1) name = token.slice(1, -1);
  }
  return false;
}
