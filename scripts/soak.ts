/**
 * `deno task soak MINUTES [SEED]`: mixed traffic through a weir of its own, every byte checked, until the time is over.
 *
 * HTTP/1.1, HTTP/2, TLS, WebSocket and event streams, bodies buffered, streamed and hooked, clients that
 * leave and origins that die. Prints memory, descriptors and exchanges; the exit status is 1 when anything
 * came out wrong, weir logged an error, or memory or descriptors drift. Linux alone says what a process uses.
 * @module
 */
import { writeCertificate } from "./bench/origins/certificate.ts";
import { Child, delay, freePort, killAll } from "./bench/process.ts";
import { residentBytes } from "./bench/usage.ts";
import { drifts, megabytes, type Sample } from "./soak/drift.ts";
import { startOrigin } from "./soak/origin.ts";
import { randomNumbers } from "./soak/pattern.ts";
import { Clients, type Kind } from "./soak/traffic.ts";

const USAGE = "usage: deno task soak MINUTES [SEED]   (minutes may be a fraction; default: 10)";
const MAIN = new URL("../main.ts", import.meta.url).pathname;
const ADDON = new URL("./soak/addon.ts", import.meta.url).pathname;
/** Exchanges at a time. */
const CLIENTS = 12;
/** Samples in a run, and how far apart they are at least and at most, in milliseconds. */
const SAMPLES = 120, MIN_SAMPLE_MS = 250, MAX_SAMPLE_MS = 10_000;
/** Lines in a run. */
const LINES = 20;
/** So many wrong exchanges are told in full. */
const TOLD = 10;

/** What has happened so far. */
interface Tally {
  readonly kinds: Map<Kind, number>;
  readonly wrong: string[];
  exchanges: number;
}

/** How a soak is run. */
export interface SoakOptions {
  readonly minutes: number;
  /** The same traffic for the same number, as far as time allows. */
  readonly seed: number;
  readonly print: (line: string) => void;
  /** Further addons for weir. */
  readonly scripts?: readonly string[];
}

/** Runs it; resolves to the exit status. */
export async function soak({ minutes, seed, print, scripts = [] }: SoakOptions): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "weir-soak-" });
  const tally: Tally = { kinds: new Map(), wrong: [], exchanges: 0 };
  try {
    await writeCertificate(folder);
    const origin = await startOrigin(folder);
    const port = freePort();
    await using weir = new Child(Deno.execPath(), [
      "run",
      "-A",
      MAIN,
      "-q",
      "-k",
      "-p",
      String(port),
      "--set",
      `confdir=${folder}/conf`,
      ...[ADDON, ...scripts].flatMap((script) => ["-s", script]),
    ]);
    await weir.listening(port);
    print(`weir runs with pid ${weir.pid}; ${minutes} minutes, seed ${seed}`);
    const clients = new Clients({
      proxy: {
        url: `http://127.0.0.1:${port}`,
        caCerts: [await Deno.readTextFile(`${folder}/conf/weir-ca-cert.pem`)],
      },
      plain: origin.plain,
      secure: origin.secure,
      closed: freePort(),
    });
    const end = performance.now() + minutes * 60_000;
    const traffic = Array.from(
      { length: CLIENTS },
      (_, i) => run(clients, randomNumbers(seed * 1000 + i), end, tally),
    );
    const samples = await watch(weir.pid, minutes * 60_000, tally, print);
    await Promise.all(traffic);
    clients[Symbol.dispose]();
    weir.kill("SIGTERM");
    const said = await weir.output();
    await origin.close();
    return judge(samples, tally, said, print);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** One client: exchange after exchange. */
async function run(clients: Clients, random: () => number, end: number, tally: Tally): Promise<void> {
  while (performance.now() < end) {
    try {
      const kind = await clients.exchange(random);
      tally.kinds.set(kind, (tally.kinds.get(kind) ?? 0) + 1);
    } catch (error) {
      tally.wrong.push((error as Error).message);
      // A weir that is gone must not turn this into a loop that does nothing else.
      await delay(100);
    }
    tally.exchanges++;
  }
}

/** Takes samples until the time is over. */
async function watch(
  pid: number,
  ms: number,
  tally: Tally,
  print: (line: string) => void,
): Promise<Sample[]> {
  const step = Math.min(MAX_SAMPLE_MS, Math.max(MIN_SAMPLE_MS, ms / SAMPLES));
  const samples: Sample[] = [];
  const start = performance.now();
  for (let printed = 0; performance.now() - start < ms;) {
    await delay(step);
    const sample = { rss: residentBytes(pid), descriptors: descriptorsOf(pid), exchanges: tally.exchanges };
    samples.push(sample);
    const elapsed = performance.now() - start;
    if (elapsed < printed * ms / LINES) continue;
    printed++;
    print(
      `${(elapsed / 1000).toFixed(0).padStart(6)} s  ${megabytes(sample.rss).padStart(9)}  ` +
        `${String(sample.descriptors).padStart(5)} descriptors  ${
          String(sample.exchanges).padStart(8)
        } exchanges  ` +
        `${tally.wrong.length} wrong`,
    );
  }
  return samples;
}

function descriptorsOf(pid: number): number {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  } catch {
    return 0;
  }
}

function judge(
  samples: readonly Sample[],
  tally: Tally,
  said: string,
  print: (line: string) => void,
): number {
  const kinds = [...tally.kinds].toSorted().map(([kind, count]) => `${kind} ${count}`);
  print(`${tally.exchanges} exchanges: ${kinds.join(", ")}`);
  const faults = [...tally.wrong.slice(0, TOLD), ...samples[0]?.rss ? drifts(samples) : []];
  if (tally.wrong.length > TOLD) faults.push(`… and ${tally.wrong.length - TOLD} more that came out wrong.`);
  if (!samples[0]?.rss) print("Memory and descriptors are not known here: /proc is Linux's.");
  if (said !== "") faults.push(`weir said:\n${said}`);
  for (const fault of faults) print(`WRONG: ${fault}`);
  if (faults.length === 0) print("All came out right, and nothing drifts.");
  return faults.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  const [minutes = "10", seed = "1"] = Deno.args;
  if (!(Number(minutes) > 0) || !Number.isInteger(Number(seed)) || Deno.args.length > 2) {
    console.error(USAGE);
    Deno.exit(1);
  }
  Deno.addSignalListener("SIGINT", () => {
    killAll();
    Deno.exit(130);
  });
  Deno.exit(await soak({ minutes: Number(minutes), seed: Number(seed), print: (line) => console.log(line) }));
}
