/**
 * A table that finds the matches of an expression at a few instructions per byte, made while it is used.
 *
 * A state is all ways through the expression at one place of the text (as in `./simulation.ts`, without
 * captures), in groups: the ways of a group are of a match that begins at the same place. Where the groups'
 * matches begin is not in the table: whoever uses it keeps these places, and most steps leave them as they
 * are.
 * @module
 */
import { Op, type Program, UNKNOWN } from "./program.ts";
import { NONE, Walker } from "./walk.ts";

/** States of one expression; one that needs more is followed without a table. */
const MAX_STATES = 4096;
/** Entries of all rows together: 4 MiB. */
const MAX_ENTRIES = 1024 * 1024;
/** Ways in all states together. */
const MAX_WAYS = 512 * 1024;

/** An entry of the table that was not made yet. Others below 0 are `-2 - index` of a {@linkcode Step}. */
export const UNMADE = -1;

/** All ways at one place. */
export interface State {
  /** Where its row begins in the table. */
  readonly row: number;
  /** The context before the place. */
  readonly context: number;
  /** The ways whose match began before this place, by group. Earlier groups began earlier. */
  readonly groups: readonly (readonly number[])[];
  /** The ways of a match that begins here; null when none is looked for any more. */
  readonly fresh: readonly number[] | null;
  /** True when the ways end with a match here: of `fresh` if there is that, else of the last group. */
  readonly hasMatch: boolean;
  /** True when no match was found yet, so that one may begin at the next place. */
  readonly isSeeking: boolean;
  /** True when no way goes on: a match that was found before, or is here, is decided. */
  readonly isOver: boolean;
}

/** A step that is more than another row of the table. */
export interface Step {
  readonly state: State;
  /**
   * For each group of the new state, the group before the unit that it was; the number of groups stands for
   * `fresh`.
   */
  readonly from: readonly number[];
  /** The group that has a match before the unit, found now; -1 for none. */
  readonly match: number;
}

/** The table of one expression. */
export class Table {
  /** Columns are classes of units. The last column is for bytes beyond ASCII, whose class is found first. */
  readonly width: number;
  readonly columnOf = new Uint16Array(256);
  /** The next row, or what is below 0: UNMADE, or a step. */
  entries: Int32Array;
  readonly steps: Step[] = [];
  /** True when it has grown too large. */
  isFull = false;
  readonly #program: Program;
  readonly #states: State[] = [];
  readonly #known = new Map<string, State>();
  readonly #starts = new Map<number, State>();
  readonly #old: Walker;
  readonly #new: Walker;
  readonly #given: Int32Array;
  #givenMark = 0;
  #ways = 0;

  constructor(program: Program) {
    this.#program = program;
    this.width = program.classes + 1;
    for (let byte = 0; byte < 256; byte++) {
      this.columnOf[byte] = byte < 0x80 || program.unit === "byte" ? program.classOf(byte) : program.classes;
    }
    this.entries = new Int32Array(this.width * 16).fill(UNMADE);
    this.#old = new Walker(program);
    this.#new = new Walker(program);
    this.#given = new Int32Array(program.op.length);
  }

  /** The state in which a search begins behind this context. */
  start(context: number): State {
    let state = this.#starts.get(context);
    if (state === undefined) {
      this.#new.begin();
      this.#starts.set(context, state = this.#seeded(context, []));
    }
    return state;
  }

  /** The state with this row. */
  at(row: number): State {
    return this.#states[row / this.width];
  }

  /** The entry for a class of units, made if need be; still UNMADE when the table is full. */
  entry(state: State, unitClass: number): number {
    const at = state.row + unitClass;
    if (this.entries[at] === UNMADE) {
      const made = this.#make(state, unitClass);
      this.entries[at] = made;
    }
    return this.entries[at];
  }

  /** The group of a state that has a match when the text ends here; -1 for none. */
  end(state: State): number {
    const { groups, fresh, hasMatch, context } = state;
    this.#old.begin();
    const last = fresh === null ? groups.length - 1 : groups.length;
    for (let group = 0; group <= last; group++) {
      for (const place of group < groups.length ? groups[group] : fresh!) {
        if (this.#program.op[this.#nodeOf(place)] === Op.take) continue;
        if (this.#old.walk(place, NONE, 0, context, this.#program.endContext, () => false)) return group;
      }
    }
    return hasMatch ? last : -1;
  }

  #nodeOf(place: number): number {
    return Math.floor(place / this.#program.rounds);
  }

  /** Takes all ways of a state over a unit. */
  #make(state: State, unitClass: number): number {
    const { groups, fresh } = state, context = this.#program.contextOf[unitClass];
    this.#old.begin();
    this.#new.begin();
    this.#givenMark++;
    const made: number[][] = [], from: number[] = [];
    const last = fresh === null ? groups.length - 1 : groups.length;
    let match = -1, isMatchBehind = false;
    for (let group = 0; group <= last && match === -1 && !isMatchBehind; group++) {
      const ways: number[] = [];
      for (const place of group < groups.length ? groups[group] : fresh!) {
        if (this.#program.op[this.#nodeOf(place)] === Op.take) {
          isMatchBehind = this.#give(place, context, unitClass, ways);
        } else {
          const isMatch = this.#old.walk(
            place,
            NONE,
            0,
            state.context,
            context,
            (found) => isMatchBehind = this.#give(found, context, unitClass, ways),
          );
          if (isMatch) match = group;
        }
        if (isMatchBehind || match !== -1) break;
      }
      if (ways.length === 0 && !isMatchBehind) continue;
      made.push(ways);
      from.push(group);
    }
    let next: State;
    if (isMatchBehind) next = this.#state(context, made, null, true, false);
    else if (match !== -1 || !state.isSeeking) next = this.#state(context, made, null, false, false);
    else next = this.#seeded(context, made);
    if (match === -1 && state.hasMatch && !isMatchBehind) match = last;
    if (this.isFull) return UNMADE;
    const isPlain = match === -1 && !next.isOver && from.length === groups.length &&
      from.every((group, i) => group === i);
    if (isPlain) return next.row;
    this.steps.push({ state: next, from, match });
    return -1 - this.steps.length;
  }

  /** Gives a unit to a node that takes one; true when a match follows. */
  #give(place: number, context: number, unitClass: number, ways: number[]): boolean {
    const program = this.#program, node = this.#nodeOf(place);
    if (this.#given[node] === this.#givenMark) return false;
    this.#given[node] = this.#givenMark;
    if (!program.takes(node, unitClass)) return false;
    return this.#new.walk(program.next[node] * program.rounds, NONE, 0, context, UNKNOWN, (found) => {
      ways.push(found);
      return false;
    });
  }

  /** A state in which a match may begin as well. */
  #seeded(context: number, groups: number[][]): State {
    const fresh: number[] = [], program = this.#program;
    const hasMatch = this.#new.walk(program.start * program.rounds, NONE, 0, context, UNKNOWN, (found) => {
      fresh.push(found);
      return false;
    });
    return this.#state(context, groups, fresh, hasMatch, !hasMatch);
  }

  #state(
    context: number,
    groups: number[][],
    fresh: number[] | null,
    hasMatch: boolean,
    isSeeking: boolean,
  ): State {
    const name = `${context}${hasMatch ? "m" : ""}${isSeeking ? "s" : ""}${fresh?.join() ?? "-"}/${
      groups.join("/")
    }`;
    let state = this.#known.get(name);
    if (state !== undefined) return state;
    const isOver = !isSeeking && (fresh === null || fresh.length === 0) &&
      groups.every((ways) => ways.length === 0);
    const row = this.#states.length * this.width;
    state = { row, context, groups, fresh, hasMatch, isSeeking, isOver };
    this.#ways += groups.reduce((sum, ways) => sum + ways.length, fresh?.length ?? 0);
    const isTooLarge = this.#states.length >= MAX_STATES || row + this.width > MAX_ENTRIES;
    if (isTooLarge || this.#ways > MAX_WAYS) {
      this.isFull = true;
      return state;
    }
    if (row + this.width > this.entries.length) {
      const entries = new Int32Array(this.entries.length * 2).fill(UNMADE);
      entries.set(this.entries);
      this.entries = entries;
    }
    this.#states.push(state);
    this.#known.set(name, state);
    return state;
  }
}
