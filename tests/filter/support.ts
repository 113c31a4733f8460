/** Flows that filters are tried on. @module */
import { parseAuthority } from "../../src/http/authority.ts";
import type { ClientConnection, ServerConnection } from "../../src/flow/connection.ts";
import { HttpFlow, type TcpFlow, TcpFlow as Tcp } from "../../src/flow/flow.ts";
import { makeClientConnection, makeServerConnection } from "../../src/flow/make.ts";
import { Headers } from "../../src/http/headers.ts";
import { internals } from "../../src/internals.ts";
import type { Message } from "../../src/flow/message.ts";
import { Request } from "../../src/flow/request.ts";
import { Response } from "../../src/flow/response.ts";

const CLIENT: ClientConnection = makeClientConnection({
  id: "client",
  address: { hostname: "127.0.0.1", port: 50_000 },
  localAddress: { hostname: "127.0.0.1", port: 8080 },
});

/** What a flow is made of; a body that is left out has not come yet. */
export interface FlowInit {
  method?: string;
  url?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  version?: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0";
  status?: number;
  responseHeaders?: Record<string, string>;
  responseBody?: string | Uint8Array;
  /** Not over yet. */
  live?: boolean;
}

/** A flow, ended unless it is said to be live. */
export function httpFlow(init: FlowInit = {}): HttpFlow {
  const url = new URL(init.url ?? "http://example.com/path?q=1");
  const headers = new Headers({ host: url.host, ...init.headers });
  const { host, port } = parseAuthority(url.host)!;
  const request = new Request({
    method: init.method ?? "GET",
    form: "absolute",
    scheme: url.protocol.slice(0, -1),
    host,
    port: port || (url.protocol === "https:" ? 443 : 80),
    path: url.pathname + url.search,
    httpVersion: init.version ?? "HTTP/1.1",
    headers,
  }, 1000);
  give(request, init.body);
  const flow = new HttpFlow(request, CLIENT);
  if (init.status !== undefined) flow.response = response(init);
  flow[internals].ended = init.live !== true;
  return flow;
}

/** A response that no flow has yet. */
export function response(init: FlowInit): Response {
  const response = new Response({
    statusCode: init.status ?? 200,
    reason: "",
    httpVersion: init.version ?? "HTTP/1.1",
    headers: new Headers(init.responseHeaders),
  }, 1250);
  give(response, init.responseBody);
  return response;
}

/** A body that came whole. */
export function give(message: Message, body: string | Uint8Array | undefined): void {
  if (body === undefined) return;
  const state = message[internals];
  state.mode = "buffered";
  state.raw = typeof body === "string" ? new TextEncoder().encode(body) : body;
}

/** A raw conversation. */
export function tcpFlow(messages: [fromClient: boolean, text: string][] = []): TcpFlow {
  const flow = new Tcp(CLIENT);
  flow.serverConn = server("db.example", 5432);
  for (const [fromClient, text] of messages) {
    flow.record({ fromClient, content: new TextEncoder().encode(text), timestamp: 2000 });
  }
  flow[internals].ended = true;
  return flow;
}

/** A connection to an origin. */
export function server(hostname: string, port: number): ServerConnection {
  return makeServerConnection({ id: "server", address: { hostname, port } });
}
