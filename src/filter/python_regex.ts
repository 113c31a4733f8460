/**
 * Regular expressions as Python writes them (`re`), for JavaScript: what users of mitmproxy have in their filters and rules.
 *
 * Syntax that both have goes through; what means something else in JavaScript is rewritten (`\A`, `\Z`, `(?P<n>…)`, `{,3}`,
 * `[]a]`, `$`, `.`); what JavaScript has no equivalent for is refused by name.
 * @module
 */

/** A pattern that cannot be read. `offset` counts characters of the pattern from 0. */
export class PatternError extends Error {
  /** Always "PatternError". */
  override readonly name = "PatternError";
  /** Where it stops making sense: characters from 0. */
  readonly offset: number;

  /** `reason` is a clause. */
  constructor(reason: string, offset: number) {
    super(reason);
    this.offset = offset;
  }
}

/** How {@linkcode pythonRegex} reads a pattern. */
export interface PatternOptions {
  /**
   * The subject is bytes, one character each (Latin-1): the pattern's own characters stand for their UTF-8 bytes, and
   * classes are ASCII's, as for `re` on `bytes`.
   */
  bytes?: boolean;
  /** `re.IGNORECASE`. */
  ignoreCase?: boolean;
  /** `re.MULTILINE`: `^` and `$` match at each line. */
  multiline?: boolean;
  /** `re.DOTALL`: `.` matches line breaks. */
  dotAll?: boolean;
}

/**
 * The JavaScript expression for a Python pattern.
 * @throws {PatternError} on a pattern that Python refuses, or that JavaScript has no equivalent for.
 */
export function pythonRegex(pattern: string, options: PatternOptions = {}): RegExp {
  return new Translation(pattern, options).regex();
}

const MAX_REPEAT = 65_535;
/** Letters behind a backslash that JavaScript and Python read alike, outside and inside of classes. */
const SAME_ESCAPES = "dDwWnrtfv";
const BYTE_SPACES = "\\t\\n\\v\\f\\r ";
const LETTER = /^[A-Za-z]$/;

/** What one item of a pattern can be followed by. */
type Item = "none" | "repeatable" | "repeated";

class Translation {
  readonly #given: string;
  /** What is translated: the pattern, or its UTF-8 bytes, one character each. */
  readonly #pattern: string;
  readonly #isBytes: boolean;
  readonly #flags: Set<string>;
  /** JavaScript would fold bytes beyond ASCII as Latin-1 letters: then letters are folded here. */
  readonly #folds: boolean;
  #at = 0;
  #out = "";
  /** Groups that are open: where each began. */
  readonly #open: number[] = [];
  #groups = 0;
  readonly #names = new Set<string>();

  constructor(pattern: string, { bytes = false, ignoreCase, multiline, dotAll }: PatternOptions) {
    this.#given = pattern;
    this.#pattern = bytes ? utf8Of(pattern) : pattern;
    this.#isBytes = bytes;
    this.#flags = new Set(`${ignoreCase ? "i" : ""}${multiline ? "m" : ""}${dotAll ? "s" : ""}`);
    this.#leadingFlags();
    // deno-lint-ignore no-control-regex -- the ASCII range
    this.#folds = bytes && this.#flags.has("i") && /[^\x00-\x7f]|\\(?:x[89a-f]|[23])/i.test(this.#pattern);
  }

  regex(): RegExp {
    let item: Item = "none";
    while (this.#at < this.#pattern.length) item = this.#item(item);
    const unclosed = this.#open.pop();
    if (unclosed !== undefined) throw this.#missing(")");
    const flags = [...this.#flags].filter((flag) => flag !== "i" || !this.#folds).join("");
    try {
      return new RegExp(this.#out, flags);
    } catch (error) {
      const reason = error instanceof Error ? error.message.replace(/^.*\/: /, "") : String(error);
      throw new PatternError(`the pattern is wrong (${reason})`, 0);
    }
  }

  /** `(?i)` and the like, which Python takes at the start only. */
  #leadingFlags(): void {
    for (;;) {
      const match = /^\(\?([aiLmsux]+)\)/.exec(this.#pattern.slice(this.#at));
      if (match === null) return;
      for (const [index, flag] of [...match[1]].entries()) {
        if ("ims".includes(flag)) this.#flags.add(flag);
        // `a` and `u` say how text is classified, `L` by locale: only the first two have a meaning here, and change nothing.
        else if (flag !== "a" && flag !== "u") {
          this.#refuse(`the flag (?${flag}) is not available`, this.#at + 2 + index);
        }
      }
      this.#at += match[0].length;
    }
  }

  #item(before: Item): Item {
    const pattern = this.#pattern, char = pattern[this.#at];
    switch (char) {
      case "\\":
        return this.#escape();
      case "[":
        this.#class();
        return "repeatable";
      case "(":
        this.#group();
        return "none";
      case ")":
        if (this.#open.pop() === undefined) this.#refuse("a ) of the pattern closes nothing");
        return this.#emit(")", 1, "repeatable");
      case "|":
      case "^":
        return this.#emit(char, 1, "none");
      case "$":
        return this.#emit(this.#flags.has("m") ? "$" : "(?=\\n?(?![\\s\\S]))", 1, "none");
      case ".":
        return this.#emit(this.#flags.has("s") ? "." : "[^\\n]", 1, "repeatable");
      case "*":
      case "+":
      case "?":
        return this.#repeat(char, 1, before);
      case "{": {
        const count = /^\{(\d*)(,?)(\d*)\}/.exec(pattern.slice(this.#at));
        if (count === null || count[1] + count[3] === "") return this.#literal("{", 1);
        return this.#counted(count, before);
      }
      case "}":
      case "]":
        return this.#emit("\\" + char, 1, "repeatable");
    }
    const literal = String.fromCodePoint(pattern.codePointAt(this.#at)!);
    return this.#literal(literal, literal.length);
  }

  #counted(count: RegExpExecArray, before: Item): Item {
    const [whole, least, comma, most] = count;
    if (Number(least || 0) > MAX_REPEAT || Number(most || 0) > MAX_REPEAT) {
      this.#refuse("a repetition is larger than 65535");
    }
    if (most !== "" && Number(least || 0) > Number(most)) {
      this.#refuse("a repetition's least is more than its most");
    }
    return this.#repeat(`{${least || "0"}${comma}${most}}`, whole.length, before);
  }

  #repeat(quantifier: string, length: number, before: Item): Item {
    if (before === "none") this.#refuse("there is nothing to repeat");
    if (before === "repeated") this.#refuse("a repetition is repeated");
    this.#emit(quantifier, length, "repeated");
    if (this.#pattern[this.#at] === "?") return this.#emit("?", 1, "repeated");
    if (this.#pattern[this.#at] === "+") this.#refuse("possessive repetitions are not available");
    return "repeated";
  }

  #group(): void {
    const rest = this.#pattern.slice(this.#at, this.#at + 200);
    if (!rest.startsWith("(?")) {
      this.#groups++;
      return this.#begin("(", 1);
    }
    const comment = /^\(\?#/.test(rest);
    if (comment) {
      const end = this.#pattern.indexOf(")", this.#at);
      if (end < 0) throw this.#missing(")");
      this.#at = end + 1;
      return;
    }
    const named = /^\(\?P?<([A-Za-z_]\w*)>/.exec(rest);
    if (named !== null) {
      this.#groups++;
      if (this.#names.has(named[1])) this.#refuse(`the group name ${named[1]} is used twice`);
      this.#names.add(named[1]);
      return this.#begin(`(?<${named[1]}>`, named[0].length);
    }
    const back = /^\(\?P=(\w+)\)/.exec(rest);
    if (back !== null) {
      if (!this.#names.has(back[1])) this.#refuse(`there is no group ${back[1]}`);
      // Behind a group, so that what repeats it is not read into the name.
      this.#emit(`(?:\\k<${back[1]}>)`, back[0].length, "repeatable");
      return;
    }
    const plain = /^\(\?(?::|=|!|<=|<!|[ims]*(?:-[ims]+)?:)/.exec(rest);
    if (plain !== null) return this.#begin(plain[0], plain[0].length);
    if (rest.startsWith("(?>")) this.#refuse("atomic groups (?>…) are not available");
    if (rest.startsWith("(?(")) this.#refuse("conditional groups (?(…)…) are not available");
    if (/^\(\?[aiLmsux]+\)/.test(rest)) this.#refuse("flags such as (?i) belong at the start of the pattern");
    this.#refuse(`the group ${JSON.stringify(rest.slice(0, 3))} is not known`);
  }

  #begin(text: string, length: number): void {
    this.#open.push(this.#at);
    this.#emit(text, length, "none");
  }

  #escape(): Item {
    const at = this.#at, char = this.#pattern[at + 1];
    if (char === undefined) this.#refuse("a backslash at the end of the pattern escapes nothing");
    if (char === "A") return this.#emit("(?<![\\s\\S])", 2, "none");
    if (char === "Z") return this.#emit("(?![\\s\\S])", 2, "none");
    if (char === "b" || char === "B") return this.#emit("\\" + char, 2, "none");
    if (char === "s") return this.#emit(this.#isBytes ? `[${BYTE_SPACES}]` : "\\s", 2, "repeatable");
    if (char === "S") return this.#emit(this.#isBytes ? `[^${BYTE_SPACES}]` : "\\S", 2, "repeatable");
    if (SAME_ESCAPES.includes(char)) return this.#emit("\\" + char, 2, "repeatable");
    const reference = /^[1-9]\d?/.exec(this.#pattern.slice(at + 1));
    if (reference !== null && !/^[0-3][0-7][0-7]/.test(this.#pattern.slice(at + 1))) {
      if (Number(reference[0]) > this.#groups) this.#refuse(`there is no group ${reference[0]}`);
      return this.#emit(`(?:\\${reference[0]})`, 1 + reference[0].length, "repeatable");
    }
    const [literal, length] = this.#escapedCharacter();
    return this.#literal(literal, length);
  }

  /** What `\x41`, `\n`, `\.` and so on stand for, and how long it is written. */
  #escapedCharacter(): [string, number] {
    const rest = this.#pattern.slice(this.#at, this.#at + 10), char = rest[1];
    if (char === undefined) this.#refuse("a backslash at the end of the pattern escapes nothing");
    const code = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    if (code !== null) {
      const value = parseInt(code[1] ?? code[2] ?? code[3], 16);
      if (value > 0x10ffff) this.#refuse("a character is beyond U+10FFFF");
      return [String.fromCodePoint(value), code[0].length];
    }
    const octal = /^\\(0[0-7]{0,2}|[1-3][0-7]{2})/.exec(rest);
    if (octal !== null) return [String.fromCharCode(parseInt(octal[1], 8)), octal[0].length];
    if (char === "a") return ["\x07", 2];
    if (char === "N") this.#refuse("\\N{…} is not available");
    if (/[A-Za-z0-9]/.test(char)) this.#refuse(`the escape \\${char} is not known`);
    const literal = String.fromCodePoint(rest.codePointAt(1)!);
    return [literal, 1 + literal.length];
  }

  #class(): void {
    const start = this.#at, isNegated = this.#pattern[start + 1] === "^";
    this.#at += isNegated ? 2 : 1;
    const first = this.#at;
    let out = "";
    // Without the flag `u` a class has no characters beyond U+FFFF: they become a choice beside it.
    const wide: string[] = [];
    for (;;) {
      const char = this.#pattern[this.#at];
      if (char === undefined) throw this.#missing("]");
      if (char === "]" && this.#at > first) break;
      const from = this.#classItem();
      const isRange = this.#pattern[this.#at] === "-" && this.#at + 1 < this.#pattern.length &&
        this.#pattern[this.#at + 1] !== "]";
      if (isRange) {
        const dash = this.#at++;
        const to = this.#classItem();
        if (typeof from === "string" || typeof to === "string") {
          this.#refuse("a class is no end of a range", dash);
        }
        if (from > to) this.#refuse("a range's ends are the wrong way round", dash);
        if (to > 0xffff) this.#refuse("ranges beyond U+FFFF are not available", dash);
        out += this.#range(from, to);
      } else if (typeof from === "string") out += from;
      else if (from > 0xffff) wide.push(String.fromCodePoint(from));
      else out += this.#range(from, from);
    }
    this.#at++;
    if (wide.length > 0 && isNegated) this.#refuse("a negated class has a character beyond U+FFFF", start);
    const set = `[${isNegated ? "^" : ""}${out}]`;
    this.#out += wide.length === 0 ? set : `(?:${[set, ...wide].join("|")})`;
  }

  #range(from: number, to: number): string {
    const text = from === to ? classCharacter(from) : `${classCharacter(from)}-${classCharacter(to)}`;
    if (!this.#folds) return text;
    let folded = text;
    for (let code = Math.max(from, 65); code <= Math.min(to, 122); code++) {
      if (LETTER.test(String.fromCharCode(code))) folded += otherCase(code);
    }
    return folded;
  }

  /** A character's code, or what JavaScript writes for a class inside of one. */
  #classItem(): number | string {
    const char = this.#pattern[this.#at];
    if (char !== "\\") {
      const character = this.#pattern.codePointAt(this.#at)!;
      this.#at += character > 0xffff ? 2 : 1;
      return character;
    }
    const next = this.#pattern[this.#at + 1];
    if (next !== undefined && "dDwWsS".includes(next)) {
      this.#at += 2;
      return next === "s" && this.#isBytes ? BYTE_SPACES : "\\" + next;
    }
    const control = next === undefined ? -1 : "nrtfvb".indexOf(next);
    if (control >= 0) {
      this.#at += 2;
      return "\n\r\t\f\v\b".charCodeAt(control);
    }
    const [literal, length] = this.#escapedCharacter();
    this.#at += length;
    return literal.codePointAt(0)!;
  }

  /** A character that stands for itself. */
  #literal(text: string, length: number): Item {
    let out = quoted(text);
    if (this.#folds && LETTER.test(text)) out = `[${text}${otherCase(text.charCodeAt(0))}]`;
    else if (text.length > 1) out = `(?:${out})`;
    return this.#emit(out, length, "repeatable");
  }

  #emit(text: string, length: number, item: Item): Item {
    this.#out += text;
    this.#at += length;
    return item;
  }

  #refuse(reason: string, offset = this.#at): never {
    throw this.#error(reason, offset);
  }

  #missing(bracket: string): PatternError {
    return this.#error(`a closing ${bracket} of the pattern is missing`, this.#pattern.length);
  }

  #error(reason: string, offset: number): PatternError {
    if (!this.#isBytes) return new PatternError(reason, offset);
    let left = offset, characters = 0;
    for (const character of this.#given) {
      if (left <= 0) break;
      left -= utf8Of(character).length;
      characters += character.length;
    }
    return new PatternError(reason, characters);
  }
}

function otherCase(letter: number): string {
  return String.fromCharCode(letter ^ 32);
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r")
    .replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");
}

function classCharacter(code: number): string {
  const text = String.fromCodePoint(code);
  return /[\\\]^\-[]/.test(text) ? "\\" + text : quoted(text);
}

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text, one character each. */
export function utf8Of(text: string): string {
  let out = "";
  for (const byte of encoder.encode(text)) out += String.fromCharCode(byte);
  return out;
}
