/**
 * What a piece of work is: what it needs, how it is done once, and what weir is expected to reach.
 * @module
 */
import type { Peer, PeerName, Running, Setup, Workshop } from "../peers/peer.ts";
import { cpuSeconds } from "../usage.ts";

/** How much work; `--quick` makes less of it. */
export interface Sizes {
  /** Bytes of a large body. */
  readonly large: number;
  /** Bytes of a body that is buffered. */
  readonly buffered: number;
  /** Bytes of a body that is decoded and encoded again. */
  readonly coded: number;
  /** How long requests are repeated. */
  readonly seconds: number;
  /** Events, or requests one after the other. */
  readonly events: number;
  readonly idleConnections: number;
}

export interface Work extends Workshop {
  readonly sizes: Sizes;
  readonly tools: { readonly wrk: boolean; readonly curl: boolean; readonly h2load: boolean };
}

/** One measurement of one proxy. */
export interface Sample {
  /** In the case's unit. */
  readonly value: number;
  /** Further figures by their label, unit included. */
  readonly details?: Readonly<Record<string, number>>;
  /** CPU seconds of the proxy's process tree, and what they were spent on. */
  readonly cpu?: { readonly seconds: number; readonly requests?: number; readonly bytes?: number };
}

/** What weir should reach: its value, or one of its details, or its value divided by a peer's. */
export interface Reach {
  readonly detail?: string;
  readonly than?: PeerName;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Case {
  readonly name: string;
  readonly unit: string;
  readonly peers: readonly PeerName[];
  readonly setup?: Setup;
  /** Whether each measurement needs a process that has done nothing before. */
  readonly fresh?: boolean;
  readonly reach?: readonly Reach[];
  /** Why this cannot be measured here, or null. */
  missing?(work: Work): string | null;
  measure(work: Work, running: Running, peer: Peer): Promise<Sample>;
}

/** Does `task` and adds the CPU time that the proxy spent meanwhile. */
export async function withCpu(
  running: Running,
  task: () => Promise<Sample & { readonly requests?: number; readonly bytes?: number }>,
): Promise<Sample> {
  const before = running.pid === null ? 0 : cpuSeconds(running.pid);
  const { requests, bytes, ...sample } = await task();
  if (running.pid === null) return sample;
  return { ...sample, cpu: { seconds: cpuSeconds(running.pid) - before, requests, bytes } };
}
