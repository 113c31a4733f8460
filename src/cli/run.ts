/**
 * weir from its arguments to its exit status.
 *
 * The order matters: weir's own options are known and checked first, then addons are loaded, which register theirs,
 * then what is left of the file and the flags must be known. Nothing listens before all of it is right.
 * @module
 */
import { messageOf } from "../errors.ts";
import { escapeControl } from "../flow/escape.ts";
import { applyAll, applyKnown, OptionRegistry, readConfigFile } from "../options/mod.ts";
import { parseFlags, refuseUnknown, resolveFlags } from "./flags.ts";
import { TermLog } from "./log.ts";
import { type SyncWriter, writeText } from "./output.ts";
import { onStopSignal, type SignalSource } from "./signals.ts";

/** The proxy as the command line sees it. */
export interface Proxy {
  /** Loads built-in addons and then these scripts. */
  load(scripts: readonly string[]): Promise<void>;
  start(): Promise<unknown>;
  stop(graceMs: number): Promise<void>;
}

/** What a proxy is made of. */
export interface ProxyInit {
  readonly options: OptionRegistry;
  readonly log: TermLog;
  /** Called when an addon asks weir to end. */
  onShutdown(): void;
}

/** The world around {@linkcode run}; tests have their own. */
export interface Surroundings {
  readonly makeProxy: (init: ProxyInit) => Promise<Proxy>;
  readonly stdout: SyncWriter;
  readonly stderr: SyncWriter;
  readonly signals: SignalSource;
  /** Columns of the terminal. */
  readonly width: () => number;
}

/** Columns where there is no terminal. */
const DEFAULT_WIDTH = 80;

const REAL: Surroundings = {
  // Imported here so that --version and bad flags need not wait for all of weir to be loaded.
  makeProxy: async (init) => (await import("./wiring.ts")).makeProxy(init),
  stdout: Deno.stdout,
  stderr: Deno.stderr,
  signals: Deno,
  width: () => Deno.stdout.isTerminal() ? Deno.consoleSize().columns : DEFAULT_WIDTH,
};

/** Runs weir to its end and resolves to the exit status: 0, or 1 when it could not start. */
export async function run(argv: readonly string[], around: Surroundings = REAL): Promise<number> {
  try {
    return await start(argv, around);
  } catch (error) {
    const line = messageOf(error).trimEnd().replaceAll(/\s*\n\s*/g, " ");
    writeText(around.stderr, `weir: error: ${escapeControl(line)}\n`);
    return 1;
  }
}

async function start(argv: readonly string[], around: Surroundings): Promise<number> {
  const flags = parseFlags(argv);
  if (flags.version) {
    const { formatVersion } = await import("./help.ts");
    writeText(around.stdout, formatVersion());
    return 0;
  }
  const showsOnly = flags.help || flags.options;
  // Help must come whatever else is wrong; only scripts matter, because their options are shown as well.
  const pending = flags.help ? flags.pending.filter(({ name }) => name === "scripts") : flags.pending;
  const options = new OptionRegistry();
  const log = new TermLog({
    level: () => showsOnly ? "error" : options.values.termlog_verbosity,
    writer: around.stderr,
  });
  const stopping = Promise.withResolvers<void>();

  // Where the file is, only flags can say.
  const own = resolveFlags(pending, options);
  const confdir = own.values.get("confdir");
  if (confdir !== undefined) await options.updateNamed([["confdir", confdir]]);
  let file = flags.help ? null : await readConfigFile(options.values.confdir);
  if (file !== null) file = await applyKnown(file, options, (text) => log.warn(text));
  const first = resolveFlags(pending, options);
  await options.updateNamed(first.values);

  const proxy = await around.makeProxy({ options, log, onShutdown: stopping.resolve });
  let removeSignals = () => {};
  try {
    await proxy.load(options.values.scripts);
    if (file !== null) await applyAll(file, options);
    const second = resolveFlags(first.unknown, options);
    refuseUnknown(second.unknown, options);
    await options.updateNamed(second.values);
    if (showsOnly) {
      const { formatHelp, formatOptions } = await import("./help.ts");
      writeText(around.stdout, flags.help ? formatHelp(options, around.width()) : formatOptions(options));
      await proxy.stop(0);
      return 0;
    }
    removeSignals = onStopSignal(stopping.resolve, around.signals);
    await proxy.start();
    await stopping.promise;
    log.debug("Stopping.");
    await proxy.stop(options.values.shutdown_grace * 1000);
    return 0;
  } catch (error) {
    // What is open must be closed, but the first error is the one to tell.
    await proxy.stop(0).catch(() => {});
    throw error;
  } finally {
    removeSignals();
  }
}
