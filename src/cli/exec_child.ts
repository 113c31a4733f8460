/**
 * A child process that has the terminal, and the signals: started, told of signals, waited for.
 * @module
 */
import { messageOf } from "../errors.ts";
import { listenFor, sendSignal, type SignalHandler, type SignalSource } from "./signals.ts";

/** What is run. */
export interface ChildInit {
  readonly command: readonly string[];
  /** All of its environment. */
  readonly env: Record<string, string>;
  readonly signals: SignalSource;
  /** When it resolves, the child is asked to end. */
  readonly stopping: Promise<void>;
  /** For what weir itself has to say. */
  readonly complain: (text: string) => void;
}

const NOT_FOUND = 127, NOT_RUNNABLE = 126;

const FORWARDED: readonly Deno.Signal[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];
/** What a terminal sends to all that run in it, the command included. */
const KEYS: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];

/**
 * Runs a command to its end and passes signals on to it. Resolves to its status, 128 + n for signal n as in shells, and 127 or 126
 * when it is not found or cannot be run (POSIX XCU §2.8.2).
 */
export async function runToEnd({ command, env, signals, stopping, complain }: ChildInit): Promise<number> {
  const [name, ...args] = command;
  let child: Deno.ChildProcess | null = null;
  // Listening comes first: a signal in the moment of starting would end weir, and leave the command alone.
  const early: Deno.Signal[] = [];
  const removeSignals = passSignals((signal) => {
    if (child === null) early.push(signal);
    else sendSignal(child, signal);
  }, signals);
  try {
    const started = child = new Deno.Command(name, { args, env, clearEnv: true, stdin: "inherit" }).spawn();
    for (const signal of early) sendSignal(started, signal);
    void stopping.then(() => sendSignal(started, "SIGTERM"));
    return (await started.status).code;
  } catch (thrown) {
    const isMissing = thrown instanceof Deno.errors.NotFound;
    complain(isMissing ? `exec: ${name} is not found` : `exec: ${messageOf(thrown)}`);
    return isMissing ? NOT_FOUND : NOT_RUNNABLE;
  } finally {
    removeSignals();
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
