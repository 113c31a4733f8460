/**
 * weir while it runs: listening, then whatever it runs for (a signal, a browser beside it, a command), then stopping.
 * @module
 */
import { resolve } from "node:path";
import { escapeControl } from "../escape.ts";
import { expandHome, type OptionRegistry } from "../options/mod.ts";
import { stderr } from "../output.ts";
import type { Listening } from "../proxy/mod.ts";
import { type Browser, launchBrowser } from "./browser.ts";
import type { ScriptedProxy } from "./environment.ts";
import { runCommand } from "./exec.ts";
import { hasAuthority, proxyUrlOf, welcome } from "./first_run.ts";
import { removeAbandoned } from "../temporary.ts";
import { UsageError } from "./flags.ts";
import type { TermLog } from "./log.ts";
import { onStopSignal, type SignalSource } from "./signals.ts";
import { startWatchdog } from "./watchdog.ts";
import type { Workers } from "./workers.ts";

/** What {@linkcode serve} works with. */
export interface ServeInit {
  /** Its addons are loaded. */
  readonly proxy: ScriptedProxy;
  readonly options: OptionRegistry;
  readonly log: TermLog;
  readonly signals: SignalSource;
  /** Resolved to have weir end. */
  readonly stopping: PromiseWithResolvers<void>;
  /** Path of a browser to start. */
  readonly browser: string | null;
  /** Command of `exec`. */
  readonly command: readonly string[] | null;
  /** It is to have no way out but weir. */
  readonly isIsolated?: boolean;
  /** Says what went wrong. */
  readonly complain: (text: string) => void;
  /** The other isolates. */
  readonly workers: Workers;
}

/** Runs the proxy to its end; resolves to the exit status. */
export async function serve(init: ServeInit): Promise<number> {
  const { proxy, options, log, signals, stopping, browser, command, workers } = init;
  const confdir = resolve(expandHome(options.values.confdir));
  const isKnown = await hasAuthority(confdir);
  // A command gets the signals.
  const signalled = Promise.withResolvers<void>();
  let isLeaving = false;
  const onSignal = () => {
    isLeaving = true;
    proxy.leave?.();
    signalled.resolve();
    stopping.resolve();
  };
  const removeSignals = command ? () => {} : onStopSignal(onSignal, signals);
  const isWatched = !command && signals === Deno && options.values.scripts.length > 0;
  const watchdog = isWatched ? await startWatchdog((text) => log.debug(text)) : null;
  try {
    // An addon may never come to the end of its `configure` or `running`. With a command signals are not weir's matter.
    const starting = started(init);
    const listening = await (command ? starting : Promise.race([starting, stopping.promise]));
    let status = 0;
    let browsed: Browser | null = null;
    if (listening !== undefined) {
      const proxyUrl = proxyUrlOf(listening);
      if (!isKnown && await hasAuthority(confdir)) log.info(welcome(confdir, proxyUrl));
      void removeAbandoned();
      if (command) {
        status = await runCommand({
          ...init,
          command,
          confdir,
          gate: proxy.gate,
          proxyUrl: needed(proxyUrl, "exec"),
        });
      } else if (browser !== null) {
        browsed = await browse(init, browser, needed(proxyUrl, "--browser"), confdir);
      } else await stopping.promise;
    }
    const delayMs = isLeaving && listening !== undefined ? options.values.shutdown_delay * 1000 : 0;
    if (delayMs > 0) {
      log.info(
        `Stopping in ${delayMs / 1000} s; until then connections are taken (Ctrl-C again ends weir at once).`,
      );
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
    log.debug("Stopping.");
    // Whoever ran a command waits for it, and not for addons.
    if (command) signalled.resolve();
    const graceMs = options.values.shutdown_grace * 1000;
    await Promise.all([proxy.stop(graceMs, signalled.promise), workers.stop(graceMs), browsed?.close()]);
    const summary = command ? proxy.gate?.summary() ?? "" : "";
    if (summary !== "") stderr.print(`${summary.trimEnd().split("\n").map(escapeControl).join("\n")}\n`);
    return status === 0 && proxy.hasFailed ? 1 : status;
  } finally {
    watchdog?.stop();
    removeSignals();
  }
}

async function started({ proxy, workers }: ServeInit): Promise<readonly Listening[]> {
  const listening = await proxy.start();
  await workers.started(listening);
  return listening;
}

/** A browser beside the proxy: weir goes on when its window is closed, and takes it along when it ends. */
async function browse(
  { stopping, log }: ServeInit,
  path: string,
  proxyUrl: string,
  confdir: string,
): Promise<Browser> {
  const browser = await launchBrowser(path, { proxyUrl, confdir });
  const isFirst = await Promise.race([browser.ended.then(() => true), stopping.promise.then(() => false)]);
  if (isFirst) log.info("The browser has ended; weir goes on until Ctrl-C.");
  await stopping.promise;
  return browser;
}

function needed(proxyUrl: string | null, what: string): string {
  if (proxyUrl !== null) return proxyUrl;
  throw new UsageError(`${what} needs a proxy to go through: add --mode regular`);
}
