/**
 * Following a network of nodes from one unit of the text to the next, in the order of preference.
 * @module
 */
import { Op, type Program, UNKNOWN } from "./program.ts";

/** The places where captures begin and end, two for each group; -1 where there is none. */
export type Captures = readonly number[];

/** No captures are asked for. */
export const NONE: Captures = [];

/**
 * Is told where the ways from a node lead: to a node that takes a unit, or to an assertion that needs the
 * next one. `place` is the node and the rounds that have begun (node times `rounds`, plus them). True ends
 * the walk.
 */
export type Visitor = (place: number, captures: Captures) => boolean;

/**
 * Walks at one place in a text. What was visited before, at the same place and with more preference, is left
 * out.
 */
export class Walker {
  /** The captures of the match that was found. */
  captures: Captures = NONE;
  readonly #program: Program;
  readonly #visited: Int32Array;
  readonly #told: Int32Array;
  #mark = 0;
  #toldMark = 0;
  readonly #places: number[] = [];
  readonly #captures: Captures[] = [];

  constructor(program: Program) {
    this.#program = program;
    this.#visited = new Int32Array(program.op.length * program.rounds);
    this.#told = new Int32Array(this.#visited.length);
  }

  /** The next walks are at another place of the text. */
  begin(): void {
    this.again();
    this.#toldMark = this.#mark;
  }

  /**
   * The next walks look for another match: they may go where others went, but visit only what was not
   * visited.
   */
  again(): void {
    if (this.#mark++ < 0x7ffffffe) return;
    this.#visited.fill(0);
    this.#told.fill(0);
    this.#mark = this.#toldMark = 1;
  }

  /**
   * Walks from `place`, at position `at`, between the contexts `before` and `after` (or `UNKNOWN`). True when
   * a match was reached before `visit` ended the walk; what has less preference than the match is not
   * visited.
   */
  walk(
    place: number,
    captures: Captures,
    at: number,
    before: number,
    after: number,
    visit: Visitor,
  ): boolean {
    const { op, arg, next, other, rounds } = this.#program;
    const places = this.#places, kept = this.#captures, visited = this.#visited;
    places.length = kept.length = 0;
    places.push(place);
    kept.push(captures);
    for (;;) {
      if (places.length === 0) return false;
      const here = places.pop()!;
      let held = kept.pop()!;
      if (visited[here] === this.#mark) continue;
      visited[here] = this.#mark;
      const node = rounds === 1 ? here : Math.floor(here / rounds);
      let round = here - node * rounds;
      switch (op[node]) {
        case Op.match:
          this.captures = held;
          return true;
        case Op.take:
          if (this.#isNew(here) && this.#program.leads(node, before) && visit(here, held)) return false;
          continue;
        case Op.split:
          places.push(other[node] * rounds + round);
          kept.push(held);
          break;
        case Op.save:
          if (held !== NONE) held = held.with(arg[node], at);
          break;
        case Op.clear:
          if (held !== NONE) held = held.map((place, i) => i >= arg[node] && i < other[node] ? -1 : place);
          break;
        case Op.assert:
          if (after === UNKNOWN && this.#program.needsNext(node)) {
            if (this.#isNew(here) && this.#program.leads(node, before) && visit(here, held)) return false;
            continue;
          }
          if (!this.#program.holds(node, before, after)) continue;
          break;
        case Op.enter:
          round |= arg[node];
          break;
        case Op.leave:
          // An empty round is no way.
          if ((round & arg[node]) !== 0) continue;
          break;
      }
      places.push(next[node] * rounds + round);
      kept.push(held);
    }
  }

  #isNew(place: number): boolean {
    if (this.#told[place] >= this.#toldMark) return false;
    this.#told[place] = this.#mark;
    return true;
  }
}
