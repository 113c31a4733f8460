/**
 * Rules on the command line: `/[filter/]part/part`. The separator is the first character (mitmproxy `utils/spec.py`).
 * @module
 */
import {
  type Filter,
  FilterError,
  OptionError,
  parseFilter,
  PatternError,
  type PatternOptions,
  pythonRegex,
} from "weir";

/** A part of a rule. */
export interface Part {
  readonly text: string;
  /** Where it begins in the rule: characters from 1. */
  readonly at: number;
}

/** What the rules of an option look like. */
export interface Form {
  /** For errors: `/[filter/]name/[@]value`. */
  readonly text: string;
  /** How many parts follow the filter. */
  readonly parts: number;
  /**
   * "optional": it may be left out, and separators beyond those that are needed belong to the last part. "required": it is there.
   * "bare": without a filter there is no separator either, and the rule begins with a letter or a digit.
   */
  readonly filter: "optional" | "required" | "bare";
  /** True: separators beyond those that are needed belong to the last part, as they do where the filter is optional. */
  readonly takesRest?: boolean;
  /** The rule as errors show it (default: as given), for rules that may have a password in them. */
  readonly shown?: (text: string) => string;
}

/** Whatever a flow is. */
const ALL = parseFilter("~all");

/** A rule, taken apart. */
export class Spec {
  readonly option: string;
  /** As given. */
  readonly text: string;
  readonly form: Form;
  /** Matches all where none is given. */
  readonly filter: Filter;
  readonly parts: readonly Part[];

  /** @throws {OptionError} that says what is wrong, at which character, and what was expected. */
  constructor(option: string, text: string, form: Form) {
    this.option = option;
    this.text = text;
    this.form = form;
    const parts = this.#split();
    const hasFilter = parts.length > form.parts;
    const filter = hasFilter ? parts[0] : null;
    this.parts = hasFilter ? parts.slice(1) : parts;
    this.filter = filter === null ? ALL : this.#filterOf(filter);
  }

  /** The expression that a part is, in Python's syntax. @throws {OptionError} */
  regex({ text, at }: Part, options: PatternOptions = {}): RegExp {
    try {
      return pythonRegex(text, options);
    } catch (error) {
      if (error instanceof PatternError) this.refuse(error.message, at + error.offset, error);
      throw error;
    }
  }

  /** `reason` is a clause; without a place where it is not the writing that is wrong. @throws {OptionError} always. */
  refuse(reason: string, at: number | null, cause?: unknown): never {
    const where = at === null ? "" : ` at ${at}`;
    throw new OptionError(
      this.option,
      `option ${this.option}: ${quoted(this.#shown)}: ${reason}${where}; expected ${this.form.text}`,
      cause,
    );
  }

  get #shown(): string {
    return this.form.shown?.(this.text) ?? this.text;
  }

  /** The separator is a whole character, which may be two units long. */
  #split(): Part[] {
    const { text, form } = this;
    if (text === "") this.refuse("there is nothing", 1);
    if (form.filter === "bare" && /^[\p{L}\p{N}]/u.test(text)) return [{ text, at: 1 }];
    const separator = String.fromCodePoint(text.codePointAt(0)!);
    const parts: Part[] = [];
    for (let from = separator.length; from <= text.length;) {
      const takesRest = form.takesRest ?? form.filter === "optional";
      const isLast = takesRest && parts.length === form.parts;
      const found = isLast ? -1 : text.indexOf(separator, from);
      const end = found < 0 ? text.length : found;
      parts.push({ text: text.slice(from, end), at: from + 1 });
      from = found < 0 ? text.length + 1 : found + separator.length;
    }
    const needed = form.filter === "optional" ? form.parts : form.parts + 1;
    if (parts.length < needed) {
      const lacks = needed - parts.length;
      this.refuse(`${lacks === 1 ? "a part is" : `${lacks} parts are`} missing`, text.length + 1);
    }
    const extra = parts[form.parts + 1];
    if (extra !== undefined) {
      this.refuse(`there is a part too many (the separator is ${quoted(separator)})`, extra.at);
    }
    return parts;
  }

  #filterOf({ text, at }: Part): Filter {
    try {
      return parseFilter(text);
    } catch (error) {
      if (error instanceof FilterError) this.refuse(error.reason, at - 1 + error.place, error);
      throw error;
    }
  }
}

/** The value of an option that is a filter. @throws {OptionError} */
export function filterOf(option: string, text: string): Filter {
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof FilterError) {
      throw new OptionError(option, `option ${option}: ${error.message}`, error);
    }
    throw error;
  }
}

/** Longer ones are not shown whole. */
const MAX_SHOWN = 200;

function quoted(text: string): string {
  return JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`);
}
