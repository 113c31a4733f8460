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
}

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
  for (let i = 1; i < argv.length; i++) {
    const argument = argv[i];
    if (argument === "--") return { flags: argv.slice(1, i), command: argv.slice(i + 1) };
    if (!argument.startsWith("-")) return { flags: argv.slice(1, i), command: argv.slice(i) };
    const expects = expectsValue(argument);
    if (expects === null) {
      const dashes = argv.indexOf("--", i);
      if (dashes >= 0) return { flags: argv.slice(1, dashes), command: argv.slice(dashes + 1) };
      throw new UsageError(
        `exec cannot tell where the command begins behind ${shortened(argument)}: put -- in front of it`,
      );
    }
    if (expects && valueBehind(argv, i) !== null) i++;
  }
  return { flags: argv.slice(1), command: [] };
}

/** Values of options for `exec` that flags have not given. */
export function execDefaults(given: ReadonlyMap<string, unknown>): [string, OptionValue][] {
  return Object.entries(DEFAULTS).filter(([name]) => !given.has(name));
}
