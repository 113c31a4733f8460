/**
 * `String.prototype.replace` with a global expression, on text that comes in pieces.
 *
 * The text is never decoded as a whole: what is between matches goes on as the bytes that came.
 * @module
 */
import { concat } from "@std/bytes";
import { latin1 } from "../../latin1.ts";
import { asBytes, type BytesLike, EMPTY, nameOf } from "../bytes.ts";
import { Output } from "../output.ts";
import type { PieceEditor } from "../piece_stage.ts";
import { Machine } from "./machine.ts";
import { type Program, sourceOf } from "./program.ts";
import { type MatchSink, Search } from "./search.ts";
import { readTemplate, type TemplatePart } from "./template.ts";
import { isMiddle, lengthInUnits, wholeUnits } from "./units.ts";
import type { Captures } from "./walk.ts";

/**
 * Called for each match as by `String.prototype.replace`: the match, its groups, its place in the text
 * (UTF-16 code units before it) and, where groups have names, an object of them. The whole text is not there
 * and not given.
 */
// deno-lint-ignore no-explicit-any -- only the caller knows which are groups, and which is the place
export type MatchFunction = (match: string, ...args: any[]) => BytesLike;

/** Expressions that were made ready, the one used last at the end. */
const ready = new Map<string, Machine>();
const MAX_READY = 32;

function made(regexp: RegExp, isBytes: boolean): Machine {
  const name = `${isBytes ? "bytes" : ""}${regexp.flags}/${regexp.source}`;
  const machine = ready.get(name) ?? new Machine(sourceOf(regexp, isBytes));
  ready.delete(name);
  ready.set(name, machine);
  if (ready.size > MAX_READY) ready.delete(ready.keys().next().value!);
  return machine;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Replaces in one text. */
export class RegExpReplacer implements MatchSink, PieceEditor {
  readonly #search: Search;
  readonly #program: Program;
  /**
   * What takes the place of matches: always the same bytes, text with parts of the match, or what a function
   * gives.
   */
  readonly #bytes: Uint8Array | null;
  readonly #template: readonly TemplatePart[];
  readonly #function: MatchFunction | null;
  readonly #out = new Output();
  /** UTF-16 code units before the place that was reached; counted for a function. */
  #place = 0;
  /** Bytes behind that place that were passed on and not counted: the beginning of a unit. */
  #uncounted = EMPTY;
  /** The first half of a character, whose second half may follow. */
  #half = "";

  /**
   * @throws {TypeError} on an expression or a replacement that cannot be done exactly, or is no text, bytes
   * or function.
   */
  constructor(regexp: RegExp, by: BytesLike | MatchFunction, hold: number, isBytes = false) {
    const machine = made(regexp, isBytes), { program } = machine;
    this.#program = program;
    this.#function = typeof by === "function" ? by : null;
    this.#template = typeof by === "string" ? readTemplate(by, program.groups, program.names) : [];
    const constant = this.#template.length === 0 ? "" : this.#template[0];
    this.#bytes = typeof by === "function"
      ? null
      : typeof by !== "string"
      ? literal(by, "The replacement").slice()
      : this.#template.length <= 1 && typeof constant === "string" && constant.isWellFormed()
      ? this.#encode(constant)
      : null;
    const hasCaptures = program.groups > 0 &&
      (this.#function !== null || this.#template.some((part) => typeof part !== "string" && part[0] !== 0));
    const what = `replaceStream(/${regexp.source}/${regexp.flags}, …)`;
    this.#search = new Search({ machine, sink: this, hasCaptures, hold, what });
  }

  /** Takes the next piece of text; gives what can be sent now, which is valid until the next call. */
  push(piece: Uint8Array): Uint8Array {
    this.#search.push(piece);
    return this.decided();
  }

  /** The text has ended; gives what was held back. */
  end(): Uint8Array {
    this.#search.end();
    this.#endHalf();
    return this.decided();
  }

  decided(): Uint8Array {
    return this.#out.take();
  }

  pass(text: Uint8Array, from: number, to: number, startsHalf: boolean): void {
    if (this.#function !== null) this.#count(text, from, to);
    if (startsHalf) {
      this.#put(this.#decode(text, from, from + 2));
      from += 2;
    }
    const isHalf = this.#program.unit === "codeUnit" && to > from && isMiddle(text, to);
    const end = isHalf ? to - 2 : to;
    if (end > from) {
      this.#endHalf();
      this.#out.put(text, from, end);
    }
    if (isHalf) this.#put(this.#decode(text, end, to));
  }

  match(text: Uint8Array, from: number, to: number, captures: Captures): void {
    if (this.#function !== null) {
      // What was the beginning of a unit when it was passed on is whole now, or no UTF-8.
      this.#place += lengthInUnits(this.#uncounted, 0, this.#uncounted.length);
      this.#uncounted = EMPTY;
      this.#call(this.#function, text, from, to, captures);
    } else if (this.#bytes === null) this.#put(this.#filled(text, from, to, captures));
    else if (this.#bytes.length > 0) {
      this.#endHalf();
      this.#out.put(this.#bytes);
    }
  }

  /** The replacement with the parts of a match. */
  #filled(text: Uint8Array, from: number, to: number, captures: Captures): string {
    let filled = "";
    for (const part of this.#template) {
      if (typeof part === "string") filled += part;
      else if (part[0] === 0) filled += this.#decode(text, from, to);
      else filled += this.#captured(text, captures, part) ?? "";
    }
    return filled;
  }

  /** What the one of these groups captured that took part in the match. */
  #captured(text: Uint8Array, captures: Captures, groups: readonly number[]): string | undefined {
    const group = groups.find((each) => captures[each * 2 + 1] !== -1);
    return group === undefined ? undefined : this.#decode(text, captures[group * 2], captures[group * 2 + 1]);
  }

  #call(by: MatchFunction, text: Uint8Array, from: number, to: number, captures: Captures): void {
    const { groups, names } = this.#program;
    const args: unknown[] = [];
    for (let group = 1; group <= groups; group++) args.push(this.#captured(text, captures, [group]));
    args.push(this.#place);
    if (names !== null) {
      const named: Record<string, string | undefined> = Object.create(null);
      for (const [name, indexes] of names) named[name] = this.#captured(text, captures, indexes);
      args.push(named);
    }
    this.#count(text, from, to);
    const made = by(this.#decode(text, from, to), ...args);
    if (typeof made === "string") return this.#put(made);
    this.#endHalf();
    this.#out.put(literal(made, "The replacement function's result").slice());
  }

  /** Puts text out. Two halves of a character that come to stand side by side are one. */
  #put(text: string): void {
    if (text === "") return;
    const joined = this.#half + text, last = joined.charCodeAt(joined.length - 1);
    const isHalf = last >= 0xd800 && last < 0xdc00;
    this.#half = isHalf ? joined.slice(-1) : "";
    this.#out.put(this.#encode(isHalf ? joined.slice(0, -1) : joined));
  }

  #encode(text: string): Uint8Array {
    return this.#program.unit === "byte" ? latin1Bytes(text) : encoder.encode(text);
  }

  #endHalf(): void {
    if (this.#half === "") return;
    this.#half = "";
    this.#out.put(encoder.encode("\ufffd"));
  }

  #decode(text: Uint8Array, from: number, to: number): string {
    if (this.#program.unit === "byte") return latin1(text, from, to);
    if (this.#program.unit === "codePoint") return decoder.decode(text.subarray(from, to));
    const startsHalf = from < to && isMiddle(text, from), endsHalf = from < to && isMiddle(text, to);
    const whole = decoder.decode(text.subarray(startsHalf ? from - 2 : from, endsHalf ? to + 2 : to));
    return whole.slice(startsHalf ? 1 : 0, endsHalf ? -1 : undefined);
  }

  #count(text: Uint8Array, from: number, to: number): void {
    if (this.#program.unit === "byte") {
      this.#place += to - from;
      return;
    }
    if (this.#uncounted.length > 0) {
      text = concat([this.#uncounted, text.subarray(from, to)]);
      from = 0;
      to = text.length;
    }
    const whole = to === text.length ? Math.max(from, wholeUnits(text)) : to;
    this.#place += lengthInUnits(text, from, whole);
    this.#uncounted = whole === to ? EMPTY : text.slice(whole, to);
  }
}

/** @throws {TypeError} on a character that is no byte. */
function latin1Bytes(text: string): Uint8Array {
  const beyond = /[^\0-\xff]/.exec(text);
  if (beyond !== null) {
    throw new TypeError(`With { bytes: true } text is bytes, one character each, and ${beyond[0]} is none.`);
  }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes that an addon gave. @throws {TypeError} when it gave something else. */
function literal(value: unknown, what: string): Uint8Array {
  const bytes = asBytes(value);
  if (bytes === null) throw new TypeError(`${what} must be a string or bytes, not ${nameOf(value)}.`);
  return bytes;
}
