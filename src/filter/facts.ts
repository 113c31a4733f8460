/**
 * What filters ask of a flow, as the texts and numbers that they look at (mitmproxy `flowfilter.py`).
 * @module
 */
import { madeConnection } from "../flow/planned_connection.ts";
import { type Authority, type Headers, parseAuthority } from "../http/mod.ts";
import type { Flow, HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import type { Message } from "../flow/message.ts";
import { isUnderWay, mayGrow } from "./moment.ts";
import type { Request } from "../flow/request.ts";
import type { Response } from "../flow/response.ts";
import type { Address } from "../net/mod.ts";
import { either, hasResponse, type Verdict } from "./verdict.ts";

/** A number that may not be the last word yet; null: there is none (yet). */
export interface Measure {
  readonly value: number | null;
  readonly isFinal: boolean;
}

/** Names of what can have decided that a body is streamed (`message.streamedBy`). */
export const STREAM_REASONS: readonly string[] = ["addon", "size", "type", "memory", "unread"];

/** `host:port`, without brackets. */
export function addressText({ hostname, port }: Address): string {
  return `${hostname}:${port}`;
}

/** Where a flow goes, by the name that was asked for; null where nobody knows. */
export function destination(flow: Flow): string | null {
  const connection = madeConnection(flow);
  if (connection !== null) return addressText(connection.address);
  return flow.type === "http" && isUnderWay(flow) ? `${flow.request.host}:${flow.request.port}` : null;
}

/** The host that a request goes to, and the one that its Host field names. */
export function hosts(request: Request): string[] {
  return [request.host, hostField(request)?.host ?? request.host];
}

function hostField({ headers }: Request): Authority | null {
  const host = headers.get("host");
  return host === null ? null : parseAuthority(host);
}

/** The fields of a head as lines. */
export function headText({ raw }: Headers): string {
  let text = "";
  for (let i = 0; i < raw.length; i += 2) text += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return text;
}

const ASSETS = [
  /text\/javascript/,
  /application\/x-javascript/,
  /application\/javascript/,
  /text\/css/,
  /image\//,
  /font\//,
  /application\/font/,
];

/** True for what pages are made of besides their documents: scripts, styles, images, fonts. */
export function isAsset({ headers }: Response): boolean {
  return headers.getAll("content-type").some((type) => ASSETS.some((asset) => asset.test(type)));
}

/** True for server-sent events. */
export function isEventStream({ headers }: Response): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(headers.get("content-type") ?? "");
}

/** Whether a flow is, or becomes, a WebSocket connection. */
export function isWebSocket(flow: Flow): Verdict {
  if (flow.type !== "http") return false;
  if (flow.websocket !== null) return true;
  return flow.response === null
    ? hasResponse(flow)
    : flow.response.statusCode === 101 && flow.live
    ? undefined
    : false;
}

/** Whether a body of the flow is streamed, for that reason where one is given. */
export function isStreamed(flow: Flow, reason: string): Verdict {
  if (flow.type !== "http") return false;
  const known = flow.metadata["weir.streamed_by"];
  if (known !== undefined) return hasReason(known, reason);
  const response = flow.response === null
    ? hasResponse(flow)
    : messageIsStreamed(flow.response, flow, reason);
  return either(messageIsStreamed(flow.request, flow, reason), response);
}

function messageIsStreamed(message: Message, flow: HttpFlow, reason: string): Verdict {
  const by = message.streamedBy;
  if (by !== null) return reason === "" || by === reason;
  return message[internals].mode === "pending" && mayGrow(message, flow) ? undefined : false;
}

/** `weir.streamed_by` of a saved flow: a reason, or one for each message. */
function hasReason(known: unknown, reason: string): boolean {
  const reasons = typeof known === "object" && known !== null ? Object.values(known) : [known];
  return reasons.some((by) => typeof by === "string" && (reason === "" || by === reason));
}

/** Bytes of both bodies as on the wire; of a raw conversation, or a WebSocket's, those of the messages that are kept. */
export function sizeOf(flow: Flow): Measure {
  if (flow.type === "tcp") {
    return { value: sum(flow.messages, ({ content }) => content.length), isFinal: !flow.live };
  }
  const isFinal =
    ![flow.request, flow.response].some((message) =>
      message !== null && message[internals].mode === "pending" && mayGrow(message, flow)
    ) && !flow.live;
  const messages = flow.websocket?.messages ?? [];
  const value = flow.request.size + (flow.response?.size ?? 0) +
    sum(messages, (message) => message[internals].content?.length ?? 0);
  return { value, isFinal };
}

function sum<T>(list: readonly T[], size: (item: T) => number): number {
  return list.reduce((total, item) => total + size(item), 0);
}

/** Milliseconds of a whole exchange; of a WebSocket or a raw conversation, of the connection. */
export function durationOf(flow: Flow): Measure {
  if (isUnderWay(flow)) return { value: Date.now() - flow.timestampStart, isFinal: !flow.live };
  return { value: endOf(flow) - flow.timestampStart, isFinal: true };
}

function endOf(flow: Flow): number {
  const ends = [flow.error?.timestamp];
  if (flow.type === "tcp") ends.push(flow.messages.at(-1)?.timestamp);
  else {
    ends.push(flow.request.timestampEnd ?? undefined, flow.response?.timestampEnd ?? undefined);
    ends.push(flow.websocket?.timestampEnd ?? undefined, flow.websocket?.messages.at(-1)?.timestamp);
  }
  return Math.max(flow.timestampStart, ...ends.filter((end) => end !== undefined));
}

/** Milliseconds from a request's first byte to its response's. */
export function firstByteOf(flow: Flow): Measure {
  if (flow.type !== "http") return { value: null, isFinal: true };
  const { request, response } = flow;
  if (response !== null) return { value: response.timestampStart - request.timestampStart, isFinal: true };
  return flow.live
    ? { value: Date.now() - request.timestampStart, isFinal: false }
    : { value: null, isFinal: true };
}

/** `key: value` for each, values as Python writes them. */
export function metadataText(metadata: Readonly<Record<string, unknown>>): string {
  return Object.entries(metadata).map(([key, value]) => `${key}: ${pythonText(value)}`).join("\n");
}

/** Python's `str` of a JSON value. */
function pythonText(value: unknown, isNested = false): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") {
    return isNested ? `'${value.replace(/[\\']/g, "\\$&").replace(/\n/g, "\\n")}'` : value;
  }
  if (Array.isArray(value)) return `[${value.map((item) => pythonText(item, true)).join(", ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).map(([key, item]) =>
      `${pythonText(key, true)}: ${pythonText(item, true)}`
    );
    return `{${pairs.join(", ")}}`;
  }
  return String(value);
}
