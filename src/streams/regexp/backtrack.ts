/**
 * What the groups of a match captured whose beginning and end are known: ways are tried in the order of preference, and what has
 * failed at a place once is not tried there again (RE2's BitState). So time is at most the length of the match times the number of
 * nodes, and next to nothing is allocated.
 * @module
 */
import { Op, type Program, UNKNOWN } from "./program.ts";
import type { TextUnitReader } from "./units.ts";
import type { Captures } from "./walk.ts";

/** Bits of the table of what was tried: longer matches are for the simulation. */
const MAX_BITS = 256 * 1024;
/** Units of a match. */
const MAX_UNITS = 4096;

/** For one expression; one at a time. */
export class Backtrack {
  readonly #program: Program;
  readonly #tried = new Int32Array(MAX_BITS / 32);
  /** The classes of the match's units, and where each begins in the text. */
  readonly #classes = new Int32Array(MAX_UNITS);
  readonly #places = new Int32Array(MAX_UNITS + 1);
  readonly #captures: number[];
  /** What is still to be tried, and what captures are to be again before: two numbers each. */
  readonly #stack: number[] = [];

  constructor(program: Program) {
    this.#program = program;
    this.#captures = new Array(program.groups * 2 + 2).fill(-1);
  }

  /**
   * Of the match from `start` to `end` between the contexts `before` and `after` (or `UNKNOWN`). Valid until the next call; null where
   * the match is too long.
   */
  capturesOf(
    text: Uint8Array,
    reader: TextUnitReader,
    start: number,
    before: number,
    end: number,
    after: number,
  ): Captures | null {
    const { op, arg, next, other, rounds, contextOf } = this.#program;
    const perUnit = op.length * rounds, classes = this.#classes, places = this.#places;
    let units = 0;
    for (let at = start; at < end; units++) {
      if (units === MAX_UNITS || (units + 2) * perUnit > MAX_BITS) return null;
      places[units] = at;
      at += reader.read(text, at, true);
      classes[units] = this.#program.classOf(reader.unit);
    }
    places[units] = end;
    const tried = this.#tried.fill(0, 0, ((units + 1) * perUnit >> 5) + 1);
    const captures = this.#captures.fill(-1), stack = this.#stack;
    stack.length = 0;
    stack.push(this.#program.start * rounds, 0);
    while (stack.length > 0) {
      let at = stack.pop()!, here = stack.pop()!;
      if (here < 0) {
        captures[-1 - here] = at;
        continue;
      }
      for (;;) {
        const bit = at * perUnit + here;
        if ((tried[bit >> 5] & 1 << (bit & 31)) !== 0) break;
        tried[bit >> 5] |= 1 << (bit & 31);
        const node = rounds === 1 ? here : Math.floor(here / rounds);
        let round = here - node * rounds;
        const kind = op[node];
        if (kind === Op.match) {
          if (at < units) return null;
          captures[0] = start;
          captures[1] = end;
          return captures;
        }
        if (kind === Op.take) {
          if (at === units || !this.#program.takes(node, classes[at])) break;
          at++;
          // A unit was taken: no round that has begun is empty.
          round = 0;
        } else if (kind === Op.split) stack.push(other[node] * rounds + round, at);
        else if (kind === Op.save) {
          stack.push(-1 - arg[node], captures[arg[node]]);
          captures[arg[node]] = places[at];
        } else if (kind === Op.clear) {
          for (let i = arg[node]; i < other[node]; i++) {
            stack.push(-1 - i, captures[i]);
            captures[i] = -1;
          }
        } else if (kind === Op.assert) {
          const left = at === 0 ? before : contextOf[classes[at - 1]];
          const right = at === units ? after : contextOf[classes[at]];
          if (right === UNKNOWN && this.#program.needsNext(node)) break;
          if (!this.#program.holds(node, left, right)) break;
        } else if (kind === Op.enter) round |= arg[node];
        else if (kind === Op.leave && (round & arg[node]) !== 0) break;
        here = next[node] * rounds + round;
      }
    }
    return null;
  }
}
