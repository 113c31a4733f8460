/**
 * All flags that there are, general ones and those of options, as help, man page and shell completions show them.
 * @module
 */
import type { OptionDefinition, OptionRegistry } from "../options/mod.ts";
import { EXEC_FLAGS } from "./exec_line.ts";
import { ADDON_LETTERS, flagOf, GENERAL_FLAGS, noFlagOf } from "./flags.ts";

/** One flag. */
export interface FlagEntry {
  /** All its spellings: `-p`, `--listen-port`; `--via`, `--no-via`. */
  readonly names: readonly string[];
  /** What help calls its value, or null when it takes none. */
  readonly value: string | null;
  /** The only values that it takes. */
  readonly choices: readonly string[] | null;
  /** Sentences. */
  readonly help: string;
  /** Heading. */
  readonly group: string;
}

/** The general flags, then one entry for each option, weir's own before those of addons. */
export function listFlags(registry: OptionRegistry): FlagEntry[] {
  const general = GENERAL_FLAGS.map(({ names, value = null, choices = null, help }) => ({
    names,
    value,
    choices,
    help,
    group: "General",
  }));
  const exec = EXEC_FLAGS.map(({ name, value, help }): FlagEntry => ({
    names: [name],
    value,
    choices: null,
    help,
    group: "Exec",
  }));
  return [
    ...general,
    ...exec,
    ...Array.from(registry.names(), (name) => optionEntry(name, registry.definition(name))),
  ];
}

/** The flags under their headings, in the order of {@linkcode listFlags}. */
export function groupFlags(entries: readonly FlagEntry[]): Map<string, FlagEntry[]> {
  return Map.groupBy(entries, ({ group }) => group);
}

/** `-p, --listen-port PORT` */
export function usageOf({ names, value }: FlagEntry): string {
  return value === null ? names.join(", ") : `${names.join(", ")} ${value}`;
}

function optionEntry(name: string, definition: OptionDefinition): FlagEntry {
  const { kind, metavar, group = "Addons" } = definition;
  const short = definition.short ??
    Object.keys(ADDON_LETTERS).find((letter) => ADDON_LETTERS[letter] === name);
  const isBool = kind.type === "bool";
  return {
    names: [
      ...short === undefined ? [] : [`-${short}`],
      flagOf(name),
      ...isBool ? [noFlagOf(name)] : [],
    ],
    value: isBool
      ? null
      : kind.choices === null
      ? metavar ?? kind.type.toUpperCase()
      : `{${kind.choices.join(",")}}`,
    choices: kind.choices,
    help: describe(definition),
    group,
  };
}

function describe({ kind, help, default: value }: OptionDefinition): string {
  const repeat = kind.type === "list" ? " May be repeated." : "";
  // That something is off, unset or empty goes without saying.
  const isUnset = value === null || value === false || value === "" ||
    (Array.isArray(value) && value.length === 0);
  const text = Array.isArray(value) ? value.join(" ") : String(value);
  return `${help}${repeat}${isUnset ? "" : ` (default: ${text})`}`;
}
