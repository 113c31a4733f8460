/**
 * Finding secrets in a body in any of the forms that it can give them (`./forms.ts`), and putting something
 * in their place.
 * @module
 */
import { GRAM, GramFilter } from "../grams.ts";
import { HOLD } from "../hold.ts";
import { Output } from "../output.ts";
import type { PieceEditor } from "../piece_stage.ts";
import type { Part } from "../regexp/parser.ts";
import { Machine } from "../regexp/machine.ts";
import { Op, type Program } from "../regexp/program.ts";
import { type MatchSink, Search } from "../regexp/search.ts";
import type { Captures } from "../regexp/walk.ts";
import { base64Part, type Form, formOf, hexPart, textPart } from "./forms.ts";

/** Shorter secrets would be found where they are not meant. */
export const MIN_SECRET = 8;
/** Bytes of all secrets together: each is some forty nodes in the network of its forms. */
const MAX_BYTES = 16 * 1024;

/**
 * What takes the place of a secret: `secret` is its number in the list, `found` the bytes that stand there
 * (not to be kept).
 */
export type Redaction = (secret: number, form: Form, found: Uint8Array) => Uint8Array;

/** Secrets that were made ready; can be used for many bodies. */
export class Secrets {
  readonly machine: Machine;
  readonly filter: GramFilter;
  /** The secrets' bytes. */
  readonly values: readonly Uint8Array[];
  /**
   * For each capturing group (from 1): the secret's number, and its form, null for the forms that can be
   * mixed.
   */
  readonly #groups: [secret: number, form: "hex" | "base64" | null][] = [];

  /** @throws {TypeError} on a secret that is too short, and on too many. */
  constructor(values: readonly Uint8Array[]) {
    this.values = values.map((value) => value.slice());
    const total = this.values.reduce((sum, value) => sum + value.length, 0);
    if (total > MAX_BYTES) {
      throw new TypeError(`The secrets have ${total} bytes together; ${MAX_BYTES} are allowed.`);
    }
    const parts: { part: Part; least: number; secret: number; form: "hex" | "base64" | null }[] = [];
    this.values.forEach((value, secret) => {
      if (value.length < MIN_SECRET) {
        throw new TypeError(
          `A secret has ${value.length} bytes; it must have at least ${MIN_SECRET}, or it would be found everywhere.`,
        );
      }
      parts.push({ part: textPart(value), least: value.length, secret, form: null });
      parts.push({ part: hexPart(value), least: value.length * 2, secret, form: "hex" });
      for (const before of [0, 1, 2]) {
        const least = Math.floor((before + value.length) * 8 / 6) - Math.ceil(before * 8 / 6);
        parts.push({ part: base64Part(value, before), least, secret, form: "base64" });
      }
    });
    // Of two that begin at the same place, the longer one is preferred.
    parts.sort((a, b) => b.least - a.least);
    this.#groups = parts.map(({ secret, form }) => [secret, form]);
    this.machine = new Machine({
      // Without any, nothing matches.
      part: parts.length === 0 ? { type: "set", ranges: [] } : {
        type: "choice",
        parts: parts.map(({ part }, i): Part => ({ type: "group", index: i + 1, part })),
      },
      groups: parts.length,
      names: null,
      name: "The list of secrets",
      unit: "byte",
      nodes: Infinity,
    });
    this.filter = filterOf(this.machine.program, MIN_SECRET);
  }

  /** Which secret was found, and how it is written. */
  identify(captures: Captures, found: Uint8Array): [secret: number, form: Form] {
    const group = this.#groups.findIndex((_, i) => captures[i * 2 + 3] !== -1);
    const [secret, form] = this.#groups[group];
    return [secret, form ?? formOf(found, this.values[secret])];
  }
}

/** The three bytes that can stand at each of the first places of a match. */
function filterOf(program: Program, least: number): GramFilter {
  const filter = new GramFilter(least);
  const bytesOf = new Map<number, number[]>();
  const bytesAt = (node: number): number[] => {
    const set = program.arg[node];
    let bytes = bytesOf.get(set);
    if (bytes === undefined) {
      bytes = [];
      for (let byte = 0; byte < 256; byte++) if (program.takes(node, program.classOf(byte))) bytes.push(byte);
      bytesOf.set(set, bytes);
    }
    return bytes;
  };
  const behind = new Map<number, number[]>();
  const takesFrom = (node: number): number[] => {
    let found = behind.get(node);
    if (found === undefined) {
      found = [];
      const seen = new Set<number>(), open = [node];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        if (seen.has(at) || program.op[at] === Op.match) continue;
        seen.add(at);
        if (program.op[at] === Op.take) found.push(at);
        else open.push(program.next[at]);
        if (program.op[at] === Op.split) open.push(program.other[at]);
      }
      behind.set(node, found);
    }
    return found;
  };
  let level = new Set(takesFrom(program.start));
  for (let index = 0; index <= filter.window - GRAM; index++) {
    const next = new Set<number>();
    for (const first of level) {
      for (const second of takesFrom(program.next[first])) {
        next.add(second);
        for (const third of takesFrom(program.next[second])) {
          for (const a of bytesAt(first)) {
            for (const b of bytesAt(second)) for (const c of bytesAt(third)) filter.add(index, a, b, c);
          }
        }
      }
    }
    level = next;
  }
  return filter;
}

/** Redacts one body. */
export class Redactor implements MatchSink, PieceEditor {
  readonly #secrets: Secrets;
  readonly #by: Redaction;
  readonly #search: Search;
  readonly #out = new Output();

  constructor(secrets: Secrets, by: Redaction, hold = HOLD, what = "redactStream") {
    this.#secrets = secrets;
    this.#by = by;
    const { machine, filter } = secrets;
    this.#search = new Search({ machine, filter, sink: this, hasCaptures: true, hold, what });
  }

  /** Takes the next piece; gives what can be sent now, which is valid until the next call. */
  push(piece: Uint8Array): Uint8Array {
    this.#search.push(piece);
    return this.decided();
  }

  /** The body has ended; gives what was held back. */
  end(): Uint8Array {
    this.#search.end();
    return this.decided();
  }

  decided(): Uint8Array {
    return this.#out.take();
  }

  pass(text: Uint8Array, from: number, to: number): void {
    this.#out.put(text, from, to);
  }

  match(text: Uint8Array, from: number, to: number, captures: Captures): void {
    const found = text.subarray(from, to);
    const [secret, form] = this.#secrets.identify(captures, found);
    this.#out.put(this.#by(secret, form, found));
  }
}
