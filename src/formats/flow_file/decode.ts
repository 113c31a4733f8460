/**
 * Makes flows of records: versions 14 (mitmproxy 7.0) to 21 in one shape, each key by its old name or its new one.
 * @module
 */
import { type ErrorCode, type Side, WeirError } from "../../errors.ts";
import type { Flow, FlowError, TcpMessage } from "../../flow/flow.ts";
import { Headers, type HttpVersion } from "../../http/mod.ts";
import {
  type FlowInit,
  makeHttpFlow,
  makeTcpFlow,
  type MessageInit,
  type RequestInit,
  type ResponseInit,
  type WebSocketInit,
} from "../../flow/make.ts";
import type { StreamedBy } from "../../flow/message.ts";
import type { RecordedWebSocketMessage } from "../../websocket/mod.ts";
import { RecordedTcpMessage } from "../../flow/tcp_history.ts";
import { BodySlice } from "../../streams/mod.ts";
import { momentsOf } from "../moments.ts";
import { ByteString, type Dict, type Value } from "../tnetstring/mod.ts";
import { readClient, readServer } from "./connections.ts";
import { Fields, jsonOf } from "./fields.ts";

/** The oldest and the newest version that is read. */
const OLDEST = 14;
const NEWEST = 21;

/** A flow; or the name of a kind that weir knows of and has no flows for. */
export type Decoded = Flow | "udp" | "dns";

/** The flow of a record that begins at `at`. @throws {FormatError} */
export function decodeFlow(record: Dict, at: number): Decoded {
  const fields = new Fields(record, at, "");
  checkVersion(fields);
  const type = fields.text("type");
  if (type === "http") return httpFlow(fields);
  if (type === "tcp") return tcpFlow(fields);
  if (type === "udp" || type === "dns") return type;
  return fields.fail(`a flow is of the unknown type ${JSON.stringify(type.slice(0, 100))}`);
}

function checkVersion(fields: Fields): void {
  const version = fields.any("version");
  if (Array.isArray(version)) {
    fields.fail(
      "a flow was written by mitmproxy 0.x to 3.x; open and save the file with a mitmproxy of 4 to 10 first",
    );
  }
  const number = fields.integer("version");
  if (number > NEWEST) {
    fields.fail(
      `a flow has format version ${number}, and weir reads ${OLDEST} to ${NEWEST}; it is of a newer mitmproxy`,
    );
  }
  if (number < OLDEST) {
    fields.fail(
      `a flow has format version ${number}, and weir reads ${OLDEST} to ${NEWEST}; ` +
        "open and save the file with mitmproxy 7 or later first",
    );
  }
}

function httpFlow(fields: Fields): Flow {
  const metadata = metadataIn(fields);
  const request = fields.fields("request"), response = fields.fieldsOrNull("response");
  const timestampStart = createdIn(fields) ?? request.time("timestamp_start");
  const requestInit = requestOf(request, metadata);
  return makeHttpFlow({
    ...common(fields, metadata),
    timestampStart,
    request: requestInit,
    response: response && responseOf(response, requestInit, metadata),
    websocket: webSocketIn(fields),
  });
}

function tcpFlow(fields: Fields): Flow {
  const init = common(fields, metadataIn(fields));
  const messages = fields.list("messages").map((item): TcpMessage => {
    const [fromClient, content, timestamp] = Array.isArray(item) ? item : [];
    const bytes = contentOf(content);
    if (typeof fromClient !== "boolean" || bytes === null || typeof timestamp !== "number") {
      return fields.wrong("messages", "a list of direction, bytes and time");
    }
    const at = toMs(timestamp);
    return bytes instanceof BodySlice
      ? new RecordedTcpMessage(fromClient, bytes, at)
      : { fromClient, content: bytes, timestamp: at };
  });
  return makeTcpFlow({
    ...init,
    timestampStart: createdIn(fields) ?? init.clientConn.timestampStart,
    messages,
  });
}

function common(fields: Fields, metadata: Record<string, unknown>) {
  return {
    id: fields.text("id"),
    clientConn: readClient(fields.fields("client_conn")),
    serverConn: readServer(fields.fields("server_conn")),
    error: errorIn(fields, metadata),
    marked: fields.text("marked"),
    comment: fields.text("comment"),
    isReplay: replayIn(fields),
    metadata,
  } satisfies FlowInit;
}

/** Versions 14 and 15 have none. */
function createdIn(fields: Fields): number | null {
  return fields.has("timestamp_created") ? fields.time("timestamp_created") : null;
}

function metadataIn(fields: Fields): Record<string, unknown> {
  const metadata = fields.any("metadata");
  if (!(metadata instanceof Map)) return fields.wrong("metadata", "a dict");
  return jsonOf(metadata) as Record<string, unknown>;
}

function replayIn(fields: Fields): "request" | "response" | null {
  const value = fields.textOrNull("is_replay");
  return value === "request" || value === "response" ? value : null;
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "protocol",
  "closed",
  "unreachable",
  "dns",
  "tls",
  "timeout",
  "limit",
  "loop",
  "addon",
  "killed",
  "shutdown",
  "internal",
]);
const SIDES: ReadonlySet<string> = new Set<Side>(["client", "server", "weir"]);

/** mitmproxy says in words what happened; weir adds who failed, and the code. */
function errorIn(fields: Fields, metadata: Record<string, unknown>): FlowError | null {
  const error = fields.fieldsOrNull("error");
  if (error === null) return null;
  const message = error.text("msg");
  const { side, code } = metadata["weir.error"] as { side?: string; code?: string } ?? {};
  const cause = new WeirError(
    (SIDES.has(side ?? "") ? side : "weir") as Side,
    (CODES.has(code ?? "") ? code : message === "Connection killed." ? "killed" : "closed") as ErrorCode,
    message,
  );
  return { message, timestamp: error.time("timestamp"), cause };
}

function requestOf(fields: Fields, metadata: Record<string, unknown>): RequestInit {
  const init = messageOf(fields, "request", metadata);
  const authority = fields.latin1("authority"), { headers } = init;
  // Where HTTP/2 says :authority weir has a Host field, as HTTP/1 does.
  if (authority !== "" && init.httpVersion === "HTTP/2.0" && !headers.has("host")) {
    headers.raw.unshift("host", authority);
  }
  return {
    ...init,
    timestampStart: fields.time("timestamp_start"),
    method: fields.latin1("method"),
    scheme: fields.latin1("scheme"),
    host: fields.text("host"),
    port: fields.integer("port"),
    path: fields.latin1("path"),
  };
}

function responseOf(fields: Fields, request: RequestInit, metadata: Record<string, unknown>): ResponseInit {
  return {
    ...messageOf(fields, "response", metadata),
    timestampStart: fields.timeOrNull("timestamp_start") ?? request.timestampEnd ?? request.timestampStart,
    statusCode: fields.integer("status_code"),
    reason: fields.latin1("reason"),
  };
}

function messageOf(fields: Fields, which: "request" | "response", metadata: Record<string, unknown>) {
  const trailers = fields.headersOrNull("trailers");
  return {
    httpVersion: versionOf(fields.latin1("http_version")),
    headers: Headers.fromRaw(fields.headersOrNull("headers") ?? fields.wrong("headers", "a list")),
    trailers: trailers && Headers.fromRaw(trailers),
    body: fields.body("content"),
    streamedBy: streamedBy(metadata, which),
    timeline: momentsOf(noted(metadata, "weir.timeline", which)),
    timestampEnd: fields.timeOrNull("timestamp_end"),
  } satisfies MessageInit;
}

/** What weir noted of one of the messages. */
function noted(metadata: Record<string, unknown>, name: string, which: "request" | "response"): unknown {
  const both = metadata[name];
  return typeof both === "object" && both !== null ? Reflect.get(both, which) : undefined;
}

const STREAM_REASONS: readonly StreamedBy[] = ["addon", "size", "type", "memory", "unread"];

/** How a body travelled. */
function streamedBy(metadata: Record<string, unknown>, which: "request" | "response"): StreamedBy | null {
  const one = noted(metadata, "weir.streamed_by", which);
  return STREAM_REASONS.find((reason) => reason === one) ?? null;
}

/** Other peers' spellings of a version, in mitmproxy's. */
export function versionOf(text: string): HttpVersion {
  const version = /^(?:http\/)?(?:h?(\d)(?:\.(\d))?)/i.exec(text);
  if (version?.[1] === "2") return "HTTP/2.0";
  if (version?.[1] === "3") return "HTTP/3";
  return version?.[1] === "1" && version[2] === "0" ? "HTTP/1.0" : "HTTP/1.1";
}

function webSocketIn(fields: Fields): WebSocketInit | null {
  const websocket = fields.fieldsOrNull("websocket");
  if (websocket === null) return null;
  return {
    messages: websocket.list("messages").map((item): RecordedWebSocketMessage => {
      const [opcode, fromClient, content, timestamp, dropped, injected = false] = Array.isArray(item)
        ? item
        : [];
      const bytes = contentOf(content);
      if (
        typeof opcode !== "number" || typeof fromClient !== "boolean" || bytes === null ||
        typeof timestamp !== "number" || typeof dropped !== "boolean" || typeof injected !== "boolean"
      ) return websocket.wrong("messages", "a list of messages");
      return {
        isText: opcode === 1,
        fromClient,
        content: bytes,
        timestamp: toMs(timestamp),
        dropped,
        injected,
      };
    }),
    closedByClient: websocket.any("closed_by_client") === null ? null : websocket.boolean("closed_by_client"),
    closeCode: websocket.any("close_code") === null ? null : websocket.integer("close_code"),
    closeReason: websocket.textOrNull("close_reason"),
    timestampEnd: websocket.timeOrNull("timestamp_end"),
  };
}

/** Of a long conversation the bytes stay in a file. */
function contentOf(value: Value | undefined): Uint8Array | BodySlice | null {
  if (value instanceof ByteString) return value.bytes;
  return value instanceof BodySlice ? value : null;
}

function toMs(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e3;
}
