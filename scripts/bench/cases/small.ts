/**
 * Cases: many small requests.
 * @module
 */
import { get, type GetSpec } from "../load/get_load.ts";
import { type Peer, PEER_NAMES, type Running } from "../peers/peer.ts";
import { hasOption } from "../peers/weir.ts";
import { median } from "../statistics.ts";
import { type Case, type Sample, withCpu, type Work } from "./case.ts";

const CONNECTIONS = 32;
/** Times that each of two is measured beside the other. */
const SAVING_TURNS = 3;

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
  {
    name: "GET 1 KiB, 32 connections, saved (-w)",
    unit: "req/s",
    peers: ["weir"],
    setup: { weir: ["-w", "flows.mitm"] },
    reach: [{ detail: "weir without ×", atLeast: 0.85 }],
    measure: saving,
  },
];

/** Beside another weir that saves nothing: in turn, so that both have the same of the machine. */
async function saving(work: Work, running: Running, peer: Peer): Promise<Sample> {
  await using without = await peer.start(work, {});
  const there: number[] = [], here: Sample[] = [];
  for (let turn = 0; turn < SAVING_TURNS; turn++) {
    there.push((await small(work, without, false)).value);
    here.push(await small(work, running, false));
  }
  const values = here.map(({ value }) => value);
  const ratio = median(values.map((value, turn) => value / there[turn]));
  const seconds = sum(here.map(({ cpu }) => cpu?.seconds ?? 0));
  const requests = sum(here.map(({ cpu }) => cpu?.requests ?? 0));
  return { value: median(values), details: { "weir without ×": ratio }, cpu: { seconds, requests } };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

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
