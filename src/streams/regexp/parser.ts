/**
 * The structure of a regular expression (ECMA-262 §22.2.1 with Annex B.1.2): what is repeated, grouped and
 * asserted.
 *
 * The platform has parsed it before, so it is known to be valid; what single atoms stand for is left to the
 * platform as well (`./charset.ts`). Refused is what a stream cannot do exactly.
 * @module
 */
import { type Ranges, rangesOf } from "./charset.ts";

/** Places that an assertion can ask for. */
export type AssertKind =
  | "start"
  | "lineStart"
  | "end"
  | "lineEnd"
  | "word"
  | "noWord"
  | "foldedWord"
  | "noFoldedWord";

/** A part of an expression. */
export type Part =
  | { readonly type: "empty" }
  | { readonly type: "set"; readonly ranges: Ranges }
  | { readonly type: "assert"; readonly kind: AssertKind }
  | { readonly type: "sequence" | "choice"; readonly parts: readonly Part[] }
  | { readonly type: "group"; readonly index: number; readonly part: Part }
  | Repeat;

/** A part that is repeated. */
export interface Repeat {
  readonly type: "repeat";
  readonly part: Part;
  readonly min: number;
  /** Infinity for no bound. */
  readonly max: number;
  readonly isLazy: boolean;
  /** Capturing groups within the part: from, to (exclusive). Each round forgets what they captured. */
  readonly groups: readonly [number, number];
}

/** An expression that was parsed. */
export interface Parsed {
  readonly part: Part;
  /** Capturing groups, the whole match not counted. */
  readonly groups: number;
  /** The groups' names, with the numbers that each stands for; null when none has one. */
  readonly names: ReadonlyMap<string, readonly number[]> | null;
}

/** @throws {TypeError} on what cannot be done in a stream, naming it. */
export function parse(source: string, flags: string): Parsed {
  const wrong = /[^gimsu]/.exec(flags);
  if (wrong !== null) {
    throw cannot(source, `the flag ${wrong[0]}`, `of the flags, i, m, s, u (and g) can be done`);
  }
  return new Parser(source, flags).parse();
}

function cannot(source: string, what: string, instead: string): TypeError {
  return new TypeError(`/${source}/ has ${what}, which cannot be done exactly while text flows; ${instead}.`);
}

class Parser {
  readonly #source: string;
  readonly #isUnicode: boolean;
  readonly #groups: number;
  readonly #names = new Map<string, number[]>();
  readonly #hasNames: boolean;
  /** Those of the flags i, m, s that hold here. */
  #flags: string;
  #at = 0;
  #nextGroup = 1;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#isUnicode = flags.includes("u");
    this.#flags = flags.replace(/[gu]/g, "");
    const bare = source.replace(/\\[^]|\[(?:\\[^]|[^\]\\])*\]/g, "_");
    this.#hasNames = /\(\?<(?![=!])/.test(bare);
    this.#groups = bare.match(/\((?!\?)|\(\?<(?![=!])/g)?.length ?? 0;
  }

  parse(): Parsed {
    const part = this.#choice();
    return { part, groups: this.#groups, names: this.#hasNames ? this.#names : null };
  }

  #choice(): Part {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0] : { type: "choice", parts };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && !this.#isNext("|") && !this.#isNext(")")) {
      const firstGroup = this.#nextGroup;
      parts.push(this.#repeated(this.#term(), firstGroup));
    }
    return parts.length === 1
      ? parts[0]
      : parts.length === 0
      ? { type: "empty" }
      : { type: "sequence", parts };
  }

  #repeated(part: Part, firstGroup: number): Part {
    const found = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(this.#source.slice(this.#at, this.#at + 64));
    if (found === null) return part;
    this.#at += found[0].length;
    const [sign, from, comma, to] = found;
    const min = sign === "+" ? 1 : from === undefined ? 0 : Number(from);
    const max = sign === "?" ? 1 : from === undefined || comma && !to ? Infinity : Number(to || from);
    const isLazy = this.#take("?");
    return { type: "repeat", part, min, max, isLazy, groups: [firstGroup, this.#nextGroup] };
  }

  #term(): Part {
    if (this.#take("^")) return this.#assert("start", "lineStart");
    if (this.#take("$")) return this.#assert("end", "lineEnd");
    if (this.#take("(")) return this.#group();
    if (this.#isNext("\\b")) return this.#wordBorder("word", "foldedWord");
    if (this.#isNext("\\B")) return this.#wordBorder("noWord", "noFoldedWord");
    this.#refuseReference();
    return { type: "set", ranges: rangesOf(this.#atom(), this.#atomFlags()) };
  }

  #assert(plain: AssertKind, multiline: AssertKind): Part {
    return { type: "assert", kind: this.#flags.includes("m") ? multiline : plain };
  }

  /** With `i` and `u`, a few letters beyond ASCII are word characters too (ECMA-262 §22.2.2.9.3). */
  #wordBorder(plain: AssertKind, folded: AssertKind): Part {
    this.#at += 2;
    return { type: "assert", kind: this.#isUnicode && this.#flags.includes("i") ? folded : plain };
  }

  #group(): Part {
    const outer = this.#flags;
    let index = 0;
    if (this.#take("?")) {
      if (this.#isNext("=") || this.#isNext("!")) {
        this.#refuse("a lookahead", this.#at - 2, "match what follows as well");
      }
      if (this.#isNext("<=") || this.#isNext("<!")) {
        this.#refuse(
          "a lookbehind",
          this.#at - 2,
          "match what stands before as well, and put it back with $1",
        );
      }
      if (this.#take("<")) index = this.#named();
      else this.#modify();
    } else index = this.#nextGroup++;
    const part = this.#choice();
    this.#take(")");
    this.#flags = outer;
    return index === 0 ? part : { type: "group", index, part };
  }

  #named(): number {
    const end = this.#source.indexOf(">", this.#at);
    // A name may be written with escapes.
    const name = this.#source.slice(this.#at, end).replace(
      /\\u\{([\da-f]+)\}|\\u([\da-f]{4})/gi,
      (_, point, unit) =>
        point ? String.fromCodePoint(parseInt(point, 16)) : String.fromCharCode(parseInt(unit, 16)),
    );
    this.#at = end + 1;
    const index = this.#nextGroup++;
    const indexes = this.#names.get(name);
    if (indexes === undefined) this.#names.set(name, [index]);
    else indexes.push(index);
    return index;
  }

  /** `(?:` or `(?ims-ims:`. */
  #modify(): void {
    const end = this.#source.indexOf(":", this.#at);
    const [add, remove = ""] = this.#source.slice(this.#at, end).split("-");
    this.#flags = [...this.#flags].filter((flag) => !remove.includes(flag) && !add.includes(flag)).join("") +
      add;
    this.#at = end + 1;
  }

  #refuseReference(): void {
    if (this.#isNext("\\k") && (this.#hasNames || this.#isUnicode)) this.#refuseBackReference();
    const number = /^\\([1-9]\d*)/.exec(this.#source.slice(this.#at, this.#at + 12));
    // Others than to groups are octal (Annex B).
    if (number !== null && Number(number[1]) <= this.#groups) this.#refuseBackReference();
  }

  #refuseBackReference(): never {
    this.#refuse("a back-reference", this.#at, "write the text that is to come again");
  }

  /** Refuses what begins at `start`. */
  #refuse(what: string, start: number, instead: string): never {
    const end = start + 16, text = this.#source.slice(start, end) + (this.#source.length > end ? "…" : "");
    throw cannot(this.#source, `${what} (from ${text} on)`, instead);
  }

  /** Takes the text of one atom that stands for one character. */
  #atom(): string {
    const rest = this.#source.slice(this.#at, this.#at + 2);
    if (rest[0] === "[") return this.#cut(/\[(?:\\[^]|[^\]\\])*\]/y);
    if (rest[0] === "\\") {
      return this.#cut(
        this.#isUnicode
          ? /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u\{[\da-fA-F]+\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[A-Za-z]|[pP]\{[^}]*\}|[^])/yu
          : /\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[A-Za-z]|[0-3][0-7]{0,2}|[4-7][0-7]?|(?=c)|[^])/y,
      );
    }
    return this.#cut(this.#isUnicode ? /[^]/yu : /[^]/y);
  }

  #cut(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)![0];
    this.#at += text.length;
    // A backslash before a c that is no control letter stands for itself (Annex B).
    return text === "\\" ? "\\\\" : text;
  }

  #atomFlags(): string {
    return this.#flags.replace("m", "") + (this.#isUnicode ? "u" : "");
  }

  #isNext(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const isNext = this.#isNext(text);
    if (isNext) this.#at += text.length;
    return isNext;
  }
}
