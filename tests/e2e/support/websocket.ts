/**
 * Both ends of a WebSocket connection through weir, frame by frame: what is sent, and when, is the test's choice.
 * @module
 */
import type { Addon, HttpFlow } from "weir";
import {
  brief,
  closeFrame,
  encode,
  type SeenFrame,
  type TestFrame,
  textOf as utf8,
} from "../../websocket/support.ts";
import { acceptValue } from "../../../src/websocket/mod.ts";
import { Client, type Target } from "./client.ts";
import type { Head } from "./http.ts";
import { type Origin, origin, type OriginOptions } from "./origin.ts";
import { type Options, startProxy, type TestProxy } from "./proxy.ts";
import type { End, Wire } from "./wire.ts";
import { Events, Gate, SOON, within } from "./within.ts";

/** A Sec-WebSocket-Key: 16 bytes in base64. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** One end: sends frames as they are given, reads whatever comes. */
export class RawPeer {
  readonly wire: Wire;
  readonly #masks: boolean;

  /** `masks`: as clients do (RFC 6455 §5.1). */
  constructor(wire: Wire, masks: boolean) {
    this.wire = wire;
    this.#masks = masks;
  }

  /** All frames in one write. */
  async send(...frames: TestFrame[]): Promise<void> {
    const parts = frames.map((frame) => this.encode(frame));
    await this.wire.send(new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()));
  }

  encode(frame: TestFrame): Uint8Array {
    return encode(frame, this.#masks);
  }

  text(payload: string): Promise<void> {
    return this.send({ opcode: 1, payload });
  }

  async frame(): Promise<SeenFrame> {
    const [first, second] = await this.wire.readExactly(2);
    let length = second & 127;
    if (length > 125) {
      const bytes = await this.wire.readExactly(length === 126 ? 2 : 8);
      length = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    const key = second & 128 ? await this.wire.readExactly(4) : null;
    const payload = await this.wire.readExactly(length);
    if (key !== null) { for (let i = 0; i < length; i++) payload[i] ^= key[i % 4]; }
    return {
      fin: (first & 128) !== 0,
      rsv: first >> 4 & 7,
      opcode: first & 15,
      masked: key !== null,
      payload,
    };
  }

  /** The next frame in short, as `text hello`, `ping x`, `close 1000 bye`; `+` marks an unfinished message. */
  async brief(): Promise<string> {
    return brief(await this.frame());
  }

  /** How the connection ended, and that nothing came before that. */
  async ended(): Promise<End> {
    const before = this.wire.bytesRead;
    const end = await this.wire.untilEnd();
    if (this.wire.bytesRead > before) {
      throw new Error(`${this.wire.bytesRead - before} bytes came before the end.`);
    }
    return end;
  }
}

/** A server that takes the handshake and leaves the rest to the test. */
export interface RawServer extends AsyncDisposable {
  readonly origin: Origin;
  /** The first connection after its handshake. */
  readonly peer: Promise<RawPeer>;
}

export interface RawServerOptions extends OriginOptions {
  /** Field lines beside those that are needed, each with its CRLF. */
  fields?: string;
  /** Sent with the 101 in the same write. */
  early?: Uint8Array;
}

export async function rawServer(
  { fields = "", early, ...options }: RawServerOptions = {},
): Promise<RawServer> {
  const { promise: peer, resolve } = Promise.withResolvers<RawPeer>();
  const over = new Gate();
  const server = await origin(async (wire, request) => {
    const head = switching(request.get("sec-websocket-key")!, fields);
    await wire.send(new Uint8Array([...new TextEncoder().encode(head), ...early ?? []]));
    resolve(new RawPeer(wire, false));
    await over.opened;
    wire.close();
  }, options);
  return {
    origin: server,
    peer,
    async [Symbol.asyncDispose]() {
      over.open();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The head of a 101 for that key. */
export function switching(key: string, fields = ""): string {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${acceptValue(key)}\r\n${fields}\r\n`;
}

/** A request for a WebSocket; `target` in absolute-form or origin-form. */
export function upgrade(target: string, host: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${fields}\r\n`;
}

/** The client's side of a handshake through weir, with the head of the answer. */
export async function rawClient(
  proxy: Target & { ca?(): Promise<string> },
  server: Origin,
  { fields = "", path = "/chat", resettable = false } = {},
): Promise<{ client: Client; head: Head; peer: RawPeer }> {
  const client = await Client.connect(proxy, { resettable });
  if (server.scheme === "https") {
    await client.tunnel(server.authority);
    await client.startTls("localhost", await proxy.ca!());
    await client.send(upgrade(path, server.authority, fields));
  } else await client.send(upgrade(server.url(path), server.authority, fields));
  return { client, head: await client.head(), peer: new RawPeer(client, true) };
}

/** A connection through weir, both ends in hand. */
export interface Conversation extends AsyncDisposable {
  readonly proxy: TestProxy;
  readonly client: RawPeer;
  readonly server: RawPeer;
  readonly flow: HttpFlow;
  /** `websocket_start`, `message TEXT`, `websocket_end CODE`, `complete`, `error CODE`. */
  readonly events: Events;
  /** A closing handshake begun by the client; resolves after `complete`. */
  hangUp(): Promise<void>;
}

export interface ConversationSetup {
  addons?: Addon[];
  options?: Options;
  tls?: true;
  resettable?: boolean;
  /** Of the client's request and of the server's answer, for instance an extension. */
  clientFields?: string;
  serverFields?: string;
}

export async function converse(setup: ConversationSetup = {}): Promise<Conversation> {
  const stack = new AsyncDisposableStack();
  try {
    const { resettable, tls } = setup;
    const events = new Events();
    let flow: HttpFlow | null = null;
    const recorder = recordWebSocket(events, (started) => flow = started);
    const proxy = stack.use(await startProxy([...setup.addons ?? [], recorder], setup.options));
    const backend = stack.use(
      await rawServer({ fields: setup.serverFields, ...(tls && { tls }), resettable }),
    );
    const { client: wire, head, peer: client } = await rawClient(proxy, backend.origin, {
      fields: setup.clientFields,
      resettable,
    });
    stack.use(wire);
    if (head.statusCode !== 101) throw new Error(`The handshake was answered ${JSON.stringify(head.raw)}`);
    const server = await within(SOON, backend.peer, "the server's end");
    await events.seen("websocket_start");
    return {
      proxy,
      client,
      server,
      flow: flow!,
      events,
      hangUp: () => hangUp(client, server, events),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function hangUp(client: RawPeer, server: RawPeer, events: Events): Promise<void> {
  await client.send(closeFrame(1000, "bye"));
  while ((await server.frame()).opcode !== 8);
  await server.send(closeFrame(1000, "bye"));
  // RFC 6455 §7.1.1: the server is the first to end the connection.
  server.wire.close();
  while ((await client.frame()).opcode !== 8);
  await client.wire.untilEnd();
  client.wire.close();
  await events.seen("complete");
}

/** Writes down the hooks of WebSocket flows and how those end. */
export function recordWebSocket(events: Events, onStart: (flow: HttpFlow) => void = () => {}): Addon {
  return {
    websocket_start(flow) {
      onStart(flow);
      events.push("websocket_start");
    },
    websocket_message(flow) {
      const { size, isText, content } = flow.websocket!.messages.at(-1)!;
      events.push(`message ${isText && size < 100 ? utf8(content) : `of ${size} bytes`}`);
    },
    websocket_end: (flow) => events.push(`websocket_end ${flow.websocket!.closeCode}`),
    complete: () => events.push("complete"),
    error: (flow) => events.push(`error ${flow.error!.cause.code}`),
  };
}
