/**
 * What `--help`, `--options` and `--version` print; all but the general flags is made from the option registry.
 * @module
 */
import type { OptionRegistry, OptionValue } from "../options/mod.ts";
import { buildKind } from "../build_kind.ts";
import { VERSION } from "../version.ts";
import { groupFlags, listFlags, usageOf } from "./flag_list.ts";

/** Where help texts begin; longer flags have theirs on the next line. */
const HELP_COLUMN = 30;
/** Narrower than this nothing can be set in two columns; wider lines are hard to read. */
const MIN_WIDTH = 60, MAX_WIDTH = 110;
/** Width of comments in YAML. */
const YAML_WIDTH = 78;
/** What `--version` says of each kind of program. */
const BUILDS = { sources: "run from its sources", compiled: "compiled", unpacked: "one file, unpacked" };

/** The text for `--help`, for a terminal that is `width` columns wide. */
export function formatHelp(registry: OptionRegistry, width: number): string {
  const columns = Math.min(Math.max(width, MIN_WIDTH), MAX_WIDTH);
  const intro = wrap(
    "An intercepting HTTP(S) proxy whose bodies stream. Flows are printed to stdout, the log to stderr. " +
      "With exec, weir runs a command whose traffic goes through it, and ends with it; diff compares two files of flows. Options can also be set in config.yaml (see --confdir).",
    columns,
  );
  const sections = [...groupFlags(listFlags(registry))].map(([heading, flags]) =>
    `${heading}:\n${flags.map((flag) => entry(usageOf(flag), flag.help, columns)).join("\n")}`
  );
  const usage =
    "usage: weir [options]\n       weir exec [options] [--] COMMAND [ARGUMENT...]\n       weir diff [--ignore-header NAME] A B\n       weir policy check FILE [[METHOD] URL]...";
  return [usage, intro.join("\n"), ...sections].join("\n\n") + "\n";
}

/** The text for `--options`: every option with its default, as YAML that can be saved as `config.yaml`. */
export function formatOptions(registry: OptionRegistry): string {
  const blocks = [...registry.names()].sort().map((name) => {
    const definition = registry.definition(name);
    const { kind } = definition;
    const type = kind.type === "list" ? "list of str" : kind.optional ? `optional ${kind.type}` : kind.type;
    const values = kind.choices === null ? `Type ${type}.` : `One of ${kind.choices.join(", ")}.`;
    const comment = wrap(`${definition.help} ${values}`, YAML_WIDTH - 2).map((line) => `# ${line}`);
    return [...comment, `${name}: ${yaml(definition.default)}`].join("\n");
  });
  return blocks.join("\n\n") + "\n";
}

/** The text for `--version`. */
export function formatVersion(): string {
  const { deno, v8, typescript } = Deno.version;
  const { os, arch } = Deno.build;
  return [
    `weir:       ${VERSION}`,
    `Build:      ${BUILDS[buildKind()]}`,
    `Deno:       ${deno}`,
    `V8:         ${v8}`,
    `TypeScript: ${typescript}`,
    `Platform:   ${os} ${Deno.osRelease()} ${arch}`,
  ].join("\n") + "\n";
}

/** Breaks text into lines of at most `width` characters; a word that is longer has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

function entry(flags: string, help: string, columns: number): string {
  const indent = " ".repeat(HELP_COLUMN);
  const [first, ...more] = wrap(help, columns - HELP_COLUMN);
  const left = `  ${flags}`;
  const lines = left.length <= columns ? [left] : left.replaceAll(", ", ",\n  ").split("\n");
  const head = left.length + 2 <= HELP_COLUMN
    ? [left.padEnd(HELP_COLUMN) + first]
    : [...lines, indent + first];
  return [...head, ...more.map((line) => indent + line)].join("\n");
}

/** JSON is YAML, in the quoting that needs no thought (YAML 1.2 §1.3); plain words are left plain. */
function yaml(value: OptionValue): string {
  return typeof value === "string" && /^\d+[kmgt]$/.test(value) ? value : JSON.stringify(value);
}
