/**
 * Cases: memory while there is much to hold on to.
 * @module
 */
import { load } from "../load/run.ts";
import type { PeerName, Running } from "../peers/peer.ts";
import { residentBytes, watchMemory } from "../usage.ts";
import { type Case, type Sample, withCpu, type Work } from "./case.ts";

const PEERS: readonly PeerName[] = ["weir", "mitmdump", "goproxy", "mockttp", "http-mitm-proxy"];
const BUSY = 32;
const KIB = 1024;
const MIB = 1024 * KIB;

export const MEMORY: readonly Case[] = [
  {
    name: "1 000 idle and 32 busy connections: memory per connection",
    unit: "KiB",
    peers: [...PEERS, "nginx"],
    fresh: true,
    measure: idle,
  },
  {
    name: "stalled reader: memory growth",
    unit: "MiB",
    peers: PEERS,
    setup: { stream: true },
    fresh: true,
    reach: [{ atMost: 32 }],
    measure: stalled,
  },
];

async function idle(work: Work, running: Running): Promise<Sample> {
  const origin = work.origins.small.plain;
  const target = { via: running.via(origin, false), origin, secure: false };
  const spec = { target, path: "/small", connections: BUSY, seconds: work.sizes.seconds };
  // What it takes to get going belongs to no connection.
  await load("get", spec);
  const pid = running.pid!;
  const before = residentBytes(pid);
  const stop = watchMemory(pid);
  const count = work.sizes.idleConnections;
  return await withCpu(running, async () => {
    const { requests, seconds, p50, p99 } = await load("get", { ...spec, idle: count });
    const value = (stop() - before) / (count + BUSY) / KIB;
    return {
      value,
      details: { "req/s": requests / seconds, "p50 ms": p50, "p99 ms": p99 },
      requests: requests + count,
    };
  });
}

async function stalled(work: Work, running: Running): Promise<Sample> {
  const via = running.via("", false);
  // First something short, so that code which is loaded on demand is not counted.
  const target = { via, origin: work.origins.bulk.plain, secure: false };
  await load("download", { target, path: `/length/${MIB}`, size: MIB });
  const pid = running.pid!;
  const before = residentBytes(pid);
  const stop = watchMemory(pid);
  const { drained } = await load("stalled", { via, size: work.sizes.large });
  return { value: (stop() - before) / MIB, details: { "drained MiB": drained / MIB } };
}
