/**
 * Flows that no proxy ran: read from files, imported, made by hand for a test or a replay.
 *
 * They are as those that have ended: `live` is false, nothing that is assigned goes anywhere. Bodies are bytes, a
 * {@linkcode StoredBody} that is complete, or null: not kept. Content can be assigned whatever it was.
 * @module
 */
import { asBytes, type BytesLike, type Moment, nameOf, StoredBody, Timeline } from "../streams/mod.ts";
import { WeirError } from "../errors.ts";
import { type ClientConnection, newId, type ServerConnection } from "./connection.ts";
import { type BaseFlow, type FlowError, HttpFlow, TcpFlow, type TcpMessage } from "./flow.ts";
import { Headers, type HeadersInit, type HttpVersion, reasonFor } from "../http/mod.ts";
import { internals } from "../internals.ts";
import type { Message, StreamedBy } from "./message.ts";
import { Request } from "./request.ts";
import { RecordedTcpMessage } from "./tcp_history.ts";
import { Response } from "./response.ts";
import { type RecordedWebSocketMessage, WebSocketData, WebSocketMessage } from "../websocket/mod.ts";

/** What requests and responses of made flows have in common. */
export interface MessageInit {
  /** Header fields; none by default. */
  readonly headers?: HeadersInit;
  /** Trailer fields; null (the default) for none. */
  readonly trailers?: HeadersInit | null;
  /** "HTTP/1.1" by default. */
  readonly httpVersion?: HttpVersion;
  /** The body with its content codings on; null: it was not kept. Empty by default. */
  readonly body?: BytesLike | StoredBody | null;
  /** How the body came: see `message.timeline`. */
  readonly timeline?: readonly Moment[];
  /** What decided that the body was streamed; null (the default) where it was not. */
  readonly streamedBy?: StreamedBy | null;
  /** In milliseconds since the epoch; the present by default. */
  readonly timestampStart?: number;
  /** In milliseconds since the epoch; null (the default) where it did not end. */
  readonly timestampEnd?: number | null;
}

/** A request of a made flow: its `url`, or the parts of it as they are, with nothing normalised. */
export interface RequestInit extends MessageInit {
  /** "GET" by default. */
  readonly method?: string;
  /** An absolute http or https URL. Parts that are given besides it count more. */
  readonly url?: string;
  /** "http" or "https". */
  readonly scheme?: string;
  /** Without port or brackets. */
  readonly host?: string;
  /** The scheme's own by default. */
  readonly port?: number;
  /** With the query. */
  readonly path?: string;
}

/** A response of a made flow. */
export interface ResponseInit extends MessageInit {
  /** 200 by default. */
  readonly statusCode?: number;
  /** What belongs to the status by default; none for HTTP/2. */
  readonly reason?: string;
}

/** A WebSocket conversation of a made flow. */
export interface WebSocketInit {
  /** In their order; none by default. */
  readonly messages?: readonly RecordedWebSocketMessage[];
  /** Who began to close; null (the default) where nobody knows. */
  readonly closedByClient?: boolean | null;
  /** RFC 6455 §7.4; null (the default) where there was none. */
  readonly closeCode?: number | null;
  /** What came with the code; null by default. */
  readonly closeReason?: string | null;
  /** In milliseconds since the epoch. */
  readonly timestampEnd?: number | null;
}

/** What all made flows have in common. */
export interface FlowInit {
  /** A new one by default. */
  readonly id?: string;
  /** One of which nothing is known by default. */
  readonly clientConn?: ClientConnection;
  /** Null by default. */
  readonly serverConn?: ServerConnection | null;
  /** How it ended badly; a text will do. */
  readonly error?: FlowError | string | null;
  /** See `flow.marked`; not marked by default. */
  readonly marked?: string;
  /** See `flow.comment`; empty by default. */
  readonly comment?: string;
  /** See `flow.isReplay`; null by default. */
  readonly isReplay?: "request" | "response" | null;
  /** See `flow.metadata`; empty by default. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** In milliseconds since the epoch; that of the request, or the present, by default. */
  readonly timestampStart?: number;
}

/** What {@linkcode makeHttpFlow} is given. */
export interface HttpFlowInit extends FlowInit {
  /** What was asked. */
  readonly request: RequestInit;
  /** What was answered; null (the default) where nothing was. */
  readonly response?: ResponseInit | null;
  /** What was said on a WebSocket; null (the default) where it became none. */
  readonly websocket?: WebSocketInit | null;
}

/** What {@linkcode makeTcpFlow} is given. */
export interface TcpFlowInit extends FlowInit {
  /** In their order; none by default. */
  readonly messages?: readonly TcpMessage[];
}

/**
 * An HTTP flow that is over, made without a proxy.
 *
 * ```ts
 * const flow = makeHttpFlow({
 *   request: { method: "POST", url: "https://example.com/items", body: "{}" },
 *   response: { statusCode: 201 },
 * });
 * ```
 * @throws {TypeError} when the URL is no http or https URL, a field cannot be one, or a body is no bytes.
 */
export function makeHttpFlow(init: HttpFlowInit): HttpFlow {
  const { timestampStart = init.request.timestampStart, id } = init;
  const request = requestOf(init.request);
  const flow = new HttpFlow(request, init.clientConn ?? makeClientConnection(), { id, timestampStart });
  if (init.response) flow.response = responseOf(init.response);
  if (init.websocket) flow.websocket = webSocketOf(init.websocket, flow.timestampStart);
  return finish(flow, init);
}

/** A raw conversation that is over, made without a proxy; it keeps all messages that it is given. */
export function makeTcpFlow(init: TcpFlowInit = {}): TcpFlow {
  const { id, timestampStart } = init;
  const flow = new TcpFlow(init.clientConn ?? makeClientConnection(), { id, timestampStart });
  for (const message of init.messages ?? []) {
    flow.messages.push(message);
    const size = message instanceof RecordedTcpMessage ? message.size : message.content.length;
    if (message.fromClient) flow.bytesFromClient += size;
    else flow.bytesFromServer += size;
  }
  return finish(flow, init);
}

const NOWHERE = { hostname: "", port: 0 };

/** A client's connection of which only that is known which is given; an unknown address is "" and port 0. */
export function makeClientConnection(init: Partial<ClientConnection> = {}): ClientConnection {
  return {
    id: init.id ?? newId(),
    address: NOWHERE,
    localAddress: NOWHERE,
    tls: null,
    alpnOffers: [],
    shownCertificate: null,
    mode: "regular",
    timestampStart: 0,
    timestampTlsSetup: null,
    timestampEnd: null,
    ...init,
  };
}

/** A connection to an origin of which only that is known which is given. */
export function makeServerConnection(
  init: Partial<ServerConnection> & Pick<ServerConnection, "address">,
): ServerConnection {
  return {
    id: init.id ?? newId(),
    via: null,
    peerAddress: null,
    localAddress: null,
    tls: null,
    alpnOffers: [],
    timestampStart: 0,
    timestampTcpSetup: null,
    timestampTlsSetup: null,
    timestampEnd: null,
    ...init,
  };
}

function finish<F extends BaseFlow>(flow: F, init: FlowInit): F {
  const { error = null } = init;
  flow.serverConn = init.serverConn ?? null;
  flow.error = typeof error === "string"
    ? { message: error, timestamp: Date.now(), cause: new WeirError("weir", "closed", error) }
    : error;
  flow.marked = init.marked ?? "";
  flow.comment = init.comment ?? "";
  flow.isReplay = init.isReplay ?? null;
  // As properties of its own whatever their names are.
  Object.defineProperties(flow.metadata, Object.getOwnPropertyDescriptors(init.metadata ?? {}));
  flow[internals].ended = true;
  return flow;
}

function requestOf(init: RequestInit): Request {
  const { method = "GET", httpVersion = "HTTP/1.1", timestampStart } = init;
  const request = new Request({
    method,
    form: "absolute",
    scheme: "http",
    host: "",
    port: 80,
    path: "/",
    httpVersion,
    headers: new Headers(),
  }, timestampStart);
  // Before there are fields: the Host field stays as it is given.
  if (init.url !== undefined) request.url = init.url;
  request.scheme = init.scheme ?? request.scheme;
  request.host = init.host ?? request.host;
  request.port = init.port ?? request.port;
  request.path = init.path ?? request.path;
  return record(request, init);
}

function responseOf(init: ResponseInit): Response {
  const { statusCode = 200, httpVersion = "HTTP/1.1", timestampStart } = init;
  const reason = init.reason ?? (httpVersion === "HTTP/2.0" ? "" : reasonFor(statusCode));
  const head = { statusCode, reason, httpVersion, headers: new Headers() };
  return record(new Response(head, timestampStart), init);
}

function record<M extends Message>(message: M, init: MessageInit): M {
  const { body = "", headers = [] } = init;
  message.headers = headers;
  message.trailers = init.trailers ?? null;
  message.timestampEnd = init.timestampEnd ?? null;
  const state = message[internals];
  state.isRecorded = true;
  state.streamedBy = init.streamedBy ?? null;
  if (init.timeline?.length) state.timeline = Timeline.from(init.timeline);
  if (body === null || body instanceof StoredBody) {
    state.mode = "streamed";
    state.stored = body;
    return message;
  }
  const bytes = asBytes(body);
  if (bytes === null) throw new TypeError(`A body is bytes, a string or null; it was given ${nameOf(body)}.`);
  state.mode = "buffered";
  state.raw = bytes;
  return message;
}

const UNBOUNDED = { messages: Infinity, bytes: Infinity };

function webSocketOf(init: WebSocketInit, timestampStart: number): WebSocketData {
  const data = new WebSocketData(UNBOUNDED, timestampStart);
  data.messages.push(...(init.messages ?? []).map((message) => WebSocketMessage.recorded(message)));
  data.closedByClient = init.closedByClient ?? null;
  data.closeCode = init.closeCode ?? null;
  data.closeReason = init.closeReason ?? null;
  data.timestampEnd = init.timestampEnd ?? null;
  return data;
}
