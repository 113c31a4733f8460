/**
 * Load tasks about waiting: events one at a time, and the first byte of a body that goes on. Their origin is in this
 * process, so that both ends have one clock.
 * @module
 */
import { listen } from "../origins/server.ts";
import { percentile } from "../statistics.ts";
import { Client } from "./client.ts";
import type { Via } from "./target.ts";

export interface LatencySpec {
  /** Null: straight to the origin. */
  readonly via: Via | null;
  readonly count: number;
}

/** Milliseconds. */
export interface LatencyResult {
  readonly p50: number;
  readonly p99: number;
}

const EVENTS_PER_SECOND = 100;
/** The rest of a body is held back no longer than this, for proxies that wait for it. */
const HOLD_MS = 250;
/** Sent first; more than one byte, because that is what mitmproxy's `stream_large_bodies=1` lets pass unseen. */
const FIRST_PIECE = chunk("x".repeat(64));

/** Events at 100 Hz in one response: from the write at the origin to the read at the client. */
export async function events({ via, count }: LatencySpec): Promise<LatencyResult> {
  const server = listen(async (_request, wire) => {
    await wire.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    const start = performance.now();
    for (let sent = 0; sent < count; sent++) {
      const due = start + sent * 1000 / EVENTS_PER_SECOND;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      await wire.write(chunk(`data: ${performance.now()}\n\n`));
    }
    await wire.write("0\r\n\r\n");
  });
  const client = await connect(via, server.origin);
  await client.send("GET", "/events");
  const latencies: number[] = [];
  let text = "";
  const decoder = new TextDecoder();
  await client.wire.body(await client.receive(), (bytes) => {
    const now = performance.now();
    const lines = (text + decoder.decode(bytes)).split("\n\n");
    text = lines.pop()!;
    for (const line of lines) latencies.push(now - Number(line.slice("data: ".length)));
  });
  client.close();
  server.close();
  if (latencies.length !== count) throw new Error(`${latencies.length} of ${count} events arrived.`);
  // The first one pays for the connection and the head.
  return summary(latencies.slice(1));
}

/** Requests one after the other; each body ends only when its first byte has arrived, or nobody passes it on. */
export async function firstByte({ via, count }: LatencySpec): Promise<LatencyResult> {
  let arrived = Promise.withResolvers<void>();
  const server = listen(async (_request, wire) => {
    await wire.write("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n");
    await wire.write(FIRST_PIECE);
    const timer = setTimeout(arrived.resolve, HOLD_MS);
    await arrived.promise;
    clearTimeout(timer);
    await wire.write(chunk("the rest") + "0\r\n\r\n");
  });
  const client = await connect(via, server.origin);
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    arrived = Promise.withResolvers<void>();
    const start = performance.now();
    await client.send("GET", "/held");
    await client.wire.body(await client.receive(), () => {
      if (latencies.length === i) latencies.push(performance.now() - start);
      arrived.resolve();
    });
  }
  client.close();
  server.close();
  return summary(latencies);
}

function connect(via: Via | null, origin: string): Promise<Client> {
  const direct: Via = { kind: "server", port: Number(origin.split(":")[1]) };
  return Client.connect({ via: via ?? direct, origin, secure: false });
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

function summary(latencies: readonly number[]): LatencyResult {
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}
