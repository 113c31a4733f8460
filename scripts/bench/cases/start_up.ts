/**
 * Cases: from nothing to listening, and what that takes.
 * @module
 */
import type { PeerName } from "../peers/peer.ts";
import { delay } from "../process.ts";
import { cpuSeconds, residentBytes } from "../usage.ts";
import type { Case } from "./case.ts";

const PEERS: readonly PeerName[] = ["weir", "mitmdump", "goproxy", "mockttp", "http-mitm-proxy", "nginx"];
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
    measure: (_work, running) =>
      Promise.resolve({
        value: running.startMs,
        details: { "CPU ms": cpuSeconds(running.pid!) * 1000 },
      }),
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
