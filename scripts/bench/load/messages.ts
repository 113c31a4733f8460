/**
 * Load tasks: WebSocket messages down and up, as many as there is room for.
 * @module
 */
import { receive, send } from "../flood.ts";
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

const HANDSHAKE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** Counts what a flooding origin gets through for some seconds. */
export function messagesDown(spec: MessagesSpec): Promise<MessagesResult> {
  return run(spec, `/flood/${spec.size}`, receive);
}

/** Floods the origin for some seconds. */
export function messagesUp(spec: MessagesSpec): Promise<MessagesResult> {
  return run(spec, `/drain/${spec.size}`, send);
}

async function run(
  { target, size, seconds }: MessagesSpec,
  path: string,
  task: typeof send,
): Promise<MessagesResult> {
  const client = await open(target, path);
  const start = performance.now();
  const messages = await task(client.wire, size, true, () => performance.now() - start > seconds * 1000);
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
