/**
 * The kinds of values that options have: how each is checked, and read from the text of a flag.
 *
 * A kind throws {@linkcode BadValue} with half a sentence; the registry puts the option's name before it.
 * @module
 */
import { homedir } from "node:os";
import { messageOf } from "../errors.ts";
import { shortened, shown } from "../shown.ts";
import { parseSize } from "./size.ts";

/** A value of an option. */
export type OptionValue = boolean | number | string | readonly string[] | null;

/** Kinds of options that addons can register. */
export type OptionType = "bool" | "int" | "size" | "str" | "list";

/** One kind of value. */
export interface Kind<T extends OptionValue> {
  readonly type: OptionType;
  /** True when the option may be unset (null). */
  readonly optional: boolean;
  readonly choices: readonly string[] | null;
  /** Checks and converts a value that code or YAML gave. */
  check(value: unknown): T;
  /** Reads all texts given for one option, in order; null stands for a name without a value. */
  read(texts: readonly (string | null)[], current: T): T;
}

/** Half a sentence that says why a value is refused. */
export class BadValue extends Error {}

/** A further condition on text: gives the complaint, or null when all is well. */
export type Condition = (text: string) => string | null;

interface TextRules {
  /** `~` at the start stands for the home directory. */
  readonly path?: boolean;
  /** A list needs at least one. */
  readonly filled?: boolean;
  readonly choices?: readonly string[];
  readonly condition?: Condition;
}

/** true or false; as text also `toggle`, or nothing, which is true. */
export const bool: Kind<boolean> = {
  type: "bool",
  optional: false,
  choices: null,
  check(value) {
    if (typeof value !== "boolean") throw new BadValue(`${shown(value)} is neither true nor false`);
    return value;
  },
  read: (texts, current) =>
    texts.reduce((value, text) => {
      if (text === null || text === "" || text === "true") return true;
      if (text === "false") return false;
      if (text === "toggle") return !value;
      throw new BadValue(`${shown(text)} is none of true, false and toggle`);
    }, current),
};

/** An integer within bounds, both included. */
export function int(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const kind: Kind<number> = {
    type: "int",
    optional: false,
    choices: null,
    check(value) {
      if (!Number.isSafeInteger(value)) throw new BadValue(`${shown(value)} is not an integer`);
      const number = value as number;
      if (number < min) throw new BadValue(`${number} is less than ${min}`);
      if (number > max) throw new BadValue(`${number} is more than ${max}`);
      return number;
    },
    read(texts) {
      const text = needed(texts.at(-1));
      return kind.check(/^[+-]?\d+$/.test(text) ? Number(text) : text);
    },
  };
  return kind;
}

/** A number of bytes, written like `3m`; may always be unset, which is to say: no such size. */
export const size: Kind<number | null> = {
  type: "size",
  optional: true,
  choices: null,
  check(value) {
    if (value === null) return null;
    const bytes = typeof value === "string" ? parseSize(value) : value;
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) {
      throw new BadValue(`${shown(value)} is not a size (an integer with an optional b, k, m, g or t)`);
    }
    return bytes as number;
  },
  read: (texts) => size.check(texts.at(-1) || null),
};

/** Text. */
export function str(rules: TextRules = {}): Kind<string> {
  const kind: Kind<string> = {
    type: "str",
    optional: false,
    choices: rules.choices ?? null,
    check: (value) => checkText(value, rules),
    read(texts) {
      const text = texts.at(-1) ?? null;
      if (text === null) throw new BadValue("needs a value");
      return kind.check(text);
    },
  };
  return kind;
}

/** One of several words. */
export function choice<const C extends readonly string[]>(choices: C): Kind<C[number]> {
  return str({ choices }) as Kind<C[number]>;
}

/** A list of texts. As text each occurrence adds one; a name without a value empties the list. */
export function list(rules: TextRules = {}): Kind<readonly string[]> {
  const kind: Kind<readonly string[]> = {
    type: "list",
    optional: false,
    choices: rules.choices ?? null,
    check(value) {
      if (!Array.isArray(value)) throw new BadValue(`${shown(value)} is not a list`);
      if (rules.filled && value.length === 0) throw new BadValue("needs a value");
      return Object.freeze(value.map((item) => checkText(item, rules)));
    },
    read: (texts) => kind.check(texts.slice(texts.findLastIndex((text) => !text) + 1)),
  };
  return kind;
}

/** The same kind, but it may be unset: null, or an empty text. */
export function optional<T extends OptionValue>(kind: Kind<T>): Kind<T | null> {
  return {
    type: kind.type,
    optional: true,
    choices: kind.choices,
    check: (value) => value === null ? null : kind.check(value),
    read: (texts) =>
      texts.at(-1) ? kind.check(kind.read(texts, kind.read(texts.slice(-1), null as T))) : null,
  };
}

/** Condition: the text is not empty. */
export function isPresent(text: string): string | null {
  return text === "" ? "needs a value" : null;
}

/** Condition: `parse` takes the text. What it throws is the complaint. */
export function parsedBy(parse: (text: string) => unknown): Condition {
  return (text) => {
    try {
      parse(text);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  };
}

/** Condition: the text is a regular expression. */
export function isPattern(text: string): string | null {
  try {
    new RegExp(text, "i");
    return null;
  } catch (error) {
    return `${shown(text)} is not a regular expression (${shortened(messageOf(error))})`;
  }
}

/** Puts the home directory in the place of a leading `~`. */
export function expandHome(path: string): string {
  if (path !== "~" && !/^~[/\\]/.test(path)) return path;
  // Services often run without HOME, but the system knows where their user is at home; it may still be nowhere.
  const home: string | null = Deno.env.get("HOME") || Deno.env.get("USERPROFILE") || homedir();
  return home ? home + path.slice(1) : path;
}

function checkText(value: unknown, rules: TextRules): string {
  if (value === null) throw new BadValue("needs a value");
  if (typeof value !== "string") throw new BadValue(`${shown(value)} is not text`);
  if (rules.choices !== undefined && !rules.choices.includes(value)) {
    throw new BadValue(`${shown(value)} is none of ${rules.choices.join(", ")}`);
  }
  const complaint = rules.condition?.(value) ?? null;
  if (complaint !== null) throw new BadValue(complaint);
  return rules.path ? expandHome(value) : value;
}

function needed(text: string | null | undefined): string {
  if (!text) throw new BadValue("needs a value");
  return text;
}
