/**
 * Command-line arguments, in two steps: taken apart before addons are loaded, understood afterwards, because addons
 * register options, and every option has a flag.
 *
 * Not `@std/cli/parse_args`: it cannot keep apart `--flag value` and `--flag` until the flag's type is known.
 * @module
 */
import {
  hint,
  type OptionDefinition,
  OptionError,
  type OptionRegistry,
  OPTIONS,
  type OptionValue,
  whyNotHere,
} from "../options/mod.ts";
import { shortened, shown } from "../shown.ts";

/** What one argument says of an option. */
export interface Pending {
  /** As given, for messages: `--listen-port`, `-p`, `--set`. */
  readonly flag: string;
  /** Name of the option, underscores and all. */
  readonly name: string;
  /** What followed `=`, or the letter of a short flag. */
  readonly value: string | null;
  /** The argument behind, which is the value unless the option is a bool. Never for `--set`. */
  readonly next: string | null;
  /** Where `next` stands among the arguments. */
  readonly at: number;
}

/** An argument that belongs to no flag: part of the filter. */
export interface Word {
  readonly text: string;
  /** Where it stands among the arguments. */
  readonly at: number;
}

/** What is printed instead of starting. */
export type Shown = "help" | "version" | "options" | "man" | "completions" | "types";

/** A command line taken apart. */
export interface ParsedFlags {
  /** The strongest of what is to be printed, or null: start. */
  readonly shows: Shown | null;
  /** Shell whose completions are to be printed. */
  readonly shell: Shell | null;
  /** Directory that types are to be written to. */
  readonly typesTo: string | null;
  /** Start a browser as well. */
  readonly browser: boolean;
  readonly pending: readonly Pending[];
  readonly words: readonly Word[];
}

/** Shells that there are completions for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A command line that makes no sense: told in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Flags that are no options; help lists them. */
export const GENERAL_FLAGS: readonly {
  readonly names: readonly string[];
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly help: string;
}[] = [
  { names: ["-h", "--help"], help: "Show this help and exit." },
  { names: ["--version"], help: "Show version numbers and exit." },
  { names: ["--options"], help: "Show all options with their defaults, as a config.yaml, and exit." },
  { names: ["--man"], help: "Show the manual page (for man -l -) and exit." },
  {
    names: ["--completions"],
    value: `{${SHELLS.join(",")}}`,
    choices: SHELLS,
    help: "Show the completions of flags for a shell and exit.",
  },
  {
    names: ["--types"],
    value: "DIR",
    help:
      "Write the types of the module weir for addons in a directory, with a deno.json where there is none, and exit.",
  },
  {
    names: ["--browser"],
    help:
      "Start an installed Chrome, Chromium, Edge or Brave with a throw-away profile that trusts this proxy.",
  },
  {
    names: ["--set"],
    value: "NAME[=VALUE]",
    help: "Set an option, also one of an addon. Without a value: a bool becomes true, a list empty, " +
      "anything else unset if it may be. Repeat it to add to a list.",
  },
  { names: ["-q", "--quiet"], help: "Log errors only, print no flows." },
  { names: ["-v", "--verbose"], help: "Log everything, print flows with their headers." },
];

/** Of several that are asked for, the first is shown. */
const SHOWN: readonly Shown[] = ["version", "help", "man", "completions", "types", "options"];

/** Letters of options that addons of weir's own register: they must be known before those are loaded. */
export const ADDON_LETTERS: Readonly<Record<string, string>> = {
  B: "modify_body",
  C: "client_replay",
  H: "modify_headers",
  M: "map_remote",
  r: "rfile",
  S: "server_replay",
  w: "save_stream_file",
};

/** Short letters: those of options, and what the general ones stand for. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ...Object.entries(OPTIONS).flatMap(([name, option]): [string, string][] =>
    option.short === undefined ? [] : [[option.short, shortFlagOf(name, option)]]
  ),
  ...Object.entries(ADDON_LETTERS).map(([letter, name]): [string, string] => [letter, flagOf(name)]),
  ["h", "--help"],
  ["q", "--quiet"],
  ["v", "--verbose"],
]);

/** The letter of a bool means the opposite of its default, as in mitmproxy. */
function shortFlagOf(name: string, option: OptionDefinition): string {
  return option.default === true ? noFlagOf(name) : flagOf(name);
}

const PRESETS: Readonly<Record<string, readonly [string, string][]>> = {
  "--quiet": [["termlog_verbosity", "error"], ["flow_detail", "0"]],
  "--verbose": [["termlog_verbosity", "debug"], ["flow_detail", "2"]],
};

/**
 * Takes the arguments apart.
 * @throws {UsageError} for what no addon can make right.
 */
export function parseFlags(argv: readonly string[]): ParsedFlags {
  const shown = new Set<string>();
  let shell: Shell | null = null, typesTo: string | null = null, browser = false;
  const pending: Pending[] = [], presets: Pending[] = [], words: Word[] = [];
  for (let i = 0; i < argv.length; i++) {
    if (!/^-./.test(argv[i])) {
      if (argv[i] === "exec") throw new UsageError("exec comes first: weir exec [options] [--] COMMAND");
      words.push({ text: argv[i], at: i });
      continue;
    }
    const { flag, long, value, rest } = splitArgument(argv[i]);
    if (rest !== null) argv = [...argv.slice(0, i + 1), rest, ...argv.slice(i + 1)];
    const bare = () => {
      if (value !== null) throw new UsageError(`${flag} takes no value`);
    };
    if (long === "--help" || long === "--version" || long === "--options" || long === "--man") {
      bare();
      shown.add(long.slice(2));
    } else if (long === "--browser") {
      bare();
      browser = true;
    } else if (long === "--completions") {
      shell = shellOf(value ?? valueBehind(argv, i++));
      shown.add("completions");
    } else if (long === "--types") {
      typesTo = value ?? valueBehind(argv, i++);
      if (!typesTo) throw new UsageError("--types needs a directory");
      shown.add("types");
    } else if (Object.hasOwn(PRESETS, long)) {
      bare();
      for (const [name, text] of PRESETS[long]) presets.push({ flag, name, value: text, next: null, at: i });
    } else if (long === "--set") {
      const spec = value ?? valueBehind(argv, i++);
      if (!spec || spec.startsWith("=")) throw new UsageError("--set needs NAME=VALUE");
      const equals = spec.indexOf("=");
      const name = equals < 0 ? spec : spec.slice(0, equals);
      pending.push({ flag, name, value: equals < 0 ? null : spec.slice(equals + 1), next: null, at: i });
    } else {
      const name = long.slice(2).replaceAll("-", "_");
      const next = value !== null || isBool(name) ? null : valueBehind(argv, i);
      if (next !== null) i++;
      pending.push({ flag, name, value, next, at: i });
    }
  }
  // -q and -v are starting points: what is said of an option by name holds, wherever it stands.
  return {
    shows: SHOWN.find((name) => shown.has(name)) ?? null,
    shell,
    typesTo,
    browser,
    pending: [...presets, ...pending],
    words,
  };
}

/** True when the argument behind this flag is its value; null when only the addon that may know the flag can tell. */
export function expectsValue(argument: string): boolean | null {
  const { long, value, rest } = splitArgument(argument);
  if (rest !== null) return expectsValue(rest);
  if (value !== null) return false;
  const general = GENERAL_FLAGS.find(({ names }) => names.includes(long));
  if (general) return general.value !== undefined;
  const name = long.slice(2).replaceAll("-", "_");
  return isBool(name) ? false : Object.hasOwn(OPTIONS, name) ? true : null;
}

/** Values that flags give to the options that exist, and the flags of options that do not (yet). */
export interface Resolved {
  readonly values: ReadonlyMap<string, OptionValue>;
  readonly unknown: readonly Pending[];
  /** What stood behind the flags of bools, which take no value. */
  readonly words: readonly Word[];
}

/**
 * Reads the values of all flags whose options exist.
 * @throws {OptionError} for a value that is wrong, {@linkcode UsageError} for one that is missing or too many.
 */
export function resolveFlags(pending: readonly Pending[], registry: OptionRegistry): Resolved {
  const texts = new Map<string, (string | null)[]>();
  const unknown: Pending[] = [], words: Word[] = [];
  for (const item of pending) {
    const target = targetOf(item, registry);
    if (target === null) {
      unknown.push(item);
      continue;
    }
    const all = texts.get(target.name) ?? [];
    const isBool = registry.definition(target.name).kind.type === "bool";
    if (isBool && item.next !== null) words.push({ text: item.next, at: item.at });
    all.push(textOf(item, target, registry));
    texts.set(target.name, all);
  }
  return {
    values: new Map([...texts].map(([name, all]) => [name, registry.read(name, all)])),
    unknown,
    words,
  };
}

/** Options that mitmproxy had once, and what says the same now. */
const GONE: Readonly<Record<string, string>> = {
  server_replay_kill_extra: "server_replay_extra=kill",
  server_replay_nopop: "server_replay_reuse",
};

/** Complains of the first flag that nobody knows. Rejects with {@linkcode OptionError}. */
export async function refuseUnknown(unknown: readonly Pending[], registry: OptionRegistry): Promise<void> {
  for (const { flag, name } of unknown) {
    if (Object.hasOwn(GONE, name)) throw new OptionError(name, `option ${name} is gone: use ${GONE[name]}`);
    const why = await whyNotHere(name);
    if (why !== null) {
      throw new OptionError(name, `${flag === "--set" ? `option ${name}` : flag} is not here: ${why}`);
    }
    if (flag === "--set") {
      throw new OptionError(name, `unknown option ${shortened(name)}${hint(name, registry.names())}`);
    }
    const known = [...registry.names()].flatMap((option) =>
      registry.definition(option).kind.type === "bool" ? [flagOf(option), noFlagOf(option)] : [flagOf(option)]
    );
    known.push(...GENERAL_FLAGS.flatMap(({ names }) => names.filter((name) => name.startsWith("--"))));
    throw new OptionError(name, `unknown flag ${shortened(flag)}${hint(flag, known)}`);
  }
}

/** The flag of an option. */
export function flagOf(name: string): string {
  return `--${name.replaceAll("_", "-")}`;
}

/** The flag that turns a bool off. */
export function noFlagOf(name: string): string {
  return `--no-${name.replaceAll("_", "-")}`;
}

/** `-p80` is `--listen-port` with a value; of `-qk` the `-k` is left over, as `rest`. */
function splitArgument(
  argument: string,
): { flag: string; long: string; value: string | null; rest: string | null } {
  if (argument.startsWith("--") && argument.length > 2) {
    const equals = argument.indexOf("=");
    if (equals < 0) return { flag: argument, long: argument, value: null, rest: null };
    const flag = argument.slice(0, equals);
    return { flag, long: flag, value: argument.slice(equals + 1), rest: null };
  }
  if (argument === "--") throw new UsageError("-- belongs behind exec: weir exec [options] [--] COMMAND");
  const flag = argument.slice(0, 2), behind = argument.slice(2);
  const long = SHORT.get(flag[1]) ?? flag;
  if (long === flag) {
    throw new UsageError(`unknown flag ${flag}${behind.length > 1 ? hint(`-${argument}`, longFlags()) : ""}`);
  }
  if (behind === "") return { flag, long, value: null, rest: null };
  const bundles = Object.hasOwn(PRESETS, long) || long === "--help" ||
    isBool(long.slice(2).replaceAll("-", "_"));
  if (bundles && !behind.startsWith("=")) return { flag, long, value: null, rest: `-${behind}` };
  return { flag, long, value: behind.replace(/^=/, ""), rest: null };
}

/** The argument after `i` if it can be a value: anything but a flag; a negative number and `-` can. */
export function valueBehind(argv: readonly string[], i: number): string | null {
  const next = argv.at(i + 1);
  return next === undefined || (/^-./.test(next) && !/^-\d+$/.test(next)) ? null : next;
}

/** The option that a flag is about; `--no-x` is about x, unless there is an option called no_x. */
function targetOf(item: Pending, registry: OptionRegistry): { name: string; isOff: boolean } | null {
  if (registry.has(item.name)) return { name: item.name, isOff: false };
  const name = item.name.slice("no_".length);
  const isOff = item.flag !== "--set" && item.name.startsWith("no_") && registry.has(name) &&
    registry.definition(name).kind.type === "bool";
  return isOff ? { name, isOff } : null;
}

function textOf(
  item: Pending,
  target: { name: string; isOff: boolean },
  registry: OptionRegistry,
): string | null {
  if (item.flag === "--set") return item.value;
  const { kind } = registry.definition(target.name);
  if (kind.type === "bool") {
    if (target.isOff && item.value !== null) throw new UsageError(`${item.flag} takes no value`);
    return target.isOff ? "false" : item.value;
  }
  const text = item.value ?? item.next;
  if (text === null) throw new OptionError(target.name, `${item.flag} needs a value`);
  return text;
}

function shellOf(text: string | null): Shell {
  const shell = SHELLS.find((name) => name === text);
  if (shell === undefined) {
    throw new UsageError(
      `--completions needs one of ${SHELLS.join(", ")}${text ? `, not ${shown(text)}` : ""}`,
    );
  }
  return shell;
}

function isBool(name: string): boolean {
  const plain = name.replace(/^no_/, "");
  return Object.hasOwn(OPTIONS, plain) && OPTIONS[plain as keyof typeof OPTIONS].kind.type === "bool";
}

function longFlags(): string[] {
  return Object.keys(OPTIONS).map(flagOf);
}
