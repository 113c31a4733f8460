/**
 * Which edits apply to a value, from the paths that lead to it.
 * @module
 */
import { nameOf } from "../bytes.ts";
import { drop } from "../drop.ts";
import { readPath, type Step } from "./path.ts";

/** Where a value is: member names and element indexes from the whole on. */
export type JsonPlace = readonly (string | number)[];

/** What `jsonStream` takes: for each path a value, a function of the value that is there, or `drop`. */
export type JsonEdits = Readonly<
  Record<
    string,
    // A symbol is `drop`, whose own type an object literal forgets.
    // deno-lint-ignore no-explicit-any -- as with JSON.parse, only the function's author knows what comes
    ((value: any, place: JsonPlace) => unknown) | symbol | string | number | boolean | object | null
  >
>;

/** What is done to a value. A constant is there as its JSON, and in UTF-8. */
export type Edit =
  | { readonly type: "call"; readonly fn: (value: unknown, place: JsonPlace) => unknown }
  | { readonly type: "put"; readonly json: string; readonly bytes: Uint8Array }
  | { readonly type: "drop" };

const encoder = new TextEncoder();

/**
 * A value that the paths lead to or past: what is done to it, and to what is in it. Made while it is used.
 */
export class Spot {
  /**
   * The edits that apply to the value itself, in order: `drop` alone, or what there is from the last constant
   * on.
   */
  readonly edits: readonly Edit[];
  readonly first: Edit | undefined;
  /** True when nothing in the value can be edited. */
  readonly isLeaf: boolean;
  /** Names of members that may be dropped, in UTF-8; null when any may be. */
  readonly droppable: readonly Uint8Array[] | null;
  /** True when the value itself may be dropped. */
  readonly mayGo: boolean;
  readonly #all: Edits;
  readonly #ways: readonly Way[];
  readonly #children = new Map<string | number, Spot>();

  constructor(all: Edits, arrived: readonly Way[]) {
    this.#all = all;
    const edits = arrived.filter(({ edit, step }) => step === all.paths[edit].length).map(({ edit }) =>
      all.edits[edit]
    );
    const gone = edits.find((edit) => edit.type === "drop"),
      from = edits.findLastIndex((edit) => edit.type === "put");
    this.edits = gone !== undefined ? [gone] : from > 0 ? edits.slice(from) : edits;
    this.first = this.edits.at(0);
    this.mayGo = this.edits.some((edit) => edit.type !== "put");
    this.#ways = arrived.filter(({ edit, step }) => step < all.paths[edit].length);
    this.isLeaf = this.#ways.length === 0;
    const last = this.#ways.filter(({ edit, step }) =>
      all.edits[edit].type !== "put" && step + 1 === all.paths[edit].length
    ).map(({ edit, step }) => all.paths[edit][step].child);
    this.droppable = last.includes(null)
      ? null
      : last.filter((child) => typeof child === "string").map((name) => encoder.encode(name));
  }

  /** The spot of a member or an element. */
  child(child: string | number): Spot {
    // All names, and all indexes, that no path has are the same.
    const known = this.#all.children.has(child)
      ? child
      : typeof child === "string"
      ? OTHER_NAME
      : OTHER_INDEX;
    let spot = this.#children.get(known);
    if (spot === undefined) {
      const ways: Way[] = [];
      for (const { edit, step } of this.#ways) {
        const { child: wanted, isDeep } = this.#all.paths[edit][step];
        if (isDeep) ways.push({ edit, step });
        if (wanted === null || wanted === known) ways.push({ edit, step: step + 1 });
      }
      this.#children.set(known, spot = this.#all.spot(ways));
    }
    return spot;
  }
}

/** Stand for all names and indexes that no path has. */
const OTHER_NAME = -1, OTHER_INDEX = -2;

/** An edit whose path has led somewhere; `step` is the step that comes next. */
interface Way {
  readonly edit: number;
  readonly step: number;
}

/** All edits of a stage. */
export class Edits {
  readonly edits: readonly Edit[];
  readonly paths: readonly (readonly Step[])[];
  /** All names and indexes that paths have. */
  readonly children = new Set<string | number>();
  /** How many bytes the names have, without escapes and quotation marks. */
  readonly nameLengths = new Set<number>();
  /** True when functions are called, which want to know places. */
  readonly hasCalls: boolean;
  /** The value as a whole. */
  readonly root: Spot;
  readonly #spots = new Map<string, Spot>();

  /** @throws {TypeError} on a path that cannot be read, and on a value that JSON cannot say. */
  constructor(edits: JsonEdits) {
    const entries = Object.entries(edits);
    this.paths = entries.map(([path]) => readPath(path));
    this.edits = entries.map(([path, by]) => readEdit(path, by));
    this.hasCalls = this.edits.some((edit) => edit.type === "call");
    for (const { child } of this.paths.flat()) {
      if (child !== null) this.children.add(child);
      if (typeof child === "string") this.nameLengths.add(encoder.encode(child).length);
    }
    this.root = this.spot(this.paths.map((_, edit) => ({ edit, step: 0 })));
  }

  /** The spot to which ways lead. */
  spot(ways: readonly Way[]): Spot {
    const sorted = ways.map(({ edit, step }) => `${edit}.${step}`);
    const name = [...new Set(sorted)].join();
    let spot = this.#spots.get(name);
    if (spot === undefined) {
      const apart = ways.filter((_, i) => sorted.indexOf(sorted[i]) === i).sort((a, b) => a.edit - b.edit);
      this.#spots.set(name, spot = new Spot(this, apart));
    }
    return spot;
  }
}

function readEdit(path: string, by: unknown): Edit {
  if (by === drop) return { type: "drop" };
  if (typeof by === "function") {
    return { type: "call", fn: by as (value: unknown, place: JsonPlace) => unknown };
  }
  const json = jsonOf(by, `The value for ${path}`);
  return { type: "put", json, bytes: encoder.encode(json) };
}

/** @throws {TypeError} on what JSON has no form for. */
export function jsonOf(value: unknown, what: string): string {
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) {
    throw new TypeError(`${what} must be a value that JSON can say, not ${nameOf(value)}.`);
  }
  return json;
}
