/**
 * Load tasks: WebSocket messages down and up, as many as there is room for.
 * @module
 */
import { frames, MessageCounter } from "../websocket.ts";
import { Client } from "./client.ts";
import type { Target } from "./target.ts";

export interface MessagesSpec {
  readonly target: Target;
  /** Bytes of each message. */
  readonly size: number;
  readonly seconds: number;
}

export interface MessagesResult {
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
}

const BATCH = 64 * 1024;
const HANDSHAKE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** Counts what a flooding origin gets through for some seconds. */
export async function messagesDown({ target, size, seconds }: MessagesSpec): Promise<MessagesResult> {
  const client = await open(target, `/flood/${size}`);
  const counter = new MessageCounter();
  const start = performance.now();
  for (let now = start; now - start < seconds * 1000; now = performance.now()) {
    const bytes = await client.wire.bytes();
    if (bytes === null) throw new Error("The connection ended.");
    counter.feed(bytes);
  }
  const taken = (performance.now() - start) / 1000;
  client.close();
  return { messages: counter.messages, bytes: counter.payload, seconds: taken };
}

/** Floods the origin for some seconds and waits until it has counted everything. */
export async function messagesUp({ target, size, seconds }: MessagesSpec): Promise<MessagesResult> {
  const client = await open(target, "/count");
  const count = Math.max(1, Math.floor(BATCH / size));
  const block = frames(size, count, true);
  let messages = 0;
  const start = performance.now();
  while (performance.now() - start < seconds * 1000) {
    await client.wire.write(block);
    messages += count;
  }
  await client.wire.write(frames(1, 1, true));
  const answer = new MessageCounter();
  while (answer.messages === 0) {
    const bytes = await client.wire.bytes();
    if (bytes === null) throw new Error("The connection ended before everything was counted.");
    answer.feed(bytes);
  }
  const taken = (performance.now() - start) / 1000;
  client.close();
  return { messages, bytes: messages * size, seconds: taken };
}

async function open(target: Target, path: string): Promise<Client> {
  const client = await Client.connect(target);
  await client.send("GET", path, HANDSHAKE);
  await client.receive(101);
  return client;
}
