/**
 * A flow as a row of the store, and back.
 *
 * What is searched by are columns; all else of the heads and connections is JSON in `heads`, bodies are as on the wire. The
 * certificates of connections are not kept: they are the same for thousands of rows.
 * @module
 */
import {
  type ClientConnection,
  type ErrorCode,
  type Flow,
  type FlowError,
  flowFacts,
  type Headers,
  type HttpFlow,
  makeClientConnection,
  makeHttpFlow,
  makeServerConnection,
  makeTcpFlow,
  type Message,
  type ServerConnection,
  type Side,
  StoredBody,
  type TcpFlow,
  type TcpMessage,
  type TlsInfo,
  type WebSocketMessage,
  WeirError,
} from "weir";
import { jsonText, plainText } from "./json.ts";

/** Columns that are searched by, and JSON. */
export interface FlowRow {
  readonly id: string;
  /** When the flow began, in milliseconds since the epoch. */
  readonly time: number;
  /** Which weir wrote it. */
  readonly instance: string;
  /** Address and port of the client. */
  readonly client: string;
  readonly type: "http" | "tcp";
  readonly method: string | null;
  readonly scheme: string | null;
  readonly host: string | null;
  /** What the Host field says. */
  readonly host_field: string | null;
  readonly port: number | null;
  readonly path: string | null;
  readonly status: number | null;
  readonly request_size: number;
  readonly response_size: number;
  readonly size: number;
  readonly duration_ms: number;
  readonly ttfb_ms: number | null;
  readonly streamed_by: string | null;
  readonly error: string | null;
  readonly heads: string;
  readonly metadata: string;
  readonly request_body: Uint8Array | null;
  readonly response_body: Uint8Array | null;
  /** SHA-256 of a body that is a file of its own. */
  readonly request_hash: string | null;
  readonly response_hash: string | null;
  /** About what the row takes, its body files included: retention counts with it. */
  readonly bytes: number;
}

/** Names of the columns, in their order. */
export const COLUMNS = [
  "id",
  "time",
  "instance",
  "client",
  "type",
  "method",
  "scheme",
  "host",
  "host_field",
  "port",
  "path",
  "status",
  "request_size",
  "response_size",
  "size",
  "duration_ms",
  "ttfb_ms",
  "streamed_by",
  "error",
  "heads",
  "metadata",
  "request_body",
  "response_body",
  "request_hash",
  "response_hash",
  "bytes",
] as const satisfies readonly (keyof FlowRow)[];

/** A body as it is kept: bytes in the row, or a file by its hash. */
export interface KeptBody {
  readonly bytes: Uint8Array | null;
  readonly hash: string | null;
  readonly size: number;
}

/** What of a row its flow does not say. */
export interface RowExtras {
  readonly instance: string;
  readonly requestBody: KeptBody;
  readonly responseBody: KeptBody;
  /** JSON of the messages of a conversation, see {@linkcode messageJson}. */
  readonly messages: readonly string[];
}

/** Rows weigh at least this much, indexes included. */
const ROW_BYTES = 400;

/** The row of a flow that has ended. */
export function rowOf(flow: Flow, { instance, requestBody, responseBody, messages }: RowExtras): FlowRow {
  const facts = flowFacts(flow);
  const heads = headsOf(flow, messages);
  const metadata = jsonText(flow.metadata) ?? "{}";
  const { hostname, port } = flow.clientConn.address;
  const http = flow.type === "http" ? flow : null;
  return {
    id: flow.id,
    time: flow.timestampStart,
    instance,
    client: plainText(`${hostname}:${port}`),
    type: facts.type,
    method: http && plainText(http.request.method),
    scheme: http && plainText(http.request.scheme),
    host: facts.host === null ? null : plainText(facts.host),
    host_field: facts.hostField === null ? null : plainText(facts.hostField),
    port: http?.request.port ?? flow.serverConn?.address.port ?? null,
    path: http && plainText(http.request.path),
    status: facts.status,
    request_size: flow.type === "http" ? flow.request.size : flow.bytesFromClient,
    response_size: flow.type === "http" ? flow.response?.size ?? 0 : flow.bytesFromServer,
    size: facts.size,
    duration_ms: facts.durationMs,
    ttfb_ms: facts.ttfbMs,
    streamed_by: http?.response?.streamedBy ?? http?.request.streamedBy ?? null,
    error: flow.error === null ? null : plainText(flow.error.message),
    heads,
    metadata,
    request_body: requestBody.bytes,
    response_body: responseBody.bytes,
    request_hash: requestBody.hash,
    response_hash: responseBody.hash,
    bytes: ROW_BYTES + heads.length + metadata.length + requestBody.size + responseBody.size,
  };
}

/** What a row that waits for the database takes in memory. */
export function weightOf(row: FlowRow): number {
  const bodies = (row.request_body?.length ?? 0) + (row.response_body?.length ?? 0);
  return ROW_BYTES + 2 * (row.heads.length + row.metadata.length + (row.path?.length ?? 0)) + bodies;
}

/** What `heads` holds. Times are in milliseconds since the epoch. */
interface Heads {
  readonly request?: MessageHead;
  readonly response?: MessageHead & { readonly reason: string };
  readonly websocket?: {
    readonly closedByClient: boolean | null;
    readonly closeCode: number | null;
    readonly closeReason: string | null;
    readonly timestampEnd: number | null;
  };
  readonly messages?: readonly MessageJson[];
  readonly clientConn: Partial<ClientConnection>;
  readonly serverConn: ServerConnection | null;
  readonly error: { readonly side: string; readonly code: string; readonly timestamp: number } | null;
  readonly isReplay: "request" | "response" | null;
  readonly marked: string;
  readonly comment: string;
}

interface MessageHead {
  readonly httpVersion: Message["httpVersion"];
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly trailers: readonly string[] | null;
  readonly streamedBy: Message["streamedBy"];
  readonly timestampStart: number;
  readonly timestampEnd: number | null;
}

/** From the client, kind (text or binary; null in raw conversations), content in base64, time, dropped, injected. */
type MessageJson = readonly [boolean, boolean | null, string, number, boolean, boolean];

/** One message of a WebSocket or of a raw conversation. */
export function messageJson(message: WebSocketMessage | TcpMessage): string {
  const isWebSocket = "isText" in message;
  return JSON.stringify(
    [
      message.fromClient,
      isWebSocket ? message.isText : null,
      message.content.toBase64(),
      message.timestamp,
      isWebSocket && message.dropped,
      isWebSocket && message.injected,
    ] satisfies MessageJson,
  );
}

function headsOf(flow: Flow, messages: readonly string[]): string {
  const { error, isReplay, marked, comment } = flow;
  const rest: Omit<Heads, "clientConn" | "serverConn" | "messages"> = {
    ...flow.type === "http" ? httpHeads(flow) : {},
    error: error && { side: error.cause.side, code: error.cause.code, timestamp: error.timestamp },
    isReplay,
    marked,
    comment,
  };
  const known = (jsonText(rest) ?? "{}").slice(0, -1);
  const listed = messages.length === 0 ? "" : `,"messages":[${messages.join()}]`;
  return `${known}${listed},"clientConn":${connectionJson(flow.clientConn)},"serverConn":${
    flow.serverConn === null ? "null" : connectionJson(flow.serverConn)
  }}`;
}

function httpHeads(
  { request, response, websocket }: HttpFlow,
): Pick<Heads, "request" | "response" | "websocket"> {
  return {
    request: headOf(request),
    response: response === null ? undefined : { ...headOf(response), reason: response.reason },
    websocket: websocket === null ? undefined : {
      closedByClient: websocket.closedByClient,
      closeCode: websocket.closeCode,
      closeReason: websocket.closeReason,
      timestampEnd: websocket.timestampEnd,
    },
  };
}

function headOf(message: Message): MessageHead {
  const { httpVersion, headers, trailers, streamedBy, timestampStart, timestampEnd } = message;
  return {
    httpVersion,
    headers: pairsOf(headers),
    trailers: trailers && pairsOf(trailers),
    streamedBy,
    timestampStart,
    timestampEnd,
  };
}

function pairsOf(headers: Headers): string[] {
  return [...headers].flat();
}

/** The JSON of connections that serve many flows, as long as nothing changes. */
const written = new WeakMap<ClientConnection | ServerConnection, { json: string; end: number | null }>();

function connectionJson(connection: ClientConnection | ServerConnection): string {
  const known = written.get(connection);
  if (known !== undefined && known.end === connection.timestampEnd) return known.json;
  const { id, address, localAddress, alpnOffers, timestampStart, timestampTlsSetup, timestampEnd, tls } =
    connection;
  const json = jsonText({
    id,
    address,
    localAddress,
    alpnOffers,
    timestampStart,
    timestampTlsSetup,
    timestampEnd,
    tls: tls && { sni: tls.sni, alpn: tls.alpn, version: tls.version, cipher: tls.cipher },
    ..."mode" in connection
      ? { mode: connection.mode }
      : { peerAddress: connection.peerAddress, timestampTcpSetup: connection.timestampTcpSetup },
  }) ?? "{}";
  written.set(connection, { json, end: connection.timestampEnd });
  return json;
}

/**
 * The flow of a row. `fileOf` gives the body that is a file, or null where it is not there.
 * @throws {SyntaxError} when `heads` or `metadata` is no JSON.
 */
export async function flowOf(
  row: FlowRow,
  fileOf: (hash: string) => Promise<StoredBody | null>,
): Promise<Flow> {
  const heads = JSON.parse(row.heads) as Heads;
  const common = {
    id: row.id,
    timestampStart: row.time,
    clientConn: makeClientConnection({ ...heads.clientConn, tls: tlsOf(heads.clientConn.tls) }),
    serverConn: heads.serverConn &&
      makeServerConnection({ ...heads.serverConn, tls: tlsOf(heads.serverConn.tls) }),
    error: errorOf(row.error, heads.error),
    marked: heads.marked,
    comment: heads.comment,
    isReplay: heads.isReplay,
    metadata: JSON.parse(row.metadata) as Record<string, unknown>,
  };
  if (row.type === "tcp") return makeTcpFlow({ ...common, messages: tcpMessages(heads) });
  const { request, response, websocket } = heads;
  return makeHttpFlow({
    ...common,
    request: {
      ...messageOf(request!),
      method: row.method ?? "",
      scheme: row.scheme ?? "",
      host: row.host ?? "",
      port: row.port ?? 0,
      path: row.path ?? "",
      body: await bodyOf(row.request_body, row.request_hash, fileOf),
    },
    response: response === undefined ? null : {
      ...messageOf(response),
      statusCode: row.status ?? 0,
      reason: response.reason,
      body: await bodyOf(row.response_body, row.response_hash, fileOf),
    },
    websocket: websocket === undefined ? null : { ...websocket, messages: webSocketMessages(heads) },
  });
}

function messageOf(head: MessageHead) {
  return { ...head, headers: fieldsOf(head.headers), trailers: head.trailers && fieldsOf(head.trailers) };
}

function fieldsOf(pairs: readonly string[]): [string, string][] {
  return Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i], pairs[2 * i + 1]]);
}

async function bodyOf(
  bytes: Uint8Array | null,
  hash: string | null,
  fileOf: (hash: string) => Promise<StoredBody | null>,
): Promise<Uint8Array | StoredBody | null> {
  return bytes ?? (hash === null ? null : await fileOf(hash));
}

function tlsOf(tls: TlsInfo | null | undefined): TlsInfo | null {
  return tls ? { ...tls, peerCertificate: null, peerCertificates: [] } : null;
}

function webSocketMessages({ messages = [] }: Heads) {
  return messages.map(([fromClient, isText, content, timestamp, dropped, injected]) => ({
    fromClient,
    isText: isText === true,
    content: Uint8Array.fromBase64(content),
    timestamp,
    dropped,
    injected,
  }));
}

function tcpMessages({ messages = [] }: Heads): TcpFlow["messages"] {
  return messages.map(([fromClient, _, content, timestamp]) => ({
    fromClient,
    content: Uint8Array.fromBase64(content),
    timestamp,
  }));
}

function errorOf(message: string | null, facts: Heads["error"]): FlowError | null {
  if (message === null || facts === null) return null;
  const { side, code, timestamp } = facts;
  return { message, timestamp, cause: new WeirError(side as Side, code as ErrorCode, message) };
}
