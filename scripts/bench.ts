/**
 * `deno task bench`: weir and its peers do the same work in turn; the result is one Markdown table on stdout.
 *
 * What is missing on this machine is skipped, with a line on stderr that says how to install it.
 * @module
 */
import { CASES } from "./bench/cases.ts";
import type { Sizes, Work } from "./bench/cases/case.ts";
import { parseFlags, USAGE } from "./bench/flags.ts";
import { startOrigins } from "./bench/origins.ts";
import { PEERS } from "./bench/peers.ts";
import type { Peer } from "./bench/peers/peer.ts";
import { installed, killAll } from "./bench/process.ts";
import { measure } from "./bench/rounds.ts";
import { markdown, rows } from "./bench/table.ts";

const CACHE = new URL("../.bench", import.meta.url).pathname;
const MIB = 1024 * 1024;
const FULL: Sizes = {
  large: 1024 * MIB,
  buffered: 100e6,
  coded: 64 * MIB,
  seconds: 4,
  events: 300,
  idleConnections: 1000,
};
const QUICK: Sizes = {
  large: 128 * MIB,
  buffered: 20e6,
  coded: 16 * MIB,
  seconds: 1,
  events: 50,
  idleConnections: 200,
};

async function main(args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, PEERS.map(({ name }) => name));
  if (flags.help) return console.log(USAGE);
  const sizes = flags.quick ? QUICK : FULL;
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "weir-bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.mkdir(CACHE, { recursive: true });
  const interrupted = () => {
    killAll();
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, interrupted);
    stack.defer(() => Deno.removeSignalListener(signal, interrupted));
  }

  const origins = stack.use(await startOrigins(folder, sizes.large));
  const work: Work = { folder, cache: CACHE, origins, sizes, tools: await findTools() };
  const wanted = PEERS.filter(({ name }) =>
    name === "weir" || flags.peers === null || flags.peers.includes(name)
  );
  const peers: Peer[] = [];
  for (const peer of wanted) {
    const reason = await peer.prepare(work).catch(String);
    if (reason === null) peers.push(peer);
    else console.error(`Skipped ${peer.name}: ${reason}`);
  }
  const heading = await describe(work, peers, flags.rounds);
  const table: string[][] = [];
  for (const job of CASES.filter(({ name }) => flags.only.test(name))) {
    const reason = job.missing?.(work) ?? null;
    if (reason === null) {
      table.push(...rows(job, await measure(job, work, peers, flags.rounds, (text) => console.error(text))));
    } else console.error(`Skipped ${job.name}: ${reason}`);
  }
  console.log(heading + "\n\n" + markdown(table));
}

async function findTools(): Promise<Work["tools"]> {
  const [wrk, curl, h2load] = await Promise.all(["wrk", "curl", "h2load"].map(installed));
  if (!wrk) console.error("Without wrk (apt-get install wrk) the load itself takes more of the machine.");
  return { wrk, curl, h2load };
}

/** What a reader needs to compare this table with another. */
async function describe(work: Work, peers: readonly Peer[], rounds: number): Promise<string> {
  const cpu = /^model name\s*:\s*(.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "unknown CPU";
  const versions = [];
  for (const peer of peers) {
    const version = await peer.version(work).catch(() => "?");
    if (version !== "") versions.push(`${peer.name} ${version}`);
  }
  const large = `${work.sizes.large / MIB} MiB`;
  return `${navigator.hardwareConcurrency} × ${cpu}, Deno ${Deno.version.deno}; ${versions.join("; ")}. ` +
    `Large bodies: ${large}; requests for ${work.sizes.seconds} s; ${rounds} round${
      rounds === 1 ? "" : "s"
    }.`;
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  killAll();
  Deno.exit(1);
}
