/**
 * weir from its arguments to its exit status.
 *
 * The order matters: weir's own options are known and checked first, then addons are loaded, which register theirs,
 * then what is left of the file and the flags must be known. Nothing listens before all of it is right.
 * @module
 */
import { messageOf } from "../errors.ts";
import { escapeControl } from "../escape.ts";
import { applyAll, applyKnown, OptionRegistry, readConfigFile } from "../options/mod.ts";
import type { Environment } from "./environment.ts";
import { execDefaults, type ExecLine, splitExec } from "./exec_line.ts";
import { type ParsedFlags, parseFlags, refuseUnknown, resolveFlags, UsageError, type Word } from "./flags.ts";
import { INNER } from "./isolate/word.ts";
import { jsonLine, TermLog } from "./log.ts";
import { stderr, stdout } from "../output.ts";
import { writeText } from "./output.ts";
import { workersOf } from "./workers.ts";

/** Columns where there is no terminal. */
const DEFAULT_WIDTH = 80;

const decoder = new TextDecoder();

/** So long (ms) is what was printed last waited for, before weir ends. */
const LAST_OUTPUT_MS = 1_000;

/** The process that weir runs in. */
export const REAL: Environment = {
  // Imported here so that --version and bad flags need not wait for all of weir to be loaded.
  makeProxy: async (init) => (await import("./wiring.ts")).makeProxy(init),
  stdout: Deno.stdout,
  stderr: {
    writeSync: (bytes) => {
      stderr.print(decoder.decode(bytes));
      return bytes.length;
    },
  },
  signals: Deno,
  width: () => Deno.stdout.isTerminal() ? Deno.consoleSize().columns : DEFAULT_WIDTH,
};

/** Runs weir to its end; resolves to the exit status: 0, or 1 when it could not start; with `exec` and `diff` the command's. */
export async function run(argv: readonly string[], env: Environment = REAL): Promise<number> {
  const known = new OptionRegistry();
  const complain = (text: string) => {
    const line = text.trimEnd().replaceAll(/\s*\n\s*/g, " ");
    const isJson = known.values.log_format === "json";
    writeText(
      env.stderr,
      isJson ? `${jsonLine("error", line, new Date())}\n` : `weir: error: ${escapeControl(line)}\n`,
    );
  };
  try {
    return await start(argv, env, known, complain);
  } catch (error) {
    complain(messageOf(error));
    return 1;
  } finally {
    await Promise.all([stdout.flush(LAST_OUTPUT_MS), stderr.flush(LAST_OUTPUT_MS)]);
  }
}

async function start(
  argv: readonly string[],
  env: Environment,
  options: OptionRegistry,
  complain: (text: string) => void,
): Promise<number> {
  if (argv[0] === "diff") {
    const { diff } = await import("./diff/mod.ts");
    return await diff(argv.slice(1), env.stdout);
  }
  if (argv[0] === INNER) {
    const { runInside } = await import("./isolate/inner.ts");
    return await runInside(argv[1], complain);
  }
  if (argv[0] === "policy") {
    const { policy } = await import("./policy.ts");
    return await policy(argv.slice(1), env.stdout);
  }
  const exec = splitExec(argv);
  const flags = parseFlags(exec?.flags ?? argv);
  if (flags.shows === "version") {
    const { formatVersion } = await import("./help.ts");
    writeText(env.stdout, formatVersion());
    return 0;
  }
  if (flags.shows === "types" && flags.typesTo !== null) {
    const { writeTypes } = await import("./types.ts");
    writeText(env.stdout, await writeTypes(flags.typesTo));
    return 0;
  }
  const showsOnly = flags.shows !== null;
  if (exec && !showsOnly) checkExec(exec, flags);
  const browser = flags.browser && !showsOnly && !env.workers
    ? (await import("./browser.ts")).findBrowser()
    : null;
  // Help must come whatever else is wrong; only scripts matter, because their options are shown as well.
  const isHelp = showsOnly && flags.shows !== "options";
  const pending = isHelp ? flags.pending.filter(({ name }) => name === "scripts") : flags.pending;
  const log = new TermLog({
    level: () => showsOnly ? "error" : options.values.termlog_verbosity,
    format: () => options.values.log_format,
    writer: env.stderr,
  });
  const stopping = Promise.withResolvers<void>();

  // Where the file is, only flags can say.
  const own = resolveFlags(pending, options);
  const confdir = own.values.get("confdir");
  if (confdir !== undefined) await options.updateNamed([["confdir", confdir]]);
  let file = isHelp ? null : await readConfigFile(options.values.confdir);
  if (file !== null) file = await applyKnown(file, options, (text) => log.warn(text));
  const first = resolveFlags(pending, options);
  await options.updateNamed([...exec ? execDefaults(first.values) : [], ...first.values]);

  const proxy = await env.makeProxy({
    options,
    log,
    onShutdown: stopping.resolve,
    onFailure: complain,
    addresses: env.addresses,
  });
  try {
    await proxy.load(options.values.scripts);
    if (file !== null) await applyAll(file, options);
    const second = resolveFlags(first.unknown, options);
    await refuseUnknown(second.unknown, options);
    await options.updateNamed(second.values);
    await useFilter([...flags.words, ...first.words, ...second.words], options);
    if (showsOnly) {
      writeText(env.stdout, await shownText(flags, options, env));
      await proxy.stop(0);
      return 0;
    }
    // A command or a browser is to run as it does without weir: what nobody looks at is not waited for.
    if ((exec || flags.browser) && !options.isSet("stream_unread")) {
      await options.updateNamed([["stream_unread", true]]);
    }
    // The output of a command is its own, and so is that of files that are written to it.
    const isTaken = exec !== null ||
      TO_STDOUT.some((name) => options.has(name) && options.values.get(name) === "-");
    if (isTaken && options.has("flows_to_stderr")) await options.updateNamed([["flows_to_stderr", true]]);
    const { serve } = await import("./serve.ts");
    const { signals } = env;
    return await serve({
      proxy,
      options,
      log,
      signals,
      stopping,
      browser,
      complain,
      command: env.workers ? null : exec?.command ?? null,
      isIsolated: exec?.isIsolated ?? false,
      workers: env.workers ?? workersOf(options.values.workers, argv, log, stopping.resolve),
    });
  } catch (error) {
    // What is open must be closed, but the first error is the one to tell.
    await proxy.stop(0).catch(() => {});
    throw error;
  }
}

/** Options whose value `-` is standard output. */
const TO_STDOUT = ["save_stream_file", "hardump"] as const;

/** Options that a filter on the command line sets. */
const FILTERED = ["dumper_filter", "readfile_filter", "save_stream_filter"] as const;

/** What belongs to no flag is a filter, in words (mitmdump). @throws {FilterError} */
async function useFilter(words: readonly Word[], options: OptionRegistry): Promise<void> {
  if (words.length === 0) return;
  const text = words.toSorted((a, b) => a.at - b.at).map((word) => word.text).join(" ");
  const { parseFilter } = await import("../filter/mod.ts");
  parseFilter(text);
  await options.updateNamed(FILTERED.filter((name) => options.has(name)).map((name) => [name, text]));
}

function checkExec({ command }: ExecLine, { browser }: ParsedFlags): void {
  if (command.length === 0) throw new UsageError("exec needs a command: weir exec [options] [--] COMMAND");
  if (browser) throw new UsageError("exec starts a command and --browser a browser: choose one");
}

/** What flags ask to print, with the options of addons in it. */
async function shownText(flags: ParsedFlags, options: OptionRegistry, env: Environment): Promise<string> {
  const { shows, shell } = flags;
  if (shows === "man") return (await import("./man.ts")).formatMan(options);
  if (shows === "completions" && shell !== null) {
    return (await import("./completions.ts")).formatCompletions(shell, options);
  }
  const { formatHelp, formatOptions } = await import("./help.ts");
  return shows === "help" ? formatHelp(options, env.width()) : formatOptions(options);
}
