/**
 * Cases: from nothing to listening, and what that takes.
 * @module
 */
import type { Peer, PeerName, Running } from "../peers/peer.ts";
import { delay } from "../process.ts";
import { median } from "../statistics.ts";
import { cpuSeconds, residentBytes } from "../usage.ts";
import type { Case, Sample, Work } from "./case.ts";

const PEERS: readonly PeerName[] = ["weir", "mitmdump", "goproxy", "mockttp", "http-mitm-proxy", "nginx"];
/** Starts of which one sample is the median: they are so short that anything else on the machine shows. */
const STARTS = 5;
/** Whoever listens may still be loading. */
const SETTLE_MS = 1000;
const MIB = 1024 * 1024;

export const START_UP: readonly Case[] = [
  {
    name: "start-up to listening",
    unit: "ms",
    peers: PEERS,
    fresh: true,
    reach: [{ than: "mitmdump", atMost: 1 / 3 }],
    measure: startUp,
  },
  {
    name: "idle memory after start-up",
    unit: "MiB",
    peers: PEERS,
    fresh: true,
    reach: [{ than: "mitmdump", atMost: 1.2 }],
    measure: async (_work, running) => {
      await delay(SETTLE_MS);
      return { value: residentBytes(running.pid!) / MIB };
    },
  },
];

async function startUp(work: Work, running: Running, peer: Peer): Promise<Sample> {
  const times = [running.startMs];
  const cpu = [cpuSeconds(running.pid!) * 1000];
  while (times.length < STARTS) {
    await using again = await peer.start(work, {});
    times.push(again.startMs);
    cpu.push(cpuSeconds(again.pid!) * 1000);
  }
  return { value: median(times), details: { "CPU ms": median(cpu) } };
}
