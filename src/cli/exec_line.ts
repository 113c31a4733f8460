/**
 * The command line of `weir exec [options] -- COMMAND [ARGUMENT...]`: a command whose traffic goes through weir.
 * @module
 */
import type { OptionValue } from "../options/mod.ts";

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

/** The two halves of the command line, or null when it is no `exec`. */
export function splitExec(argv: readonly string[]): ExecLine | null {
  if (argv[0] !== "exec") return null;
  const dashes = argv.indexOf("--");
  if (dashes < 0) return { flags: argv.slice(1), command: [] };
  return { flags: argv.slice(1, dashes), command: argv.slice(dashes + 1) };
}

/** Values of options for `exec` that flags have not given. */
export function execDefaults(given: ReadonlyMap<string, unknown>): [string, OptionValue][] {
  return Object.entries(DEFAULTS).filter(([name]) => !given.has(name));
}
