/**
 * Runs the command of `weir exec` to its end, with its traffic going through weir.
 *
 * Stdin, stdout and stderr are the command's. The exit status is its status, 128 + n for signal n as in
 * shells, and 127 or 126 when it is not found or cannot be run (POSIX XCU §2.8.2).
 * @module
 */
import { messageOf } from "../errors.ts";
import type { Gate } from "../hooks/mod.ts";
import { TemporaryDirectory } from "../temporary.ts";
import { commandEnv, homeOf, readText } from "./exec_env.ts";
import { overruled } from "./exec_overruled.ts";
import { listenFor, sendSignal, type SignalHandler, type SignalSource } from "./signals.ts";

/** How a command is run. */
export interface ExecInit {
  readonly command: readonly string[];
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

const NOT_FOUND = 127, NOT_RUNNABLE = 126;

const FORWARDED: readonly Deno.Signal[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];
/** What a terminal sends to all that run in it, the command included. */
const KEYS: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];

/** Runs the command to its end, passes signals on to it, and resolves to the status to exit with. */
export async function runCommand(init: ExecInit): Promise<number> {
  const temporary = new TemporaryDirectory("exec");
  const directory = temporary.path;
  try {
    const all = Deno.env.toObject();
    const given = init.gate?.environment(all) ?? all;
    const env = await commandEnv({ ...init, directory }, given);
    for (const sentence of await overruled(init.command, homeOf(given), readText)) init.log.warn(sentence);
    const [name, ...args] = init.command;
    let child: Deno.ChildProcess | null = null;
    // Listening comes first: a signal in the moment of starting would end weir, and leave the command alone.
    const early: Deno.Signal[] = [];
    const removeSignals = passSignals((signal) => {
      if (child === null) early.push(signal);
      else sendSignal(child, signal);
    }, init.signals);
    try {
      const started = child = new Deno.Command(name, { args, env, clearEnv: true, stdin: "inherit" }).spawn();
      for (const signal of early) sendSignal(started, signal);
      void init.stopping.promise.then(() => sendSignal(started, "SIGTERM"));
      return (await started.status).code;
    } catch (thrown) {
      const isMissing = thrown instanceof Deno.errors.NotFound;
      init.complain(isMissing ? `exec: ${name} is not found` : `exec: ${messageOf(thrown)}`);
      return isMissing ? NOT_FOUND : NOT_RUNNABLE;
    } finally {
      removeSignals();
    }
  } finally {
    temporary.remove();
  }
}

/** From now on signals are the command's matter. @returns removes the listeners. */
function passSignals(pass: (signal: Deno.Signal) => void, source: SignalSource): () => void {
  const isWindows = Deno.build.os === "windows";
  // Twice the same would be one too many: for many programs a second Ctrl-C means "at once".
  const hasTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  const ignored: readonly Deno.Signal[] = isWindows ? ["SIGINT", "SIGBREAK"] : hasTerminal ? KEYS : [];
  const forwarded = isWindows ? [] : hasTerminal ? FORWARDED : [...KEYS, ...FORWARDED];
  return listenFor(source, [
    ...ignored.map((signal): SignalHandler => [signal, () => {}]),
    ...forwarded.map((signal): SignalHandler => [signal, () => pass(signal)]),
  ]);
}
