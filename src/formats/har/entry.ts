/**
 * The HAR entry of a flow. Chromium needs every member that the standard asks for, and optional ones to be absent, not null.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import type { Headers } from "../../http/mod.ts";
import type { Message } from "../../flow/message.ts";
import { internals } from "../../internals.ts";
import type { Request } from "../../flow/request.ts";
import type { Response } from "../../flow/response.ts";
import type { WebSocketData } from "../../websocket/mod.ts";
import { textOfBody } from "./body_text.ts";
import { parameters, requestCookies, responseCookies } from "./cookies.ts";
import { eventMessages } from "./events.ts";
import { harDate, ms, timingsOf, totalOf } from "./times.ts";
import type { HarContent, HarEntry, HarPair, HarRequest, HarResponse } from "./types.ts";

/** Bodies that are longer stand in no HAR: JSON is one text, and who reads it has all of it in memory. */
const MAX_BODY = 64 * 1024 * 1024;

/** The entry of an HTTP flow. Bodies are without their codings; one that is longer than 64 MiB, or not kept, is left out. */
export function harEntry(flow: HttpFlow): HarEntry {
  const { request, response, serverConn, comment, websocket } = flow;
  const timings = timingsOf(flow);
  const peer = serverConn?.peerAddress;
  const timeline = response?.timeline ?? [], requestTimeline = request.timeline;
  return {
    startedDateTime: harDate(request.timestampStart),
    time: totalOf(timings),
    request: requestOf(request),
    response: response === null ? noResponse(flow) : responseOf(flow, response),
    cache: {},
    timings,
    ...peer ? { serverIPAddress: peer.hostname, connection: String(peer.port) } : {},
    ...comment !== "" ? { comment } : {},
    _resourceType: resourceType(flow),
    ...websocket === null ? {} : webSocketOf(websocket),
    ...response === null ? {} : eventMessages(response),
    ...timeline.length > 1 ? { _timeline: timeline.map(([at, bytes]) => [at, bytes]) } : {},
    ...requestTimeline.length > 1
      ? { _requestTimeline: requestTimeline.map(([at, bytes]) => [at, bytes]) }
      : {},
  };
}

function requestOf(request: Request): HarRequest {
  const { method, url, path, httpVersion, headers } = request;
  const at = path.indexOf("?");
  const line = `${method} ${path} ${httpVersion}\r\n`;
  return {
    method,
    url: method === "CONNECT" ? `https://${url}/` : url,
    httpVersion,
    cookies: requestCookies(headers),
    headers: pairs(headers),
    queryString: at === -1 ? [] : parameters(path.slice(at + 1)),
    ...postDataOf(request),
    headersSize: headSize(request, line),
    bodySize: sizeOf(request),
    ...common(request),
  };
}

function postDataOf(request: Request): Pick<HarRequest, "postData" | "_kept"> {
  const content = contentOf(request);
  if (content === null) return { _kept: false };
  if (content.length === 0) return {};
  const mimeType = request.headers.get("content-type") ?? "";
  const { text, isBase64 } = textOfBody(content, mimeType);
  const isForm = !isBase64 && /^application\/x-www-form-urlencoded\b/i.test(mimeType);
  return {
    postData: {
      mimeType,
      text,
      ...isForm ? { params: parameters(text) } : {},
      ...isBase64 ? { _encoding: "base64" } : {},
    },
  };
}

function responseOf({ error }: HttpFlow, response: Response): HarResponse {
  const { statusCode, reason, httpVersion, headers } = response;
  const head = headSize(response, `${httpVersion} ${statusCode} ${reason}\r\n`), body = sizeOf(response);
  return {
    status: statusCode,
    statusText: reason,
    httpVersion,
    cookies: responseCookies(headers),
    headers: pairs(headers),
    content: harContent(response),
    redirectURL: headers.get("location") ?? "",
    headersSize: head,
    bodySize: body,
    ...head >= 0 && body >= 0 ? { _transferSize: head + body } : {},
    ...error === null ? {} : { _error: error.message, _errorTimestamp: ms(error.timestamp) },
    ...common(response),
  };
}

function harContent(response: Response): HarContent {
  const content = contentOf(response);
  const mimeType = response.headers.get("content-type") ?? "";
  if (content === null) return { size: Math.max(0, sizeOf(response)), mimeType, _kept: false };
  const { text, isBase64 } = textOfBody(content, mimeType);
  return {
    size: content.length,
    ...response.headers.has("content-encoding") ? { compression: content.length - response.size } : {},
    mimeType,
    text,
    ...isBase64 ? { encoding: "base64" } : {},
  };
}

/** What Chromium writes where no response came; it refuses files in which `content.size` is missing. */
function noResponse({ error }: HttpFlow): HarResponse {
  return {
    status: 0,
    statusText: "",
    httpVersion: "",
    cookies: [],
    headers: [],
    content: { size: 0, mimeType: "x-unknown" },
    redirectURL: "",
    headersSize: -1,
    bodySize: -1,
    _transferSize: 0,
    ...error === null ? {} : { _error: error.message, _errorTimestamp: ms(error.timestamp) },
  };
}

/** The body without codings; null when it is not here. */
function contentOf(message: Message): Uint8Array | null {
  return message.size > MAX_BODY ? null : message.content;
}

/** Bytes of the body on the wire; -1 where nobody counted them. */
function sizeOf(message: Message): number {
  const { raw, stored } = message[internals];
  return raw !== null || stored !== null || message.size > 0 ? message.size : -1;
}

/** Bytes of the head; HTTP/2 has none that could be counted afterwards. */
function headSize({ httpVersion, headers: { raw } }: Message, line: string): number {
  if (!httpVersion.startsWith("HTTP/1.")) return -1;
  let size = line.length + 2;
  for (let i = 0; i < raw.length; i += 2) size += raw[i].length + raw[i + 1].length + 4;
  return size;
}

function common(message: Message): Pick<HarRequest, "_trailers" | "_timestampStart" | "_timestampEnd"> {
  const { trailers, timestampStart, timestampEnd } = message;
  return {
    _timestampStart: ms(timestampStart),
    ...trailers === null ? {} : { _trailers: pairs(trailers) },
    ...timestampEnd === null ? {} : { _timestampEnd: ms(timestampEnd) },
  };
}

function pairs(headers: Headers): HarPair[] {
  return [...headers].map(([name, value]) => ({ name, value }));
}

function webSocketOf(websocket: WebSocketData): Pick<HarEntry, "_webSocketMessages" | "_webSocketClose"> {
  const { messages, closedByClient, closeCode, closeReason, timestampEnd } = websocket;
  const kept = messages.filter((message) => message[internals].content !== null);
  return {
    _webSocketMessages: kept.map(({ isText, fromClient, content, timestamp, dropped, injected }) => ({
      type: fromClient ? "send" : "receive",
      time: timestamp / 1000,
      opcode: isText ? 1 : 2,
      data: isText ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(content) : base64(content),
      ...dropped ? { _dropped: true } : {},
      ...injected ? { _injected: true } : {},
    })),
    _webSocketClose: {
      byClient: closedByClient,
      code: closeCode,
      reason: closeReason,
      time: timestampEnd === null ? null : timestampEnd / 1000,
    },
  };
}

function base64(bytes: Uint8Array): string {
  return (bytes as Uint8Array<ArrayBuffer>).toBase64();
}

/** DevTools' names of kinds, by what the browser said the request is for (Fetch metadata), or by the response's type. */
function resourceType({ request, response, websocket }: HttpFlow): string {
  if (websocket !== null) return "websocket";
  const type = response?.headers.get("content-type")?.toLowerCase() ?? "";
  if (type.startsWith("text/event-stream")) return "eventsource";
  const destination = request.headers.get("sec-fetch-dest");
  if (destination !== null && Object.hasOwn(BY_DESTINATION, destination)) return BY_DESTINATION[destination];
  return BY_TYPE.find(([pattern]) => pattern.test(type))?.[1] ?? "other";
}

const BY_DESTINATION: Readonly<Record<string, string>> = {
  audio: "media",
  document: "document",
  empty: "fetch",
  font: "font",
  iframe: "document",
  image: "image",
  script: "script",
  style: "stylesheet",
  video: "media",
};
const BY_TYPE: readonly (readonly [RegExp, string])[] = [
  [/^text\/html|^application\/xhtml/, "document"],
  [/^text\/css/, "stylesheet"],
  [/javascript|ecmascript/, "script"],
  [/^image\//, "image"],
  [/^font\/|^application\/(?:x-)?font/, "font"],
  [/^(?:audio|video)\//, "media"],
  [/json|xml|grpc/, "fetch"],
];
