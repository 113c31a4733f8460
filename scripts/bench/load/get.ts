/**
 * Load task: the same small GET over and over on keep-alive connections, and the same beside connections that idle.
 * @module
 */
import { percentile } from "../statistics.ts";
import { Client } from "./client.ts";
import type { Target } from "./target.ts";

export interface GetSpec {
  readonly target: Target;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** Connections that have made one request each and stay open. */
  readonly idle?: number;
}

export interface GetResult {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** How many of the idle connections are opened at a time: fewer than any backlog. */
const OPEN_AT_ONCE = 20;

export async function get(spec: GetSpec): Promise<GetResult> {
  const idle: Client[] = [];
  for (let left = spec.idle ?? 0; left > 0; left -= OPEN_AT_ONCE) {
    idle.push(
      ...await Promise.all(Array.from({ length: Math.min(left, OPEN_AT_ONCE) }, async () => {
        const client = await Client.connect(spec.target);
        await once(client, spec.path);
        return client;
      })),
    );
  }
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + spec.seconds * 1000;
  await Promise.all(Array.from({ length: spec.connections }, () => repeat(spec, end, latencies)));
  const seconds = (performance.now() - start) / 1000;
  for (const client of idle) client.close();
  return {
    requests: latencies.length,
    seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

async function repeat(spec: GetSpec, end: number, latencies: number[]): Promise<void> {
  let client: Client | null = null;
  for (let now = performance.now(); now < end;) {
    client ??= await Client.connect(spec.target);
    const keep = await once(client, spec.path);
    if (!keep) {
      client.close();
      client = null;
    }
    const done = performance.now();
    latencies.push(done - now);
    now = done;
  }
  client?.close();
}

/** One request; resolves to whether the connection stays open. */
async function once(client: Client, path: string): Promise<boolean> {
  await client.send("GET", path);
  const head = await client.receive();
  await client.wire.body(head);
  return head.fields.get("connection")?.toLowerCase() !== "close";
}
