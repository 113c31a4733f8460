/**
 * Load task: a client that asks for a large body and stops reading. The origin, in this process, tells how much of it
 * was taken before everything stood still.
 * @module
 */
import { listen } from "../origins/server.ts";
import { Client } from "./client.ts";
import type { Via } from "./target.ts";

export interface StalledSpec {
  /** Null: straight to the origin. */
  readonly via: Via | null;
  readonly size: number;
}

export interface StalledResult {
  /** Bytes that the origin could write. */
  readonly drained: number;
}

const BLOCK = new Uint8Array(64 * 1024);
/** Nothing written for so long means that it stands still. */
const STILL_MS = 1000;
/** How long somebody who takes everything is watched. */
const LIMIT_MS = 20_000;

export async function stalled({ via, size }: StalledSpec): Promise<StalledResult> {
  let drained = 0;
  let last = performance.now();
  const server = listen(async (_request, wire) => {
    await wire.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${size}\r\n\r\n`);
    while (drained < size) {
      await wire.write(BLOCK);
      drained += BLOCK.length;
      last = performance.now();
    }
  });
  const port = Number(server.origin.split(":")[1]);
  const client = await Client.connect({
    via: via ?? { kind: "server", port },
    origin: server.origin,
    secure: false,
  });
  await client.send("GET", "/large");
  await client.receive();
  last = performance.now();
  const limit = last + LIMIT_MS;
  while (performance.now() - last < STILL_MS && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  client.close();
  server.close();
  return { drained };
}
