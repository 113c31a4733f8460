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
 * Calls `stop` once, at the first SIGINT, SIGTERM or SIGHUP (the terminal is gone); a SIGINT after that exits at once. A SIGHUP
 * that whoever started weir has it ignore (`nohup`) stays ignored.
 * @returns removes the listeners.
 */
export function onStopSignal(
  stop: () => void,
  source: SignalSource = Deno,
  os: typeof Deno.build.os = Deno.build.os,
  ignoresHangup: () => boolean = isHangupIgnored,
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
  const handlers: SignalHandler[] = [["SIGINT", interrupt]];
  // Windows has no SIGTERM to listen for; Ctrl-Break is SIGBREAK there, and closing the console window SIGHUP.
  handlers.push([os === "windows" ? "SIGBREAK" : "SIGTERM", first]);
  // Deno ends the process for it once it listens for any signal, ignored or not: so it is ignored here.
  handlers.push(["SIGHUP", os !== "windows" && ignoresHangup() ? () => {} : first]);
  return listenFor(source, handlers);
}

const SIGHUP = 1;
const SIG_IGN = 1n;

/** Whether the process has been started with SIGHUP ignored; only libc can tell, as listening for it would end that. */
function isHangupIgnored(): boolean {
  const libc = Deno.build.os === "linux"
    ? "libc.so.6"
    : Deno.build.os === "darwin"
    ? "libSystem.B.dylib"
    : null;
  if (libc === null || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  try {
    const library = Deno.dlopen(libc, {
      sigaction: { parameters: ["i32", "pointer", "buffer"], result: "i32" },
    });
    // `struct sigaction` begins with the handler on both systems, and is smaller than this.
    const action = new BigUint64Array(32);
    const status = library.symbols.sigaction(SIGHUP, null, action);
    library.close();
    return status === 0 && action[0] === SIG_IGN;
  } catch {
    return false;
  }
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
