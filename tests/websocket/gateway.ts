/**
 * A bare gateway over real sockets: passes the handshake, filtered and checked, then relays. For tests and measurements.
 * @module
 */
import type { WeirError } from "../../src/errors.ts";
import { Headers } from "../../src/http/headers.ts";
import { WebSocketData, type WebSocketMessage } from "../../src/websocket/conversation.ts";
import type { RequestHead, ResponseHead } from "../../src/http/wire.ts";
import type { Conn } from "../../src/net/conn.ts";
import { listen } from "../../src/net/listen.ts";
import { dial } from "../../src/net/tcp.ts";
import { checkRequest, checkResponse, filterOffer, relayWebSocket } from "../../src/websocket/mod.ts";
import { prefixed } from "../support/prefixed.ts";

export interface GatewaySetup {
  stream?: boolean;
  history?: { messages: number; bytes: number };
  onMessage?: (message: WebSocketMessage, data: WebSocketData) => Promise<void> | void;
}

export interface Gateway {
  readonly url: string;
  /** One entry for each connection. */
  readonly conversations: { data: WebSocketData; ended: Promise<WeirError | null> }[];
  close(): Promise<void>;
}

/** Listens, and relays every connection to the server at `port`. */
export function startGateway(port: number, setup: GatewaySetup = {}): Gateway {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  const conversations: Gateway["conversations"] = [];
  const serve = async (client: Conn) => {
    const server = await dial("127.0.0.1", port, { side: "server" });
    const [requestText, early] = await readHead(client);
    const request = parseRequest(requestText);
    checkRequest(request);
    const offer = filterOffer(request.headers.get("sec-websocket-extensions"));
    if (offer === null) request.headers.delete("sec-websocket-extensions");
    else request.headers.set("sec-websocket-extensions", offer);
    await server.write(format(`GET ${request.path} HTTP/1.1`, request.headers));
    const [responseText, earlyServer] = await readHead(server);
    const response = parseResponse(responseText);
    const { deflate } = checkResponse(request, response);
    await client.write(format("HTTP/1.1 101 Switching Protocols", response.headers));
    const data = new WebSocketData(setup.history ?? { messages: 1000, bytes: 16 << 20 });
    data.stream = setup.stream ?? false;
    const { onMessage } = setup;
    const { ended } = relayWebSocket({
      client: prefixed(client, early),
      server: prefixed(server, earlyServer),
      deflate,
      data,
      messageLimit: 64 << 20,
      ...(onMessage && { onMessage: (message: WebSocketMessage) => onMessage(message, data) }),
    });
    conversations.push({ data, ended });
  };
  const accepting = (async () => {
    for await (const conn of listener) await serve(conn);
  })();
  return {
    url: `ws://127.0.0.1:${listener.addr.port}`,
    conversations,
    async close() {
      listener.close();
      await accepting;
      await Promise.all(conversations.map(({ ended }) => ended));
    },
  };
}

async function readHead(conn: Conn): Promise<[string, Uint8Array]> {
  const buffer = new Uint8Array(16 * 1024);
  let size = 0;
  for (;;) {
    const count = await conn.read(buffer.subarray(size));
    if (count === null) throw new Error("The connection ended inside the handshake.");
    size += count;
    const text = new TextDecoder("latin1").decode(buffer.subarray(0, size));
    const end = text.indexOf("\r\n\r\n");
    if (end !== -1) return [text.slice(0, end), buffer.slice(end + 4, size)];
  }
}

function parseFields(text: string): Headers {
  return new Headers(
    text.split("\r\n").slice(1).map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}

function parseRequest(text: string): RequestHead {
  const [method, path] = text.split(" ");
  const common = { form: "origin", scheme: "", host: "", port: 0, httpVersion: "HTTP/1.1" } as const;
  return { ...common, method, path, headers: parseFields(text) };
}

function parseResponse(text: string): ResponseHead {
  return {
    statusCode: Number(text.split(" ")[1]),
    reason: "",
    httpVersion: "HTTP/1.1",
    headers: parseFields(text),
  };
}

function format(start: string, headers: Headers): Uint8Array {
  const lines = [start, ...[...headers].map(([name, value]) => `${name}: ${value}`), "", ""];
  return new TextEncoder().encode(lines.join("\r\n"));
}
