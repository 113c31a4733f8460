/**
 * A flow as the bytes of its messages (RFC 9112), those of HTTP/2 written as if they were HTTP/1's.
 * @module
 */
import { Buffer } from "node:buffer";
import type { Flow, HttpFlow } from "../../flow/flow.ts";
import type { Message } from "../../flow/message.ts";
import { internals } from "../../internals.ts";

/** Which messages: both, or one. */
export type RawPart = "both" | "request" | "response";

const BETWEEN = Buffer.from("\r\n\r\n");

/**
 * The messages of a flow, bodies with their codings on; one that was not kept is left out. Behind a response that opened a WebSocket
 * its messages follow, a line each. Of a raw conversation: the bytes of both sides in the order in which they came, or of one.
 */
export function toRaw(flow: Flow, part: RawPart = "both"): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(flow.type === "http" ? httpParts(flow, part) : tcpParts(flow, part)));
}

function tcpParts({ messages }: Flow & { type: "tcp" }, part: RawPart): Uint8Array[] {
  return messages
    .filter(({ fromClient }) => part === "both" || fromClient === (part === "request"))
    .map(({ content }) => content);
}

function httpParts({ request, response, websocket }: HttpFlow, part: RawPart): Uint8Array[] {
  const parts: Uint8Array[] = [];
  if (part !== "response") {
    const { method, path, url, httpVersion } = request;
    const target = method === "CONNECT" ? url : path;
    parts.push(...message(`${method} ${target} ${httpVersion}`, request));
  }
  if (part === "request" || response === null) return parts;
  if (part === "both") parts.push(BETWEEN);
  const { httpVersion, statusCode, reason } = response;
  parts.push(...message(`${httpVersion} ${statusCode} ${reason}`, response));
  if (websocket === null) return parts;
  for (const one of websocket.messages) {
    const { content } = one[internals];
    if (content === null) continue;
    parts.push(Buffer.from(one.fromClient ? "\n[OUTGOING] " : "\n[INCOMING] "), content);
  }
  return parts;
}

function* message(line: string, { headers, rawContent, trailers }: Message): Generator<Uint8Array, void> {
  yield head(line, headers.raw);
  if (!/\bchunked\s*$/i.test(headers.get("transfer-encoding") ?? "")) {
    if (rawContent !== null) yield rawContent;
    return;
  }
  // Without chunks it would be another message than its head says.
  if (rawContent !== null && rawContent.length > 0) {
    yield Buffer.from(`${rawContent.length.toString(16)}\r\n`);
    yield rawContent;
    yield Buffer.from("\r\n");
  }
  if (rawContent !== null) yield head("0", trailers?.raw ?? []);
}

function head(line: string, raw: readonly string[]): Uint8Array {
  let text = `${line}\r\n`;
  for (let i = 0; i < raw.length; i += 2) text += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
}
