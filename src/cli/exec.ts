/**
 * Runs the command of `weir exec` to its end, with its traffic going through weir.
 *
 * Stdin, stdout, stderr and the exit status are the command's.
 * @module
 */
import type { Gate } from "../hooks/mod.ts";
import { TemporaryDirectory } from "../temporary.ts";
import { commandEnv, homeOf, readText } from "./exec_env.ts";
import type { Isolation } from "./isolate/outer.ts";
import { overruled } from "./exec_overruled.ts";
import { runToEnd } from "./exec_child.ts";
import type { SignalSource } from "./signals.ts";

/** How a command is run. */
export interface ExecInit {
  readonly command: readonly string[];
  /** It is to have no way out but weir. */
  readonly isIsolated?: boolean;
  readonly proxyUrl: string;
  readonly confdir: string;
  readonly signals: SignalSource;
  /** When it resolves, the command is asked to end. */
  readonly stopping: { readonly promise: Promise<void> };
  /** Says what of the environment the command may have. */
  readonly gate?: Pick<Gate, "environment"> | null;
  /** For what weir itself has to say. */
  readonly complain: (text: string) => void;
  /** For what it has to say of the command's configuration. */
  readonly log: { warn(text: string): void };
}

/** Runs the command to its end, passes signals on to it, and resolves to the status to exit with. */
export async function runCommand(init: ExecInit): Promise<number> {
  const temporary = new TemporaryDirectory("exec");
  const directory = temporary.path;
  let isolation: Isolation | null = null;
  try {
    const all = Deno.env.toObject();
    const given = init.gate?.environment(all) ?? all;
    const env = await commandEnv({ ...init, directory }, given);
    for (const sentence of await overruled(init.command, homeOf(given), readText)) init.log.warn(sentence);
    if (init.isIsolated) {
      const { isolate } = await import("./isolate/outer.ts");
      isolation = await isolate(init.command, { proxyUrl: init.proxyUrl, directory });
    }
    return await runToEnd({
      command: isolation?.command ?? init.command,
      env,
      signals: init.signals,
      stopping: init.stopping.promise,
      complain: init.complain,
    });
  } finally {
    await isolation?.close();
    temporary.remove();
  }
}
