/**
 * Makes flows of HAR entries, whoever wrote them: browsers, mitmproxy, HTTP Toolkit, Charles, weir.
 * @module
 */
import { Buffer } from "node:buffer";
import { type ErrorCode, WeirError } from "../../errors.ts";
import { defaultPort, hasNoBody, Headers, isToken, parseAuthority } from "../../http/mod.ts";
import type { ServerConnection } from "../../flow/connection.ts";
import type { FlowError, HttpFlow } from "../../flow/flow.ts";
import {
  makeHttpFlow,
  makeServerConnection,
  type MessageInit,
  type RequestInit,
  type ResponseInit,
  type WebSocketInit,
} from "../../flow/make.ts";
import type { RecordedWebSocketMessage } from "../../websocket/mod.ts";
import { FormatError } from "../error.ts";
import { versionOf } from "../flow_file/mod.ts";
import { momentsOf } from "../moments.ts";
import { bytesOfText } from "./body_text.ts";
import { parseHarDate } from "./times.ts";
import type { EntryText } from "./split.ts";

/** What JSON gives; each member is looked at before it is used. */
type Json = Record<string, unknown>;

/** The flow of an entry; the scheme of its URL where that is no HTTP. @throws {FormatError} when it is no entry. */
export function flowOfEntry({ at, index, json }: EntryText): HttpFlow | string {
  const fail = (what: string): never => {
    throw new FormatError(at, `entry ${index} ${what}`);
  };
  let entry: unknown;
  try {
    entry = JSON.parse(json);
  } catch (cause) {
    throw new FormatError(at, `entry ${index} is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(entry)) return fail("is no object");
  const request = isObject(entry.request) ? entry.request : fail("has no request");
  const url = typeof request.url === "string" ? request.url : fail("has a request without a URL");
  const target = targetOf(url);
  if (typeof target === "string") return target;
  if (target === null) return fail(`has a URL that cannot be read: ${JSON.stringify(url.slice(0, 200))}`);
  const method = typeof request.method === "string" && isToken(request.method)
    ? request.method
    : fail("has a request without a method");
  const times = timesOf(entry);
  if (times === null) return fail("has no time (startedDateTime)");
  const { response, error } = responseIn(entry, method, times);
  return makeHttpFlow({
    timestampStart: times.start,
    request: {
      ...requestIn(request, method, target),
      timestampStart: times.start,
      timestampEnd: times.sent,
      timeline: momentsOf(entry._requestTimeline),
    },
    response,
    error,
    serverConn: serverIn(entry, target, times),
    comment: textIn(entry, "comment") ?? "",
    websocket: webSocketIn(entry, times),
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textIn(object: Json, key: string): string | null {
  const value = object[key];
  return typeof value === "string" ? value : null;
}

function numberIn(object: Json, key: string): number | null {
  const value = object[key];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

interface Target {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** The parts of a URL as they are; its scheme where that is none of HTTP's; null for what is no URL. */
function targetOf(url: string): Target | string | null {
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*)([^#]*))?/i.exec(url);
  if (match === null) return null;
  const scheme = match[1].toLowerCase().replace(/^ws/, "http");
  if (scheme !== "http" && scheme !== "https") return scheme;
  const authority = parseAuthority((match[2] ?? "").replace(/^.*@/, ""));
  if (authority !== null) {
    const { host, port } = authority;
    const path = (match[3] ?? "").replace(/^(?!\/)/, "/");
    return { scheme, host, port: port || defaultPort(scheme), path: asLatin1(path) };
  }
  // A name with other letters than ASCII's.
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) return null;
  const port = Number(parsed.port) || defaultPort(scheme);
  return { scheme, host: parsed.hostname, port, path: parsed.pathname + parsed.search };
}

/** Characters beyond Latin-1 are percent-encoded, as browsers do. */
function asLatin1(path: string): string {
  return path.toWellFormed().replace(/[^\0-\xff]+/g, (text) => encodeURIComponent(text));
}

interface Times {
  readonly start: number;
  readonly sent: number | null;
  readonly answered: number;
  readonly ended: number | null;
  /** When connecting began, and how long it took in all and for TLS; null where it was not for this flow. */
  readonly connect: { readonly at: number; readonly time: number; readonly ssl: number | null } | null;
}

function timesOf(entry: Json): Times | null {
  const start = parseHarDate(textIn(entry, "startedDateTime") ?? "");
  if (Number.isNaN(start)) return null;
  const timings = isObject(entry.timings) ? entry.timings : {};
  const span = (key: string) => Math.max(0, numberIn(timings, key) ?? 0);
  const before = start + span("blocked") + span("dns");
  const sent = before + span("connect") + span("send");
  const answered = sent + span("wait");
  const connect = numberIn(timings, "connect") ?? -1, ssl = numberIn(timings, "ssl") ?? -1;
  const request = isObject(entry.request) ? entry.request : {};
  const response = isObject(entry.response) ? entry.response : {};
  // weir's own members say exactly what the phases only sum up, and what did not end.
  const exact = (of: Json) => numberIn(of, "_timestampStart") !== null;
  return {
    start,
    sent: exact(request) ? numberIn(request, "_timestampEnd") : rounded(sent),
    answered: numberIn(response, "_timestampStart") ?? rounded(answered),
    ended: exact(response) ? numberIn(response, "_timestampEnd") : rounded(answered + span("receive")),
    connect: connect < 0 ? null : { at: before, time: connect, ssl: ssl < 0 ? null : Math.min(ssl, connect) },
  };
}

function rounded(time: number): number {
  return Math.round(time * 1e3) / 1e3;
}

function requestIn(request: Json, method: string, target: Target): RequestInit {
  const headers = headersIn(request.headers);
  return {
    ...target,
    method,
    // For CONNECT the URL is one that was made up.
    path: method === "CONNECT" ? "" : target.path,
    ...messageIn(request, headers, requestBody(request, headers)),
  };
}

function requestBody(request: Json, headers: Headers): Uint8Array | null {
  const { postData } = request;
  if (request._kept === false) return null;
  if (!isObject(postData)) return (numberIn(request, "bodySize") ?? 0) > 0 ? null : new Uint8Array();
  const mimeType = textIn(postData, "mimeType") || headers.get("content-type") || "";
  const text = textIn(postData, "text") ?? formOf(postData, mimeType);
  if (text === null) return null;
  const isBase64 = postData._encoding === "base64" || postData.encoding === "base64";
  return bytesOfText({ text, isBase64 }, mimeType);
}

/** A form of which only the fields are there. */
function formOf({ text, params }: Json, mimeType: string): string | null {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(mimeType);
  if (text !== undefined || !isForm || !Array.isArray(params) || params.length === 0) return null;
  const form = new URLSearchParams();
  for (const param of params.filter(isObject)) {
    form.append(textIn(param, "name") ?? "", textIn(param, "value") ?? "");
  }
  return form.toString();
}

function responseIn(
  entry: Json,
  method: string,
  times: Times,
): { response: ResponseInit | null; error: FlowError | null } {
  const response = isObject(entry.response) ? entry.response : {};
  const message = textIn(response, "_error") || textIn(entry, "_error");
  const timestamp = numberIn(response, "_errorTimestamp") ?? times.ended ?? times.answered;
  const error = message
    ? { message, timestamp, cause: new WeirError("server", codeOf(message), message) }
    : null;
  const statusCode = numberIn(response, "status") ?? 0;
  if (!Number.isInteger(statusCode) || statusCode < 100 || statusCode > 999) return { response: null, error };
  const headers = headersIn(response.headers);
  const body = responseBody(response, headers);
  return {
    response: {
      statusCode,
      reason: textIn(response, "statusText")?.replace(/[^\x20-\xff]/g, " ") ?? "",
      ...messageIn(response, headers, body, hasNoBody(method, statusCode)),
      timestampStart: times.answered,
      timestampEnd: times.ended,
      timeline: momentsOf(entry._timeline),
    },
    error,
  };
}

function codeOf(message: string): ErrorCode {
  if (/refused|unreachable/i.test(message)) return "unreachable";
  if (/timed? ?out/i.test(message)) return "timeout";
  return /name.not.resolved|dns/i.test(message) ? "dns" : /ssl|tls|cert/i.test(message) ? "tls" : "closed";
}

function responseBody(response: Json, headers: Headers): Uint8Array | null {
  const content = isObject(response.content) ? response.content : {};
  const text = textIn(content, "text");
  if (content._kept === false) return null;
  if (text === null) return (numberIn(content, "size") ?? 0) > 0 ? null : new Uint8Array();
  const mimeType = headers.get("content-type") ?? textIn(content, "mimeType") ?? "";
  return bytesOfText({ text, isBase64: content.encoding === "base64" }, mimeType);
}

/** A body in a HAR has no codings, and its length is that of its text. */
function messageIn(
  message: Json,
  headers: Headers,
  body: Uint8Array | null,
  isHeadOnly = false,
): MessageInit {
  if (body !== null && !isHeadOnly) {
    headers.delete("content-encoding");
    if (headers.has("content-length")) headers.set("content-length", String(body.length));
  }
  return {
    httpVersion: versionOf(textIn(message, "httpVersion") ?? ""),
    headers,
    trailers: Array.isArray(message._trailers) ? headersIn(message._trailers) : null,
    body,
  };
}

/** Fields as `{ name, value }` or `[name, value]`, without pseudo-header fields. Chromium joins values by line breaks. */
function headersIn(list: unknown): Headers {
  const headers = new Headers();
  for (const item of Array.isArray(list) ? list : []) {
    const [name, value] = Array.isArray(item) ? item : isObject(item) ? [item.name, item.value] : [];
    if (typeof name !== "string" || typeof value !== "string" || !isToken(name)) continue;
    for (const line of value.split(/\r?\n/)) headers.append(name, fieldValue(line));
  }
  return headers;
}

/** As bytes: what is beyond Latin-1 in UTF-8, what no field may have as a blank. */
function fieldValue(text: string): string {
  const clean = text.replace(/[\0\r\n]/g, " ");
  if (/^[\0-\xff]*$/.test(clean)) return clean;
  return Buffer.from(clean, "utf8").toString("latin1");
}

function serverIn(entry: Json, { scheme, host, port }: Target, { connect }: Times): ServerConnection | null {
  const ip = textIn(entry, "serverIPAddress")?.replace(/^\[|\]$/g, "");
  if (!ip && connect === null) return null;
  const there = connect === null ? null : connect.at + connect.time;
  const isTls = scheme === "https" && connect !== null && connect.ssl !== null;
  return makeServerConnection({
    address: { hostname: host, port },
    peerAddress: ip ? { hostname: ip, port: Number(textIn(entry, "connection")) || port } : null,
    ...connect === null ? {} : {
      timestampStart: rounded(connect.at),
      timestampTcpSetup: rounded(isTls ? there! - connect.ssl! : there!),
      timestampTlsSetup: isTls ? rounded(there!) : null,
    },
  });
}

function webSocketIn(entry: Json, times: Times): WebSocketInit | null {
  const list = entry._webSocketMessages;
  if (!Array.isArray(list)) return null;
  const close = isObject(entry._webSocketClose) ? entry._webSocketClose : {};
  const time = numberIn(close, "time");
  return {
    messages: list.filter(isObject).map((message): RecordedWebSocketMessage => {
      const isText = message.opcode !== 2, data = textIn(message, "data") ?? "";
      const seconds = numberIn(message, "time");
      return {
        isText,
        fromClient: message.type === "send",
        content: isText ? data : bytesOfText({ text: data, isBase64: true }, "") ?? data,
        timestamp: seconds === null ? times.answered : Math.round(seconds * 1e6) / 1e3,
        dropped: message._dropped === true,
        injected: message._injected === true,
      };
    }),
    closedByClient: typeof close.byClient === "boolean" ? close.byClient : null,
    closeCode: numberIn(close, "code"),
    closeReason: textIn(close, "reason"),
    timestampEnd: time === null ? null : Math.round(time * 1e6) / 1e3,
  };
}
