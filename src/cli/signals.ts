/**
 * Signals: those that end weir, and those that it passes on. SIGPIPE needs nothing: Deno ignores it, and a write to a
 * closed pipe is an error like others.
 * @module
 */

/** What the operating system must offer; in tests something else does. */
export interface SignalSource {
  addSignalListener(signal: Deno.Signal, handler: () => void): void;
  removeSignalListener(signal: Deno.Signal, handler: () => void): void;
  exit(code: number): unknown;
}

/** 128 + 2, what shells show for a process that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Calls `stop` once, at the first SIGINT or SIGTERM; a SIGINT after that exits at once.
 * @returns removes the listeners.
 */
export function onStopSignal(
  stop: () => void,
  source: SignalSource = Deno,
  os: typeof Deno.build.os = Deno.build.os,
): () => void {
  let stopping = false;
  const first = () => {
    if (stopping) return false;
    stopping = true;
    stop();
    return true;
  };
  const interrupt = () => {
    if (!first()) source.exit(INTERRUPTED);
  };
  // Windows has no SIGTERM to listen for; closing the console window is SIGBREAK or SIGHUP.
  return listenFor(source, [["SIGINT", interrupt], [os === "windows" ? "SIGBREAK" : "SIGTERM", first]]);
}

/** A signal and what is done at it. */
export type SignalHandler = readonly [signal: Deno.Signal, handler: () => void];

/** Listens for signals. @returns removes the listeners. */
export function listenFor(source: SignalSource, handlers: readonly SignalHandler[]): () => void {
  for (const [signal, handler] of handlers) source.addSignalListener(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) source.removeSignalListener(signal, handler);
  };
}

/** Sends a signal to a process that may have ended already. */
export function sendSignal(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended.
  }
}
