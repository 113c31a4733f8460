/**
 * Editing a JSON text that comes in pieces: only values that are looked at are held, and what is around them
 * is passed on.
 * @module
 */
import { concat } from "@std/bytes";
import { EMPTY } from "../bytes.ts";
import { latin1 } from "../../latin1.ts";
import { drop } from "../drop.ts";
import { tooMuchHeld } from "../hold.ts";
import { isThenable } from "../iterators.ts";
import { Output } from "../output.ts";
import type { PieceEditor } from "../piece_stage.ts";
import { type Edit, type Edits, jsonOf, type JsonPlace, type Spot } from "./edits.ts";
import { Found, JsonScanner } from "./scanner.ts";

const COMMA = 0x2c, OBJECT = 0x7b, ARRAY = 0x5b;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bytes that are kept: those that came with this piece lie in it. */
class Parts {
  readonly #parts: Uint8Array[] = [];
  /** How many of them are copies. */
  #copied = 0;
  length = 0;

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.length += bytes.length;
  }

  /** The piece goes. */
  copy(): void {
    const parts = this.#parts;
    for (; this.#copied < parts.length; this.#copied++) parts[this.#copied] = parts[this.#copied].slice();
  }

  whole(): Uint8Array {
    return this.#parts.length === 1 ? this.#parts[0] : concat(this.#parts);
  }

  [Symbol.iterator](): Iterator<Uint8Array> {
    return this.#parts[Symbol.iterator]();
  }
}

/** A container that is read member by member, or the place of the whole. */
class Frame {
  readonly isObject: boolean;
  readonly spot: Spot;
  /** True when a member of this object may be dropped. */
  readonly mayDrop: boolean;
  /** The element or member that is read, and its value. */
  index = 0;
  name = "";
  child: Spot;
  /** True once it is known that it is sent. */
  isKept = false;
  /** How many were sent; and whether any was dropped before the first of these. */
  sent = 0;
  isFirstDropped = false;
  /**
   * While it is open whether it is sent: its comma, its name and what is between them, as far as they were
   * taken out of pieces; and where what is still in the piece begins (-1: nothing is). Null when it is
   * decided.
   */
  pending: Parts | null = null;
  pendingFrom = -1;
  /** Its value, as far as it came, for a function. */
  held: Parts | null = null;

  constructor(isObject: boolean, spot: Spot, child: Spot) {
    this.isObject = isObject;
    this.spot = spot;
    this.child = child;
    this.mayDrop = spot.droppable === null || spot.droppable.length > 0;
  }
}

/** Edits one text. */
export class JsonEditor implements PieceEditor {
  readonly #edits: Edits;
  readonly #hold: number;
  readonly #warn: (text: string) => void;
  readonly #scanner = new JsonScanner();
  readonly #frames: Frame[];
  /** The innermost one. */
  #frame: Frame;
  readonly #out = new Output();
  #piece = EMPTY;
  /** The first byte of the piece that has no place yet. */
  #done = 0;
  /** The value that is read is not sent. */
  #isSkipping = false;
  /** Where the name that is read begins in the piece (-1: none is read), and what came of it before. */
  #nameFrom = -1;
  #nameHead = EMPTY;
  /** Values that are held, one inside the other, and how many bytes they have. */
  #heldValues = 0;
  #heldBytes = 0;
  /** Bytes before the piece. */
  #base = 0;
  /** It was no JSON. */
  #isOver = false;

  constructor(edits: Edits, hold: number, warn: (text: string) => void) {
    this.#edits = edits;
    this.#hold = hold;
    this.#warn = warn;
    this.#frame = new Frame(false, edits.root, edits.root);
    this.#frames = [this.#frame];
  }

  push(piece: Uint8Array): Uint8Array | AsyncGenerator<Uint8Array, void> {
    this.#piece = piece;
    this.#done = this.#scanner.next = 0;
    if (!this.#isOver && this.#frame.pendingFrom !== -1) this.#frame.pendingFrom = 0;
    return this.#edit(false);
  }

  end(): Uint8Array | AsyncGenerator<Uint8Array, void> {
    this.#piece = EMPTY;
    this.#done = this.#scanner.next = 0;
    return this.#edit(true);
  }

  decided(): Uint8Array {
    return this.#out.take();
  }

  #edit(isLast: boolean): Uint8Array | AsyncGenerator<Uint8Array, void> {
    const waiting = this.#run(isLast);
    return waiting === null ? this.decided() : this.#wait(waiting, isLast);
  }

  async *#wait(first: Promise<void>, isLast: boolean): AsyncGenerator<Uint8Array, void> {
    try {
      for (let waiting: Promise<void> | null = first; waiting !== null; waiting = this.#run(isLast)) {
        if (!this.#out.isEmpty) yield this.decided();
        await waiting;
      }
    } finally {
      if (!this.#out.isEmpty) yield this.decided();
    }
  }

  /** Reads the piece to its end (null), or to where something has to be waited for. */
  #run(isLast: boolean): Promise<void> | null {
    const scanner = this.#scanner;
    while (!this.#isOver) {
      switch (isLast ? scanner.end() : scanner.find(this.#piece)) {
        case Found.more:
          if (isLast) this.#endText();
          else this.#endPiece();
          return null;
        case Found.nameStart:
          this.#startName(scanner.at);
          break;
        case Found.nameEnd:
          this.#endName(scanner.at);
          break;
        case Found.comma:
          this.#startNext(scanner.at);
          break;
        case Found.valueStart:
          this.#startValue(scanner.at);
          break;
        case Found.valueEnd: {
          const waiting = this.#endValue(scanner.at);
          if (waiting !== null) return waiting;
          break;
        }
        case Found.wrong:
          this.#giveUp(
            `byte ${this.#base + scanner.at} (${shown(this.#piece[scanner.at])}) does not belong there`,
          );
      }
    }
    this.#out.put(this.#piece, this.#done);
    return null;
  }

  #startName(at: number): void {
    const frame = this.#frame;
    // A first member: the comma of others is where the waiting began.
    if (frame.pending === null && frame.mayDrop) this.#openPending(frame, at);
    frame.isKept = false;
    this.#nameFrom = at;
    this.#nameHead = EMPTY;
  }

  #endName(at: number): void {
    const frame = this.#frame, from = this.#nameFrom, head = this.#nameHead, length = head.length + at - from;
    this.#check(length);
    this.#nameFrom = -1;
    this.#nameHead = EMPTY;
    const { hasCalls, nameLengths } = this.#edits;
    // Most names need not be decoded to see that no path has them.
    if (this.#scanner.hasEscape || head.length > 0) {
      frame.name = JSON.parse(decoder.decode(concat([head, this.#piece.subarray(from, at)])));
    } else if (hasCalls || nameLengths.has(length - 2)) {
      frame.name = textOf(this.#piece, from + 1, at - 1);
    } else frame.name = "";
    frame.child = frame.spot.child(frame.name);
    if (!frame.child.mayGo) this.#keep(frame, at);
  }

  /** A comma: another member or element follows. */
  #startNext(at: number): void {
    const frame = this.#frame;
    frame.isKept = false;
    if (frame.isObject) {
      if (frame.mayDrop) this.#openPending(frame, at);
      return;
    }
    frame.index++;
    frame.child = frame.spot.child(frame.index);
    if (frame.child.mayGo || frame.isFirstDropped && frame.sent === 0) this.#openPending(frame, at);
  }

  #startValue(at: number): void {
    const frame = this.#frame, { child } = frame, edit = child.first, first = this.#piece[at];
    if (edit === undefined || edit.type === "call") {
      if (edit === undefined) this.#keep(frame, at);
      else {
        this.#flush(at);
        frame.pendingFrom = -1;
        frame.held = new Parts();
        this.#heldValues++;
      }
      if (!child.isLeaf && (first === OBJECT || first === ARRAY)) {
        this.#enter(first === OBJECT, child, at + 1);
      }
      return;
    }
    if (!child.mayGo) this.#keep(frame, at);
    this.#flush(at);
    frame.pendingFrom = -1;
    this.#isSkipping = true;
    if (edit.type === "drop") this.#drop(frame);
    else if (!child.mayGo) this.#send(edit.bytes);
  }

  #enter(isObject: boolean, spot: Spot, at: number): void {
    const frame = new Frame(isObject, spot, isObject ? spot : spot.child(0));
    this.#frames.push(this.#frame = frame);
    this.#scanner.quiet = this.#frames.length - 1;
    if (!isObject && frame.child.mayGo) this.#openPending(frame, at);
  }

  /** The end of a value: of the container whose members are read, or of one of them. */
  #endValue(at: number): Promise<void> | null {
    if (this.#scanner.depth < this.#frames.length - 1) {
      // An empty array has no first element.
      this.#release(this.#frame);
      this.#frames.pop();
      this.#frame = this.#frames[this.#frames.length - 1];
      this.#scanner.quiet = this.#frames.length - 1;
    }
    const frame = this.#frame, edit = frame.child.first;
    if (edit === undefined) return null;
    this.#flush(at);
    this.#isSkipping = false;
    if (edit.type === "drop") return null;
    if (edit.type === "put") {
      return frame.child.edits.length === 1 ? null : this.#apply(frame, JSON.parse(edit.json), null);
    }
    const raw = frame.held!.whole();
    frame.held = null;
    this.#heldValues--;
    this.#heldBytes -= raw.length;
    return this.#apply(frame, JSON.parse(textOf(raw, 0, raw.length)), raw);
  }

  /**
   * Calls the functions for a value one after the other, and sends what comes of it; `raw` are the bytes that
   * it was read from.
   */
  #apply(frame: Frame, value: unknown, raw: Uint8Array | null): Promise<void> | null {
    const before = raw === null ? "" : JSON.stringify(value), calls = frame.child.edits.filter(isCall);
    const place = this.#frames.slice(1).map(({ isObject, name, index }) => isObject ? name : index);
    for (let i = 0, result = value;; i++) {
      if (i === calls.length || result === drop) {
        this.#finish(frame, result, before, raw);
        return null;
      }
      const given = calls[i].fn(result, place);
      if (isThenable(given)) {
        return this.#applyLater(given, result, calls.slice(i + 1), place)
          .then((result) => this.#finish(frame, result, before, raw));
      }
      result = checked(given, result);
    }
  }

  async #applyLater(
    given: unknown,
    value: unknown,
    calls: readonly (Edit & { type: "call" })[],
    place: JsonPlace,
  ): Promise<unknown> {
    let result = checked(await given, value);
    for (const { fn } of calls) {
      if (result === drop) break;
      result = checked(await fn(result, place), result);
    }
    return result;
  }

  #finish(frame: Frame, result: unknown, before: string, raw: Uint8Array | null): void {
    if (result === drop) return this.#drop(frame);
    const json = jsonOf(result, "What the function gives");
    this.#keep(frame, this.#done);
    this.#send(raw !== null && json === before ? raw : encoder.encode(json));
  }

  /** From here on it is open whether the next member or element is sent. */
  #openPending(frame: Frame, at: number): void {
    frame.pending = new Parts();
    frame.pendingFrom = at;
  }

  /** A member or element is sent. Behind dropped ones only, it has no comma. */
  #keep(frame: Frame, at: number): void {
    if (frame.isKept) return;
    frame.isKept = true;
    frame.sent++;
    if (frame.pending === null) return;
    if (frame.sent > 1 || !frame.isFirstDropped) return this.#release(frame);
    this.#flush(at);
    const bytes = frame.pending.whole();
    frame.pending = null;
    frame.pendingFrom = -1;
    // The comma went with those that were dropped, and so did the white space behind it.
    let from = 0;
    while (from < bytes.length && (bytes[from] === COMMA || bytes[from] <= 0x20)) from++;
    this.#send(bytes.subarray(from));
  }

  /** What was pending is sent, and with it what follows. */
  #release(frame: Frame): void {
    const pending = frame.pending;
    if (pending === null) return;
    frame.pending = null;
    frame.pendingFrom = -1;
    for (const bytes of pending) this.#send(bytes);
  }

  #drop(frame: Frame): void {
    if (frame.sent === 0) frame.isFirstDropped = true;
    frame.pending = null;
    frame.pendingFrom = -1;
  }

  /** Gives the bytes of the piece up to `at` their place. */
  #flush(at: number): void {
    const from = this.#done, frame = this.#frame;
    if (at <= from) return;
    this.#done = at;
    if (this.#isSkipping) return;
    const start = frame.pendingFrom === -1 ? at : frame.pendingFrom;
    if (start > from) this.#send(this.#piece, from, start);
    if (frame.pendingFrom === -1) return;
    frame.pending!.add(this.#piece.subarray(start, at));
    frame.pendingFrom = at;
    this.#check(frame.pending!.length);
  }

  /** Sends bytes between two places, or adds them to the innermost value that is held. */
  #send(bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (this.#heldValues > 0 && to > from) {
      for (let i = this.#frames.length - 1; i >= 0; i--) {
        const { held } = this.#frames[i];
        if (held === null) continue;
        this.#check(this.#heldBytes += to - from);
        return held.add(bytes.subarray(from, to));
      }
    }
    this.#out.put(bytes, from, to);
  }

  #check(bytes: number): void {
    if (bytes > this.#hold) throw tooMuchHeld("jsonStream", this.#hold);
  }

  #endPiece(): void {
    const frame = this.#frame, { droppable } = frame.spot;
    if (this.#nameFrom !== -1) {
      const part = this.#piece.subarray(this.#nameFrom);
      this.#nameHead = concat([this.#nameHead, part]);
      this.#check(this.#nameHead.length);
      this.#nameFrom = 0;
      // A name that is none of those that may be dropped need not wait for its end.
      const name = this.#nameHead.subarray(1);
      if (
        droppable !== null && !this.#scanner.hasEscape && !droppable.some((each) => startsWith(each, name))
      ) {
        this.#keep(frame, this.#piece.length);
      }
    }
    this.#flush(this.#piece.length);
    for (const { pending, held } of this.#frames) {
      pending?.copy();
      held?.copy();
    }
    this.#base += this.#piece.length;
  }

  #endText(): void {
    if (!this.#isOver && !this.#scanner.isWhole && !this.#scanner.isEmpty) {
      this.#giveUp("it ends in the middle");
    }
  }

  /** It is no JSON, or no longer: what is held goes out, and what follows passes. */
  #giveUp(why: string): void {
    if (this.#frame.held === null) this.#keep(this.#frame, this.#scanner.at);
    this.#flush(this.#scanner.at);
    this.#isOver = true;
    this.#heldValues = 0;
    for (const { pending, held } of this.#frames.splice(0)) {
      for (const bytes of [...pending ?? [], ...held ?? []]) this.#send(bytes);
    }
    this.#warn(`jsonStream: the body is no JSON: ${why}; from there on it passes as it is.`);
  }
}

/** Most texts are ASCII and short: for these no decoder is called. */
function textOf(bytes: Uint8Array, from: number, to: number): string {
  for (let i = from; i < to; i++) {
    if (bytes[i] > 0x7f) return decoder.decode(bytes.subarray(from, to));
  }
  return latin1(bytes, from, to);
}

function isCall(edit: Edit): edit is Edit & { type: "call" } {
  return edit.type === "call";
}

/** What a function has made of a value; nothing leaves it as it is. @throws {TypeError} on an iterator. */
function checked(given: unknown, value: unknown): unknown {
  if (typeof given === "object" && given !== null && "next" in given && typeof given.next === "function") {
    throw new TypeError("a value can be replaced by one value only; a generator's call was given");
  }
  return given === undefined ? value : given;
}

function startsWith(whole: Uint8Array, start: Uint8Array): boolean {
  return start.length <= whole.length && start.every((byte, i) => byte === whole[i]);
}

function shown(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `0x${byte.toString(16).padStart(2, "0")}`;
}
