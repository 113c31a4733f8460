/**
 * An HTTP flow as lines: its request line and its response line, with headers, contents and trailers where they are asked for.
 * @module
 */
import { escapeControl, type Headers, type HttpFlow, type Message, reasonFor, type TcpFlow } from "weir";
import { bodyLines } from "./body_lines.ts";
import { wasShown } from "./live_units.ts";
import { columns, type Part, style } from "./printer.ts";
import { clientOf, endOf, errorText, serverOf, sizeText, timeText, urlOf } from "./words.ts";

/** A URL is cut at level 1 when the terminal is not this much wider: room for address, method and "…". */
const BESIDE_URL = 25;

/** All of a flow that has ended. */
export function* flowLines(flow: HttpFlow, detail: number): Generator<string | Part> {
  const { request, response } = flow;
  yield requestLine(flow, detail) + (request.size > 0 ? ` ${style(sizeText(request.size), "bold")}` : "");
  yield* messageLines(request, detail);
  if (!response) return;
  yield responseLine(flow, detail);
  yield* messageLines(response, detail);
}

/** All of a flow that was cut, and why it was. */
export function* failedLines(flow: HttpFlow, detail: number): Generator<string | Part> {
  yield* flowLines(flow, detail);
  yield style(` << ${errorText(flow)}`, "bold", "red");
}

/** `127.0.0.1:52344: GET http://example.com/`; versions are said only when they are not HTTP/1 on both sides. */
export function requestLine(flow: HttpFlow, detail: number): string {
  const { method, httpVersion } = flow.request;
  let url = urlOf(flow);
  const room = detail === 1 ? Math.max(columns() - BESIDE_URL, 50) : Infinity;
  if (url.length > room) url = `${url.slice(0, room)}…`;
  const colour = method === "GET" ? "green" : method === "DELETE" ? "red" : "magenta";
  const version = saysVersion(flow, httpVersion) ? ` ${httpVersion}` : "";
  // What is sent again has no client (mitmdump).
  const client = flow.isReplay === "request" ? style("[replay]", "bold") : `${clientOf(flow)}:`;
  return `${client} ${style(escapeControl(method), "bold", colour)} ${
    style(readable(url), "bold")
  }${version}`;
}

/** ` << 200 OK 1.2k 35ms`, so far to the right at level 1 that the code stands below the method. */
function responseLine(flow: HttpFlow, detail: number): string {
  const { statusCode, httpVersion, streamedBy, size } = flow.response!;
  const colour = statusCode < 200 ? null : statusCode < 300 ? "green" : statusCode < 400 ? "magenta" : "red";
  const version = saysVersion(flow, httpVersion) ? `${httpVersion} ` : "";
  const replay = flow.isReplay === "response" ? "[replay]" : "";
  const pad = detail === 1 ? Math.max(0, clientOf(flow).length - 2 - version.length - replay.length) : 0;
  // HTTP/2 has no reason phrase (RFC 9113 §8.3.2), but people know codes by theirs.
  const reason = flow.response!.reason || (httpVersion === "HTTP/2.0" ? reasonFor(statusCode) : "");
  const status = [String(statusCode), readable(reason)].filter((part) => part !== "")
    .map((part) => style(part, "bold", colour)).join(" ");
  const time = timeText(endOf(flow) - flow.timestampStart);
  const how = streamedBy === null ? "" : ` (streamed: ${streamedBy})`;
  // A flow from a file may be without its body (mitmdump).
  const isRecorded = !flow.live && (streamedBy === null || flow.metadata["weir.streamed_by"] !== undefined);
  const isMissing = isRecorded && size === 0 && flow.response!.rawContent === null;
  const sizeShown = style(isMissing ? "(content missing)" : sizeText(size), "bold");
  return `${replay}${" ".repeat(pad)}${style(" <<", "bold")} ${version}${status} ${sizeShown} ${time}${how}`;
}

function saysVersion(flow: HttpFlow, version: string): boolean {
  const other = flow.response?.httpVersion ?? "HTTP/1.1";
  return version === "HTTP/2.0" || flow.request.httpVersion !== other;
}

/** `127.0.0.1:52344: TCP example.com:22` */
export function tcpLine(flow: TcpFlow): string {
  return `${clientOf(flow)}: ${style("TCP", "bold", "magenta")} ${style(serverOf(flow), "bold")}`;
}

/** `127.0.0.1:52344: TCP example.com:22 << 1.2k up, 215m down 3.2s`: what a raw connection has carried. */
export function tcpEndLine(flow: TcpFlow): string {
  const sizes = `${sizeText(flow.bytesFromClient)} up, ${sizeText(flow.bytesFromServer)} down`;
  return `${tcpLine(flow)}${style(" <<", "bold")} ${sizes} ${timeText(Date.now() - flow.timestampStart)}`;
}

/** Headers from level 2, body from level 3, trailers. */
function* messageLines(message: Message, detail: number): Generator<string | Part> {
  if (detail < 2) return;
  yield* headerLines(message.headers);
  if (detail >= 3) {
    if (wasShown(message)) yield* ["", style("    (streamed: shown above, as it came)", "dim")];
    else yield* bodyLines(message, detail);
    yield "";
  }
  if (message.trailers) {
    yield style("    --- HTTP Trailers", "magenta");
    yield* headerLines(message.trailers);
  }
}

function headerLines(headers: Headers): string[] {
  return [...headers].map(([name, value]) => `    ${style(escapeControl(name), "blue")}: ${readable(value)}`);
}

/** Heads hold a character per byte (RFC 9110 §5.5), but what is not ASCII in them is mostly UTF-8. */
function readable(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[\u0100-\uffff]/.test(text)) return escapeControl(text);
  try {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return escapeControl(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return escapeControl(text);
  }
}
