/**
 * The command line of `weir exec [options] [--] COMMAND [ARGUMENT...]`: a command whose traffic goes through
 * weir.
 * @module
 */
import type { OptionValue } from "../options/mod.ts";
import { shortened } from "../shown.ts";
import { expectsValue, UsageError, valueBehind } from "./flags.ts";

/** A command line of `weir exec`, in two. */
export interface ExecLine {
  /** weir's own. */
  readonly flags: readonly string[];
  /** Name and arguments; nothing when it is missing. */
  readonly command: readonly string[];
  /** The command is to have no way out but weir. */
  readonly isIsolated: boolean;
}

/** Flags of `exec` that set an option to a file; `value` where none is given. */
const OWN_FLAGS: readonly { readonly flag: string; readonly name: string; readonly value?: string }[] = [
  { flag: "--policy", name: "egress_policy", value: "default" },
  { flag: "--learn", name: "egress_learn" },
];

/** Flags that only `exec` has, as help shows them. */
export const EXEC_FLAGS: readonly {
  readonly name: string;
  readonly value: string | null;
  readonly help: string;
}[] = [
  {
    name: "--policy",
    value: "[FILE]",
    help:
      "What the command may reach, and keys that it gets placeholders for (default: egress.yaml in confdir).",
  },
  { name: "--learn", value: "FILE", help: "Deny nothing, and write what was seen as a policy." },
  { name: "--isolate", value: null, help: "Leave the command no way out but weir (Linux)." },
];

/** What flags may say otherwise, and `config.yaml` may not: it is written for a weir that is watched. */
const DEFAULTS: Readonly<Record<string, OptionValue>> = {
  listen_port: 0,
  flow_detail: 0,
  termlog_verbosity: "warn",
};

/**
 * The two halves of the command line, or null when it is no `exec`. The command begins behind `--`; without
 * it, at the first argument that is neither a flag nor the value of one.
 * @throws {UsageError} when an addon's flag stands in front of a command without `--`: it may have a value, or not.
 */
export function splitExec(argv: readonly string[]): ExecLine | null {
  if (argv[0] !== "exec") return null;
  const flags: string[] = [];
  let isIsolated = false;
  const line = (from: number): ExecLine => ({ flags, command: argv.slice(from), isIsolated });
  for (let i = 1; i < argv.length; i++) {
    const argument = argv[i];
    if (argument === "--") return line(i + 1);
    if (!argument.startsWith("-")) return line(i);
    if (argument === "--isolate") {
      isIsolated = true;
      continue;
    }
    const option = OWN_FLAGS.find(({ flag }) => argument === flag || argument.startsWith(`${flag}=`));
    if (option !== undefined) {
      const { flag, name, value = null } = option;
      const isInOne = argument.length > flag.length;
      const given = isInOne
        ? argument.slice(flag.length + 1)
        : isFile(argv, i + 1, value)
        ? argv[++i]
        : value;
      if (!given) throw new UsageError(`${flag} needs a file`);
      flags.push("--set", `${name}=${given}`);
      continue;
    }
    const expects = expectsValue(argument);
    if (expects === null) {
      const dashes = argv.indexOf("--", i);
      if (dashes >= 0) {
        flags.push(...argv.slice(i, dashes));
        return line(dashes + 1);
      }
      throw new UsageError(
        `exec cannot tell where the command begins behind ${shortened(argument)}: put -- in front of it`,
      );
    }
    flags.push(argument);
    if (expects && valueBehind(argv, i) !== null) flags.push(argv[++i]);
  }
  return line(argv.length);
}

/**
 * Whether the file of a flag stands there. Where the flag may stand alone, it does when `--` follows, or its name is that of a
 * policy: else it is the command.
 */
function isFile(argv: readonly string[], at: number, alone: string | null): boolean {
  const argument = argv[at];
  if (argument === undefined || argument.startsWith("-")) return false;
  return alone === null || argv[at + 1] === "--" || /\.(?:ya?ml|json)$/.test(argument);
}

/** Values of options for `exec` that flags have not given. */
export function execDefaults(given: ReadonlyMap<string, unknown>): [string, OptionValue][] {
  return Object.entries(DEFAULTS).filter(([name]) => !given.has(name));
}
