/**
 * A regular expression as a network of nodes, and the classes of units that its nodes tell apart.
 *
 * The network says the same as the expression with the same order of preference: of two ways out of a node,
 * the first is tried first, as the backtracking of ECMA-262 §22.2.2 does.
 * @module
 */
import { type Ranges, rangesOf } from "./charset.ts";
import { type AssertKind, parse, type Parsed, type Part, type Repeat } from "./parser.ts";
import { INVALID, type Unit } from "./units.ts";

/** What a node does. `next` (and `other`, the second choice) are the nodes behind it, `arg` is the detail. */
export const Op = {
  /** The expression has matched. */
  match: 0,
  /** Takes one unit of the set `arg`. */
  take: 1,
  /** Goes on at `next`, or else at `other`. */
  split: 2,
  /** Notes the place as capture number `arg`. */
  save: 3,
  /** Forgets the captures from `arg` to `other` (exclusive). */
  clear: 4,
  /** Goes on where the assertion `arg` holds. */
  assert: 5,
  /** A round of a loop begins (`arg`: its bit), which must not end before a unit was taken. */
  enter: 6,
  /** The round ends. */
  leave: 7,
} as const;

/** What is known about a unit, or about the lack of one, where an assertion looks at it. */
export const Context = { line: 1, word: 2, foldedWord: 4, start: 8, end: 16 } as const;

/** The next unit is not known yet. */
export const UNKNOWN = -1;

/** Nodes in the network of an expression: a counted repetition is as many copies. */
const MAX_NODES = 20_000;
/** Loops inside each other whose rounds could be empty. */
const MAX_DEPTH = 8;

const ASSERTS: readonly AssertKind[] = [
  "start",
  "lineStart",
  "end",
  "lineEnd",
  "word",
  "noWord",
  "foldedWord",
  "noFoldedWord",
];
/** Bits of the contexts that assertions look at. */
const LOOKS_AT: readonly number[] = [8, 9, 16, 17, 2, 2, 4, 4];

/** What a program is made of. */
export interface ProgramSource extends Parsed {
  /** What it is called in errors. */
  readonly name: string;
  /** What one unit of the text is. */
  readonly unit: Unit;
  /** Most nodes of the network. */
  readonly nodes?: number;
}

/**
 * What is known of a regular expression; `isBytes`: the text is bytes, one unit each. @throws {TypeError} on
 * what cannot be done in a stream.
 */
export function sourceOf(regexp: RegExp, isBytes = false): ProgramSource {
  const unit = isBytes ? "byte" : regexp.unicode ? "codePoint" : "codeUnit";
  return { ...parse(regexp.source, regexp.flags), name: `/${regexp.source}/`, unit };
}

/** An expression that was made ready. It has no state: it serves any number of texts. */
export class Program {
  readonly op: Uint8Array;
  readonly arg: Int32Array;
  readonly next: Int32Array;
  readonly other: Int32Array;
  readonly start: number;
  readonly unit: Unit;
  /** Capturing groups, without the whole match. */
  readonly groups: number;
  readonly names: ReadonlyMap<string, readonly number[]> | null;
  /**
   * One more than the combinations of rounds that have begun: a node's number times this tells where a path
   * stands.
   */
  readonly rounds: number;
  /** Classes of units; the last one is bytes that are no UTF-8. */
  readonly classes: number;
  /** What assertions see in a unit of a class. */
  readonly contextOf: Uint8Array;
  /** True when an assertion looks at a unit, or for the beginning of the text. */
  readonly looksBack: boolean;
  /** Where a context begins: `start` where an assertion asks for that. */
  readonly startContext: number;
  readonly endContext: number;
  /** Where the ranges of classes begin, ascending, and the class of each. */
  readonly #froms: number[] = [0];
  readonly #classOfRange: number[] = [0];
  /** 1 where a class (column) is in a set (row). */
  readonly #has: Uint8Array;
  /** Classes of the units of the BMP, made when the first one beyond ASCII comes. */
  #bmp: Uint16Array | null = null;
  /** 1 where a way from a node, with this context before it (column), ends in a match. */
  readonly #leads: Uint8Array;

  /** @throws {TypeError} on an expression that is too large. */
  constructor({ part, groups, names, name, unit, nodes = MAX_NODES }: ProgramSource) {
    this.unit = unit;
    this.groups = groups;
    this.names = names;
    const network = new Network(name, nodes);
    this.start = network.add(part, network.node(Op.match, 0, 0, 0), 0);
    this.op = Uint8Array.from(network.op);
    this.arg = Int32Array.from(network.arg);
    this.next = Int32Array.from(network.next);
    this.other = Int32Array.from(network.other);
    this.rounds = 1 << network.depth;
    const looksAt = network.looksAt;
    this.looksBack = looksAt !== 0;
    this.startContext = looksAt & Context.start;
    this.endContext = looksAt & Context.end;
    const contexts = [
      looksAt & Context.line ? [10, 10, 13, 13, 0x2028, 0x2029] : [],
      looksAt & Context.word ? rangesOf("\\w", "") : [],
      looksAt & Context.foldedWord ? rangesOf("\\w", "iu") : [],
    ];
    const signatures = this.#partition([...contexts, ...network.sets]);
    this.classes = signatures.length + 1;
    this.contextOf = new Uint8Array(this.classes);
    this.#has = new Uint8Array(network.sets.length * this.classes);
    signatures.forEach((signature, index) => {
      for (const set of signature) {
        if (set < 3) this.contextOf[index] |= 1 << set;
        else this.#has[(set - 3) * this.classes + index] = 1;
      }
    });
    this.#leads = this.#findWays();
  }

  /** True when the set of a `take` node has units of a class. */
  takes(node: number, unitClass: number): boolean {
    return this.#has[this.arg[node] * this.classes + unitClass] === 1;
  }

  /** True when a match can follow from a node that is reached with this context before it. */
  leads(node: number, context: number): boolean {
    return this.#leads[node * 32 + context] === 1;
  }

  /** The class of a unit. */
  classOf(unit: number): number {
    if (unit === INVALID) return this.classes - 1;
    if (unit > 0xffff) return this.#search(unit);
    if (this.#bmp === null) {
      this.#bmp = new Uint16Array(0x10000);
      this.#froms.forEach((from, i) => this.#bmp!.fill(this.#classOfRange[i], from));
    }
    return this.#bmp[unit];
  }

  /** The classes of all units from one to another. */
  classesOf(from: number, to: number): Set<number> {
    const found = new Set([this.#search(from)]);
    this.#froms.forEach((first, i) => {
      if (first > from && first <= to) found.add(this.#classOfRange[i]);
    });
    return found;
  }

  #search(unit: number): number {
    let low = 0, high = this.#froms.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#froms[middle] <= unit) low = middle;
      else high = middle;
    }
    return this.#classOfRange[low];
  }

  /** Cuts all units into classes that are in the same sets; gives the sets of each class. */
  #partition(sets: readonly Ranges[]): number[][] {
    const edges: [at: number, set: number, isFrom: boolean][] = [];
    sets.forEach((ranges, set) => {
      for (let i = 0; i < ranges.length; i += 2) {
        edges.push([ranges[i], set, true], [ranges[i + 1] + 1, set, false]);
      }
    });
    edges.sort((a, b) => a[0] - b[0]);
    const signatures: number[][] = [[]], classes = new Map([["", 0]]), inside = new Set<number>();
    for (let i = 0; i < edges.length;) {
      const at = edges[i][0];
      for (; i < edges.length && edges[i][0] === at; i++) {
        if (edges[i][2]) inside.add(edges[i][1]);
      }
      // Ranges of one set do not touch, so what ends here does not begin here again.
      for (let j = i - 1; j >= 0 && edges[j][0] === at; j--) if (!edges[j][2]) inside.delete(edges[j][1]);
      const signature = [...inside].sort((a, b) => a - b), name = signature.join();
      let unitClass = classes.get(name);
      if (unitClass === undefined) {
        classes.set(name, unitClass = signatures.length);
        signatures.push(signature);
      }
      if (at === 0) this.#classOfRange[0] = unitClass;
      else {
        this.#froms.push(at);
        this.#classOfRange.push(unitClass);
      }
    }
    return signatures;
  }

  /** Finds, against the direction of the network, all nodes from which a match can be reached, by context. */
  #findWays(): Uint8Array {
    const contexts = [...new Set(this.contextOf)], befores = [...new Set([this.startContext, ...contexts])];
    const afters = [...new Set([this.endContext, ...contexts])];
    // Which contexts follow each other within a set.
    const within = new Map<number, Set<number>>();
    const contextsOf = (set: number) => {
      let found = within.get(set);
      if (found === undefined) {
        found = new Set();
        for (let c = 0; c < this.classes; c++) {
          if (this.#has[set * this.classes + c]) found.add(this.contextOf[c]);
        }
        within.set(set, found);
      }
      return found;
    };
    const perNode = befores.length * afters.length;
    const ways = new Uint8Array(this.op.length * perNode), leads = new Uint8Array(this.op.length * 32);
    const isWay = (node: number, before: number, after: number, pair: number): boolean => {
      const next = this.next[node];
      switch (this.op[node]) {
        case Op.match:
          return true;
        case Op.take:
          return contextsOf(this.arg[node]).has(after) && leads[next * 32 + after] === 1;
        case Op.assert:
          return this.holds(node, before, after) && ways[next * perNode + pair] === 1;
        case Op.split:
          return (ways[next * perNode + pair] | ways[this.other[node] * perNode + pair]) === 1;
      }
      return ways[next * perNode + pair] === 1;
    };
    for (let changed = true; changed;) {
      changed = false;
      for (let node = 0; node < this.op.length; node++) {
        for (let pair = 0; pair < perNode; pair++) {
          const before = befores[pair % befores.length], after = afters[Math.floor(pair / befores.length)];
          if (ways[node * perNode + pair] === 1 || !isWay(node, before, after, pair)) continue;
          ways[node * perNode + pair] = leads[node * 32 + before] = 1;
          changed = true;
        }
      }
    }
    return leads;
  }

  /** True when an `assert` node cannot be decided without the next unit. */
  needsNext(node: number): boolean {
    return this.arg[node] >= 2;
  }

  /** True when the assertion of a node holds between these contexts. */
  holds(node: number, before: number, after: number): boolean {
    switch (this.arg[node]) {
      case 0:
        return (before & Context.start) !== 0;
      case 1:
        return (before & (Context.start | Context.line)) !== 0;
      case 2:
        return (after & Context.end) !== 0;
      case 3:
        return (after & (Context.end | Context.line)) !== 0;
      case 4:
        return ((before ^ after) & Context.word) !== 0;
      case 5:
        return ((before ^ after) & Context.word) === 0;
      case 6:
        return ((before ^ after) & Context.foldedWord) !== 0;
    }
    return ((before ^ after) & Context.foldedWord) === 0;
  }
}

/** Builds the network from its end to its beginning. */
class Network {
  readonly op: number[] = [];
  readonly arg: number[] = [];
  readonly next: number[] = [];
  readonly other: number[] = [];
  readonly sets: Ranges[] = [];
  depth = 0;
  looksAt = 0;
  readonly #name: string;
  readonly #most: number;
  readonly #setOf = new Map<string, number>();

  constructor(name: string, most: number) {
    this.#name = name;
    this.#most = most;
  }

  node(op: number, arg: number, next: number, other: number): number {
    if (this.op.length >= this.#most) {
      throw new TypeError(
        `${this.#name} is too large: with all repetitions written out it has more than ${this.#most} parts.`,
      );
    }
    this.op.push(op);
    this.arg.push(arg);
    this.next.push(next);
    this.other.push(other);
    return this.op.length - 1;
  }

  /**
   * Adds a part in front of the node `next`; `depth` is how many loops with rounds that could be empty are
   * around it.
   */
  add(part: Part, next: number, depth: number): number {
    switch (part.type) {
      case "empty":
        return next;
      case "set":
        return this.node(Op.take, this.#set(part.ranges), next, 0);
      case "assert": {
        const kind = ASSERTS.indexOf(part.kind);
        this.looksAt |= LOOKS_AT[kind];
        return this.node(Op.assert, kind, next, 0);
      }
      case "sequence":
        return part.parts.reduceRight((behind, each) => this.add(each, behind, depth), next);
      case "choice":
        return part.parts.map((each) => this.add(each, next, depth)).reduceRight((rest, first) =>
          this.node(Op.split, 0, first, rest)
        );
      case "group": {
        const end = this.node(Op.save, part.index * 2 + 1, next, 0);
        return this.node(Op.save, part.index * 2, this.add(part.part, end, depth), 0);
      }
      case "repeat":
        return this.#repeat(part, next, depth);
    }
  }

  #repeat(repeat: Repeat, next: number, depth: number): number {
    const { part, min, max, isLazy } = repeat;
    const canBeEmpty = matchesEmpty(part);
    const split = (body: number, exit: number) =>
      isLazy ? this.node(Op.split, 0, exit, body) : this.node(Op.split, 0, body, exit);
    let rest = next, needed = min;
    if (max === Infinity) {
      const loop = split(0, 0);
      const body = this.#optionalRound(repeat, loop, depth, canBeEmpty);
      this.next[loop] = isLazy ? next : body;
      this.other[loop] = isLazy ? body : next;
      rest = loop;
      // A round that is never empty can be the first one as well.
      if (min > 0 && !canBeEmpty) {
        rest = body;
        needed--;
      }
    } else {
      for (let round = min; round < max; round++) {
        rest = split(this.#optionalRound(repeat, rest, depth, canBeEmpty), next);
      }
    }
    for (let round = 0; round < needed; round++) {
      const behind = rest;
      rest = this.#round(repeat, behind, depth);
      if (rest === behind) break;
    }
    return rest;
  }

  /** A round beyond the least number: it must take a unit (ECMA-262 §22.2.2.3.1, RepeatMatcher, step 2.b). */
  #optionalRound(repeat: Repeat, next: number, depth: number, canBeEmpty: boolean): number {
    if (!canBeEmpty) return this.#round(repeat, next, depth);
    if (depth >= MAX_DEPTH) {
      throw new TypeError(
        `${this.#name} has more than ${MAX_DEPTH} loops inside each other that can match nothing.`,
      );
    }
    this.depth = Math.max(this.depth, depth + 1);
    const end = this.node(Op.leave, 1 << depth, next, 0);
    return this.node(Op.enter, 1 << depth, this.#round(repeat, end, depth + 1), 0);
  }

  #round({ part, groups: [from, to] }: Repeat, next: number, depth: number): number {
    const body = this.add(part, next, depth);
    return from === to ? body : this.node(Op.clear, from * 2, body, to * 2);
  }

  #set(ranges: Ranges): number {
    const name = ranges.join();
    let set = this.#setOf.get(name);
    if (set === undefined) {
      this.#setOf.set(name, set = this.sets.length);
      this.sets.push(ranges);
    }
    return set;
  }
}

function matchesEmpty(part: Part): boolean {
  switch (part.type) {
    case "empty":
    case "assert":
      return true;
    case "set":
      return false;
    case "sequence":
      return part.parts.every(matchesEmpty);
    case "choice":
      return part.parts.some(matchesEmpty);
    case "group":
      return matchesEmpty(part.part);
    case "repeat":
      return part.min === 0 || matchesEmpty(part.part);
  }
}
