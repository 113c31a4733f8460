/**
 * All matches of an expression, found by following all its ways at once (Thompson 1968, Pike's captures), in
 * one pass.
 *
 * The ways stand in the order of preference. A match cuts off those behind it and opens the search for the
 * match after it; the ways before it may still find one that is preferred. So nothing is ever read twice,
 * whatever the expression: time is at most the length of the text times the number of nodes.
 * @module
 */
import { Op, type Program, UNKNOWN } from "./program.ts";
import { type Captures, NONE, Walker } from "./walk.ts";

/** A match: where it begins and ends, and its captures. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly captures: Captures;
}

/** Matches that follow each other with no way between them that could find a better one. */
class Run {
  readonly matches: Match[];

  constructor(match: Match) {
    this.matches = [match];
  }
}

/** Marks a run among the places. */
const RUN = -1;

/** The ways through an expression at one place in a text. */
export class Simulation {
  /** Matches that are decided; whoever reads them takes them out. */
  readonly decided: Match[] = [];
  readonly #program: Program;
  readonly #old: Walker;
  readonly #new: Walker;
  /** A mark for each `take` node that a unit was given to. */
  readonly #given: Int32Array;
  #givenMark = 0;
  /** The ways: where each stands (or RUN), where its match begins, its captures (or the run). */
  #places: number[] = [];
  #starts: number[] = [];
  #details: (Captures | Run)[] = [];
  #context = 0;
  #fresh: Captures = NONE;
  #isAnchored = false;

  constructor(program: Program) {
    this.#program = program;
    this.#old = new Walker(program);
    this.#new = new Walker(program);
    this.#given = new Int32Array(program.op.length);
  }

  /**
   * Begins at a place in a text, with a context before it. `isAnchored`: only a match that begins here is
   * looked for.
   */
  begin(at: number, context: number, hasCaptures: boolean, isAnchored = false): void {
    this.decided.length = 0;
    this.#places = [];
    this.#starts = [];
    this.#details = [];
    this.#context = context;
    this.#fresh = hasCaptures ? new Array(this.#program.groups * 2 + 2).fill(-1) : NONE;
    this.#isAnchored = false;
    this.#new.begin();
    this.#seed(at);
    this.#isAnchored = isAnchored;
    this.#settle();
  }

  /** Where the earliest match that is still possible, or not decided, begins; `at` when there is none. */
  heldFrom(at: number): number {
    return this.#starts.length === 0 ? at : this.#starts[0];
  }

  /** The unit from `at` to `to` has this class. */
  step(unitClass: number, at: number, to: number): void {
    const context = this.#program.contextOf[unitClass];
    this.#pass(at, to, context, unitClass);
    this.#context = context;
    this.#seed(to);
    this.#settle();
  }

  /** The text ends at `at`. */
  end(at: number): void {
    this.#pass(at, at, this.#program.endContext, -1);
    this.#settle();
  }

  /** What a match that ends at `at` captured; `after` is the context behind it, or UNKNOWN. */
  capturesAt(at: number, after: number): Captures | null {
    for (let i = 0; i < this.#places.length; i++) {
      const place = this.#places[i], detail = this.#details[i];
      if (detail instanceof Run) return detail.matches[0].captures;
      if (after === UNKNOWN || this.#program.op[this.#nodeOf(place)] === Op.take) continue;
      this.#old.begin();
      if (this.#old.walk(place, detail, at, this.#context, after, () => false)) return this.#old.captures;
    }
    return null;
  }

  #nodeOf(place: number): number {
    return Math.floor(place / this.#program.rounds);
  }

  /** Takes all ways over a unit (class -1: over the end). */
  #pass(at: number, to: number, context: number, unitClass: number): void {
    const places = this.#places, starts = this.#starts, details = this.#details;
    this.#places = [];
    this.#starts = [];
    this.#details = [];
    this.#old.begin();
    this.#new.begin();
    this.#givenMark++;
    for (let i = 0; i < places.length; i++) {
      const place = places[i], start = starts[i], detail = details[i];
      if (detail instanceof Run) this.#keep(start, detail);
      else if (this.#program.op[this.#nodeOf(place)] !== Op.take) {
        if (this.#look(place, start, detail, at, to, context, unitClass)) return;
      } else if (this.#give(place, start, detail, to, context, unitClass)) {
        return this.#add(start, to, this.#new.captures);
      }
    }
  }

  /** Goes on from a place that waited for the next unit; true when a match cuts off all that is behind it. */
  #look(
    place: number,
    start: number,
    captures: Captures,
    at: number,
    to: number,
    context: number,
    unitClass: number,
  ): boolean {
    let isMatchBehind = false;
    const isMatchHere = this.#old.walk(
      place,
      captures,
      at,
      this.#context,
      context,
      (found, held) => isMatchBehind = this.#give(found, start, held, to, context, unitClass),
    );
    if (isMatchBehind) this.#add(start, to, this.#new.captures);
    if (!isMatchHere) return isMatchBehind;
    this.#add(start, at, this.#old.captures);
    // The next match begins here at the earliest, or behind the next unit when this one is empty.
    if (start < at && !this.#isAnchored) {
      this.#old.again();
      this.#look(this.#program.start * this.#program.rounds, at, this.#fresh, at, to, context, unitClass);
    }
    return true;
  }

  /** Gives a unit to a node that takes one; true when a match follows, with captures in the walker. */
  #give(
    place: number,
    start: number,
    captures: Captures,
    to: number,
    context: number,
    unitClass: number,
  ): boolean {
    const program = this.#program, node = this.#nodeOf(place);
    if (unitClass === -1 || this.#given[node] === this.#givenMark) return false;
    this.#given[node] = this.#givenMark;
    if (!program.takes(node, unitClass)) return false;
    return this.#new.walk(
      program.next[node] * program.rounds,
      captures,
      to,
      context,
      UNKNOWN,
      (found, held) => {
        this.#places.push(found);
        this.#starts.push(start);
        this.#details.push(held);
        return false;
      },
    );
  }

  /** Begins to look for a match at `at`, after all that was found before. */
  #seed(at: number): void {
    if (this.#isAnchored) return;
    this.#new.again();
    const program = this.#program;
    const isEmpty = this.#new.walk(
      program.start * program.rounds,
      this.#fresh,
      at,
      this.#context,
      UNKNOWN,
      (found, held) => {
        this.#places.push(found);
        this.#starts.push(at);
        this.#details.push(held);
        return false;
      },
    );
    if (isEmpty) this.#add(at, at, this.#new.captures);
  }

  #add(start: number, end: number, captures: Captures): void {
    this.#keep(start, new Run({ start, end, captures }));
  }

  #keep(start: number, run: Run): void {
    const last = this.#details.at(-1);
    if (last instanceof Run) {
      // The longer list is kept: whatever the order, a match is moved only so often.
      for (const match of run.matches) last.matches.push(match);
      return;
    }
    this.#places.push(RUN);
    this.#starts.push(start);
    this.#details.push(run);
  }

  /** Matches with no way before them are decided. */
  #settle(): void {
    if (this.#details.length === 0 || !(this.#details[0] instanceof Run) || this.#isAnchored) return;
    for (const match of this.#details[0].matches) this.decided.push(match);
    this.#places.shift();
    this.#starts.shift();
    this.#details.shift();
  }
}
