/**
 * The matches of an expression in text that comes in pieces, each told as soon as it is decided.
 *
 * Text is followed with the table (`./table.ts`). An expression that needs too many states, or one that makes
 * the table read text again and again, is followed by the simulation (`./simulation.ts`), which is slower and
 * reads everything once.
 * @module
 */
import { EMPTY } from "../bytes.ts";
import type { GramFilter } from "../grams.ts";
import { tooMuchHeld } from "../hold.ts";
import { type Program, UNKNOWN } from "./program.ts";
import { Simulation } from "./simulation.ts";
import type { Machine } from "./machine.ts";
import { type State, type Step, type Table, UNMADE } from "./table.ts";
import { isMiddle, pointsFrom, TextUnitReader } from "./units.ts";
import { type Captures, NONE } from "./walk.ts";

/** Bytes that may be read again before that counts as too often. */
const FREE_REREADS = 4096;

/** Who is told. Together the calls cover the whole text, in order. */
export interface MatchSink {
  /** Text without a match. `startsHalf`: it begins with the second half of a character that is two units. */
  pass(text: Uint8Array, from: number, to: number, startsHalf: boolean): void;
  /**
   * A match; `captures` has a place in `text` for the beginning and the end of each group, the whole match
   * first; or is empty.
   */
  match(text: Uint8Array, from: number, to: number, captures: Captures): void;
}

/** What a search does. */
export interface SearchOptions {
  readonly machine: Machine;
  readonly sink: MatchSink;
  /** True when the sink wants to know captures. */
  readonly hasCaptures: boolean;
  /** Most bytes that are held back. */
  readonly hold: number;
  /** Who fails when that is not enough. */
  readonly what: string;
  /** Passes over text in which no match begins; of a program without assertions. */
  readonly filter?: GramFilter | null;
}

/** Searches one text. */
export class Search {
  readonly #program: Program;
  readonly #table: Table;
  readonly #sink: MatchSink;
  readonly #options: SearchOptions;
  readonly #reader: TextUnitReader;
  readonly #filter: GramFilter | null;
  #simulation: Simulation | null = null;

  /** Text that is kept, from #from to #to; places below count from #from. */
  #buffer = EMPTY;
  #from = 0;
  #to = 0;
  /** Bytes of the text before #from. */
  #base = 0;
  /** The next byte to be read; and the first one that the sink was not given. */
  #at = 0;
  #passed = 0;
  /** True when #passed is between the two units of a character. */
  #isHalfPassed = false;
  #state: State;
  /** How many groups the state has, where their matches begin, and the contexts before them. */
  #groups = 0;
  readonly #starts: number[] = [];
  readonly #contexts: number[] = [];
  /** A match that could still give way to one that is preferred; where it begins is -1 when there is none. */
  #found = { start: -1, startContext: 0, end: 0, endContext: 0 };
  /** Behind an empty match: the next one begins behind the next unit. */
  #skips = false;
  #reread = 0;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#program = options.machine.program;
    this.#table = options.machine.table;
    this.#sink = options.sink;
    this.#reader = new TextUnitReader(this.#program.unit);
    this.#filter = options.filter ?? null;
    this.#state = this.#table.start(this.#program.startContext);
    if (this.#table.isFull) this.#simulate(0, this.#program.startContext);
  }

  /** Takes the next piece of text, which is not needed any more when this returns. */
  push(piece: Uint8Array): void {
    this.#run(this.#joined(piece), false);
  }

  /** The text has ended. */
  end(): void {
    this.#run(this.#joined(EMPTY), true);
  }

  /** What is kept and the piece behind it. */
  #joined(piece: Uint8Array): Uint8Array {
    const kept = this.#to - this.#from;
    if (kept === 0) return piece;
    if (this.#to + piece.length > this.#buffer.length) {
      const larger = new Uint8Array(2 * (kept + piece.length));
      larger.set(this.#buffer.subarray(this.#from, this.#to));
      this.#buffer = larger;
      this.#from = 0;
      this.#to = kept;
    }
    this.#buffer.set(piece, this.#to);
    this.#to += piece.length;
    return this.#buffer.subarray(this.#from, this.#to);
  }

  #run(text: Uint8Array, atEnd: boolean): void {
    for (;;) {
      const held = this.#simulation === null
        ? this.#follow(text, atEnd)
        : this.#stepAll(this.#simulation, text, atEnd);
      if (held === -1) continue;
      this.#pass(text, this.#program.unit === "codeUnit" && isMiddle(text, held) ? held - 2 : held);
      if (text.length - this.#passed > this.#options.hold) throw this.#tooMuch();
      this.#keep(text);
      return;
    }
  }

  /** Keeps what is still needed of the text. */
  #keep(text: Uint8Array): void {
    const passed = this.#isHalfPassed ? this.#passed - 2 : this.#passed;
    const needed = Math.min(passed, this.#at), rest = text.length - needed;
    this.#base += needed;
    this.#at -= needed;
    this.#passed -= needed;
    if (this.#found.start !== -1) {
      this.#found.start -= needed;
      this.#found.end -= needed;
    }
    for (let group = 0; group < this.#groups; group++) this.#starts[group] -= needed;
    if (this.#to > this.#from) {
      this.#from += needed;
      if (this.#from === this.#to) this.#from = this.#to = 0;
    } else if (rest > 0) {
      if (this.#buffer.length < rest) this.#buffer = new Uint8Array(Math.max(64, 2 * rest));
      this.#buffer.set(text.subarray(needed));
      this.#from = 0;
      this.#to = rest;
    }
  }

  /**
   * Follows the text with the table; gives from where on it is to be held back, or -1 where the simulation is
   * to go on.
   */
  #follow(text: Uint8Array, atEnd: boolean): number {
    for (;;) {
      if (this.#simulation !== null) return -1;
      if (this.#skips ? this.#at === text.length : !this.#state.isOver && this.#read(text)) {
        if (!atEnd) return this.#heldFrom();
        const group = this.#skips ? -1 : this.#table.end(this.#state);
        if (group !== -1) this.#find(group);
        if (this.#skips || this.#found.start === -1) return text.length;
        this.#decide(text, true);
        continue;
      }
      if (!this.#skips && this.#state.isOver) {
        if (this.#state.hasMatch) this.#find(this.#state.fresh === null ? this.#groups - 1 : this.#groups);
        this.#decide(text, atEnd);
        continue;
      }
      const length = this.#reader.read(text, this.#at, atEnd);
      if (length === 0) {
        if (this.#skips) return this.#isHalf(text) ? this.#at : text.length;
        const end = this.#foresee(text);
        if (end === -1) continue;
        return end;
      }
      const unitClass = this.#program.classOf(this.#reader.unit);
      if (this.#skips) {
        this.#skips = false;
        this.#at += length;
        this.#begin(this.#program.contextOf[unitClass]);
        continue;
      }
      const entry = this.#table.entry(this.#state, unitClass);
      if (entry === UNMADE) this.#giveUpTable();
      else if (entry >= 0) this.#state = this.#table.at(entry);
      else this.#take(this.#table.steps[-2 - entry]);
      if (this.#simulation !== null) return -1;
      this.#at += length;
      if (this.#at - this.#heldFrom() > this.#options.hold) throw this.#tooMuch();
    }
  }

  /** Reads ASCII as long as no match is found. True at the end of the text. */
  #read(text: Uint8Array): boolean {
    const { entries, columnOf, steps } = this.#table;
    let row = this.#state.row, at = this.#at;
    for (;;) {
      if (this.#filter !== null && this.#groups === 0) at = this.#filter.next(text, at);
      const most = this.#groups === 0 ? Infinity : this.#starts[0] + this.#options.hold + 1;
      const end = Math.min(text.length, most);
      let entry = 0;
      while (at < end) {
        entry = entries[row + columnOf[text[at]]];
        if (entry < 0) break;
        row = entry;
        at++;
      }
      this.#at = at;
      this.#state = this.#table.at(row);
      if (at === most) throw this.#tooMuch();
      if (at === text.length) return true;
      if (entry === UNMADE) return false;
      const step = steps[-2 - entry];
      if (step.match !== -1) return false;
      this.#take(step);
      this.#at = ++at;
      if (step.state.isOver) return false;
      row = step.state.row;
    }
  }

  #heldFrom(): number {
    return this.#skips || this.#groups === 0 ? this.#at : this.#starts[0];
  }

  #take({ state, from, match }: Step): void {
    if (match !== -1) this.#find(match);
    const groups = this.#groups, starts = this.#starts, contexts = this.#contexts;
    // Groups only move towards the front.
    for (let i = 0; i < from.length; i++) {
      const group = from[i];
      starts[i] = group === groups ? this.#at : starts[group];
      contexts[i] = group === groups ? this.#state.context : contexts[group];
    }
    this.#groups = from.length;
    this.#state = state;
  }

  /** A group has a match that ends here. */
  #find(group: number): void {
    const isFresh = group === this.#groups, { context } = this.#state;
    this.#found.start = isFresh ? this.#at : this.#starts[group];
    this.#found.startContext = isFresh ? context : this.#contexts[group];
    this.#found.end = this.#at;
    this.#found.endContext = context;
  }

  /** The match that was found is the one. The search goes on behind it. */
  #decide(text: Uint8Array, atEnd: boolean): void {
    const { start, startContext, end, endContext } = this.#found;
    this.#found.start = -1;
    this.#pass(text, start);
    this.#sink.match(text, start, end, this.#captures(text, start, startContext, end, atEnd));
    this.#matched(text, end);
    this.#reread += this.#at - end;
    this.#at = end;
    this.#skips = start === end;
    if (this.#skips) return;
    this.#begin(endContext);
    const isTooOften = this.#reread > FREE_REREADS + 2 * (this.#base + end);
    if (isTooOften && this.#simulation === null) this.#simulate(end, endContext);
  }

  #begin(context: number): void {
    this.#groups = 0;
    this.#state = this.#table.start(context);
    if (this.#table.isFull) this.#simulate(this.#at, context);
  }

  #captures(text: Uint8Array, start: number, context: number, end: number, atEnd: boolean): Captures {
    if (!this.#options.hasCaptures) return NONE;
    let after = atEnd && end === text.length ? this.#program.endContext : UNKNOWN;
    if (end < text.length && this.#reader.read(text, end, atEnd) > 0) {
      after = this.#program.contextOf[this.#program.classOf(this.#reader.unit)];
    }
    const captures = this.#options.machine.backtrack.capturesOf(
      text,
      this.#reader,
      start,
      context,
      end,
      after,
    );
    if (captures !== null) return captures;
    const simulation = this.#options.machine.capturing;
    simulation.begin(start, context, true, true);
    for (let at = start; at < end;) {
      const to = at + this.#reader.read(text, at, true);
      simulation.step(this.#program.classOf(this.#reader.unit), at, to);
      at = to;
    }
    return whole(simulation.capturesAt(end, after)!, start, end, 0);
  }

  /**
   * The text ends inside a unit. Gives from where on it is to be held back: behind it when it is decided that
   * no match can have the unit, whatever it will be; -1 when a match that ends before it is decided.
   */
  #foresee(text: Uint8Array): number {
    if (this.#options.hasCaptures && this.#program.looksBack) return this.#heldFrom();
    let match: number | null = null;
    for (const unitClass of this.#classesFrom(text)) {
      const entry = this.#table.entry(this.#state, unitClass);
      if (entry === UNMADE) return this.#heldFrom();
      const step = entry < 0 ? this.#table.steps[-2 - entry] : null;
      const state = step?.state ?? this.#table.at(entry), found = step?.match ?? -1;
      if (state.groups.length > 0 || match !== null && match !== found) return this.#heldFrom();
      match = found;
      if (this.#isHalf(text) && state.isSeeking && !this.#isIdle(state)) return this.#heldFrom();
    }
    if (match !== null && match !== -1) this.#find(match);
    if (this.#found.start === -1) return text.length;
    this.#decide(text, false);
    return -1;
  }

  /** The text ends inside a character that is two units. */
  #isHalf(text: Uint8Array): boolean {
    return this.#program.unit === "codeUnit" && text[this.#at] >= 0xf0;
  }

  /** The classes that the unit can have inside which the text ends. */
  #classesFrom(text: Uint8Array): Set<number> {
    let [from, to] = pointsFrom(text, this.#at);
    if (this.#isHalf(text)) {
      from = 0xd800 | (from - 0x10000) >> 10;
      to = 0xd800 | (to - 0x10000) >> 10;
    }
    return this.#program.classesOf(from, to).add(this.#program.classes - 1);
  }

  /** True when no match has to do with the second half of a character. */
  #isIdle(state: State): boolean {
    for (const unitClass of this.#program.classesOf(0xdc00, 0xdfff)) {
      const entry = this.#table.entry(state, unitClass);
      if (entry === UNMADE) return false;
      if (entry >= 0) continue;
      const step = this.#table.steps[-2 - entry];
      if (step.state.groups.length > 0 || step.match !== -1) return false;
    }
    return true;
  }

  #giveUpTable(): void {
    const isHeld = this.#groups > 0;
    this.#simulate(isHeld ? this.#starts[0] : this.#at, isHeld ? this.#contexts[0] : this.#state.context);
  }

  /** Goes on from here with the simulation. */
  #simulate(at: number, context: number): void {
    this.#at = at;
    this.#found.start = -1;
    this.#groups = 0;
    this.#simulation = new Simulation(this.#program);
    this.#simulation.begin(this.#base + at, context, this.#options.hasCaptures);
  }

  /** Follows the text with the simulation, to its end; gives from where on it is to be held back. */
  #stepAll(simulation: Simulation, text: Uint8Array, atEnd: boolean): number {
    for (;;) {
      this.#tell(simulation, text);
      const held = simulation.heldFrom(this.#base + this.#at) - this.#base;
      if (this.#at - held > this.#options.hold) throw this.#tooMuch();
      if (this.#at === text.length) {
        if (!atEnd) return held;
        simulation.end(this.#base + this.#at);
        this.#tell(simulation, text);
        return this.#at;
      }
      const length = this.#reader.read(text, this.#at, atEnd);
      if (length === 0) return held;
      const at = this.#base + this.#at;
      simulation.step(this.#program.classOf(this.#reader.unit), at, at + length);
      this.#at += length;
    }
  }

  /** Hands on the matches that the simulation has decided. */
  #tell(simulation: Simulation, text: Uint8Array): void {
    for (const { start, end, captures } of simulation.decided) {
      const from = start - this.#base, to = end - this.#base;
      this.#pass(text, from);
      this.#sink.match(text, from, to, captures === NONE ? NONE : whole(captures, from, to, this.#base));
      this.#matched(text, to);
    }
    simulation.decided.length = 0;
  }

  #pass(text: Uint8Array, to: number): void {
    if (to <= this.#passed) return;
    this.#sink.pass(text, this.#passed, to, this.#isHalfPassed);
    this.#passed = to;
    this.#isHalfPassed = false;
  }

  /** The sink was given a match that ends at `end`. */
  #matched(text: Uint8Array, end: number): void {
    this.#passed = end;
    this.#isHalfPassed = this.#program.unit === "codeUnit" && isMiddle(text, end);
  }

  #tooMuch(): Error {
    return tooMuchHeld(this.#options.what, this.#options.hold);
  }
}

/** Captures with the whole match, as places in the text. */
function whole(captures: Captures, from: number, to: number, base: number): Captures {
  return captures.map((place, i) => i === 0 ? from : i === 1 ? to : place === -1 ? -1 : place - base);
}
