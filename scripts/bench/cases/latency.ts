/**
 * Cases: what a proxy adds to the time that something takes to arrive.
 * @module
 */
import type { LatencyResult } from "../load/latency.ts";
import { load } from "../load/run.ts";
import type { PeerName, Running } from "../peers/peer.ts";
import { type Case, type Sample, withCpu, type Work } from "./case.ts";

/** Not nginx: the origin of these cases comes and goes. */
const PEERS: readonly PeerName[] = ["weir", "mitmdump", "goproxy", "mockttp", "http-mitm-proxy"];

export const LATENCY: readonly Case[] = [
  {
    name: "events at 100 Hz: added latency",
    unit: "ms",
    peers: PEERS,
    setup: { stream: true },
    reach: [{ atMost: 0.3 }, { detail: "p99 ms", atMost: 1.5 }],
    measure: async (work, running) => {
      const { through, direct } = await compare(work, running, "events");
      return { value: through.p50 - direct.p50, details: { "p99 ms": through.p99 - direct.p99 } };
    },
  },
  {
    name: "time to first byte of a body that goes on",
    unit: "ms",
    peers: PEERS,
    setup: { stream: true },
    measure: (work, running): Promise<Sample> =>
      withCpu(running, async () => {
        const { through, direct } = await compare(work, running, "firstByte");
        return { value: through.p50, details: { "p99 ms": through.p99, "no proxy ms": direct.p50 } };
      }),
  },
];

/** The same through the proxy and straight to the origin. */
async function compare(
  work: Work,
  running: Running,
  task: "events" | "firstByte",
): Promise<{ through: LatencyResult; direct: LatencyResult }> {
  const count = work.sizes.events;
  const direct = await load(task, { via: null, count });
  const through = await load(task, { via: running.via("", false), count });
  return { through, direct };
}
