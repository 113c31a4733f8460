/**
 * Cases: many small requests.
 * @module
 */
import { get, type GetSpec } from "../load/get_load.ts";
import { PEER_NAMES, type Running } from "../peers/peer.ts";
import { hasOption } from "../peers/weir.ts";
import { type Case, type Sample, withCpu, type Work } from "./case.ts";

const CONNECTIONS = 32;

export const SMALL: readonly Case[] = [
  {
    name: "GET 1 KiB, 32 connections",
    unit: "req/s",
    peers: PEER_NAMES,
    reach: [
      { than: "mitmdump", atLeast: 10 },
      { than: "mockttp", atLeast: 4 },
      { than: "goproxy", atLeast: 1 },
    ],
    measure: (work, running) => small(work, running, false),
  },
  {
    name: "GET 1 KiB, 32 connections, workers=2",
    unit: "req/s",
    peers: ["weir", "goproxy", "nginx"],
    setup: { weir: ["--set", "workers=2"] },
    reach: [{ than: "goproxy", atLeast: 1.3 }],
    missing: () => hasOption("workers") ? null : "weir has no option workers",
    measure: (work, running) => small(work, running, false),
  },
  {
    name: "GET 1 KiB, 32 connections, TLS intercepted",
    unit: "req/s",
    peers: PEER_NAMES,
    reach: [
      { than: "mitmdump", atLeast: 8 },
      { than: "mockttp", atLeast: 2 },
      { than: "http-mitm-proxy", atLeast: 1.2 },
    ],
    measure: (work, running) => small(work, running, true),
  },
];

function small(work: Work, running: Running, secure: boolean): Promise<Sample> {
  const origin = secure ? work.origins.small.secure : work.origins.small.plain;
  const spec: GetSpec = {
    target: { via: running.via(origin, secure), origin, secure },
    path: "/small",
    connections: CONNECTIONS,
    seconds: work.sizes.seconds,
  };
  return withCpu(running, async () => {
    const { requests, seconds, p50, p99 } = await get(work, spec);
    return { value: requests / seconds, details: { "p50 ms": p50, "p99 ms": p99 }, requests };
  });
}
