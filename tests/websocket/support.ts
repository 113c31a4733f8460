/**
 * Peers for the WebSocket tests: frames made and read by hand, apart from the code that is tested.
 * @module
 */
import { type MemoryConn, type MemoryConnOptions, memoryConnPair } from "../support/memory_conn.ts";
import type { WeirError } from "../../src/errors.ts";
import type { MemoryBudget } from "../../src/memory_budget.ts";
import { internals } from "../../src/internals.ts";
import { WebSocketData, type WebSocketMessage } from "../../src/websocket/conversation.ts";
import { relayWebSocket } from "../../src/websocket/mod.ts";
import type { DeflateParams } from "../../src/websocket/extensions.ts";
import type { WebSocketRelay } from "../../src/websocket/relay.ts";

/** A frame as tests write it: whatever is said goes onto the wire, right or wrong. */
export interface TestFrame {
  fin?: boolean;
  /** RSV1 = 4, RSV2 = 2, RSV3 = 1. */
  rsv?: number;
  opcode: number;
  payload?: Uint8Array | string;
}

export const KEY = [0x37, 0xfa, 0x21, 0x3d];

export function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** A frame's bytes; masked as a client's must be, or not. */
export function encode(
  { fin = true, rsv = 0, opcode, payload = "" }: TestFrame,
  masked: boolean,
): Uint8Array {
  const content = bytesOf(payload), { length } = content;
  const head = [(fin ? 0x80 : 0) | rsv << 4 | opcode];
  const bit = masked ? 0x80 : 0;
  if (length < 126) head.push(bit | length);
  else if (length < 65536) head.push(bit | 126, length >> 8, length & 255);
  else head.push(bit | 127, 0, 0, 0, 0, length >>> 24, length >>> 16 & 255, length >>> 8 & 255, length & 255);
  if (masked) head.push(...KEY);
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  for (let i = 0; i < length; i++) bytes[head.length + i] = content[i] ^ (masked ? KEY[i % 4] : 0);
  return bytes;
}

export function closeFrame(code: number, reason = ""): TestFrame {
  return { opcode: 8, payload: new Uint8Array([code >> 8, code, ...bytesOf(reason)]) };
}

/** A frame as it was read: with whether it was masked. */
export interface SeenFrame {
  fin: boolean;
  rsv: number;
  opcode: number;
  masked: boolean;
  payload: Uint8Array;
}

/** One end of the conversation, seen from outside weir. */
export class Peer {
  readonly conn: MemoryConn;
  readonly #masks: boolean;

  constructor(conn: MemoryConn, masks: boolean) {
    this.conn = conn;
    this.#masks = masks;
  }

  async send(...frames: TestFrame[]): Promise<void> {
    for (const frame of frames) await this.conn.write(encode(frame, this.#masks));
  }

  async head(): Promise<
    { fin: boolean; rsv: number; opcode: number; key: Uint8Array | null; length: number }
  > {
    const [first, second] = await this.conn.readExactly(2);
    let length = second & 127;
    if (length > 125) {
      length = Number(
        (await this.conn.readExactly(length === 126 ? 2 : 8)).reduce((n, byte) => n * 256 + byte, 0),
      );
    }
    const key = second & 128 ? await this.conn.readExactly(4) : null;
    return { fin: (first & 128) !== 0, rsv: first >> 4 & 7, opcode: first & 15, key, length };
  }

  async frame(): Promise<SeenFrame> {
    const { fin, rsv, opcode, key, length } = await this.head();
    const payload = await this.conn.readExactly(length);
    if (key !== null) { for (let i = 0; i < length; i++) payload[i] ^= key[i % 4]; }
    return { fin, rsv, opcode, masked: key !== null, payload };
  }

  /** A frame in short: `fin opcode text`, opcodes as letters; RSV bits and close codes are shown. */
  async brief(): Promise<string> {
    return brief(await this.frame());
  }

  /** True when the connection ends here without another byte. */
  async ended(): Promise<boolean> {
    try {
      return await this.conn.countToEnd() === 0;
    } catch {
      return true;
    }
  }
}

const NAMES: Record<number, string> = {
  0: "cont",
  1: "text",
  2: "binary",
  8: "close",
  9: "ping",
  10: "pong",
};

export function brief({ fin, rsv, opcode, payload }: SeenFrame): string {
  const content = opcode === 8 && payload.length >= 2
    ? `${payload[0] << 8 | payload[1]} ${textOf(payload.subarray(2))}`
    : rsv !== 0
    ? `${payload.length} bytes`
    : textOf(payload);
  return `${NAMES[opcode]}${fin ? "" : "+"}${rsv === 0 ? "" : ` rsv${rsv}`} ${content}`.trimEnd();
}

export interface RelaySetup {
  memory?: MemoryBudget;
  stream?: boolean;
  deflate?: DeflateParams | null;
  messageLimit?: number;
  closeTimeout?: number;
  history?: { messages: number; bytes: number };
  onMessage?: (message: WebSocketMessage, data: WebSocketData) => Promise<void> | void;
  conn?: MemoryConnOptions;
}

export interface RelayTest {
  client: Peer;
  server: Peer;
  data: WebSocketData;
  relay: WebSocketRelay;
  warnings: string[];
}

/** A relay between two in-memory peers. */
export function startRelay(setup: RelaySetup = {}): RelayTest {
  const [client, clientLeg] = memoryConnPair(setup.conn);
  const [server, serverLeg] = memoryConnPair(setup.conn);
  const data = new WebSocketData(setup.history ?? { messages: 1000, bytes: 16 << 20 });
  data[internals].memory = setup.memory ?? null;
  data.stream = setup.stream ?? false;
  const warnings: string[] = [];
  const { onMessage } = setup;
  const relay = relayWebSocket({
    client: clientLeg,
    server: serverLeg,
    deflate: setup.deflate ?? null,
    data,
    messageLimit: setup.messageLimit ?? 64 << 20,
    closeTimeout: setup.closeTimeout,
    ...(onMessage && { onMessage: (message: WebSocketMessage) => onMessage(message, data) }),
    warn: (text) => warnings.push(text),
  });
  return { client: new Peer(client, true), server: new Peer(server, false), data, relay, warnings };
}

/** Closes in order, from the client; asserts nothing. */
export async function hangUp({ client, server, relay }: RelayTest): Promise<WeirError | null> {
  await client.send(closeFrame(1000));
  while ((await server.frame()).opcode !== 8);
  await server.send(closeFrame(1000));
  server.conn.close();
  while ((await client.frame()).opcode !== 8);
  client.conn.close();
  return await relay.ended;
}

export const TAKEOVER: DeflateParams = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
