/**
 * What a client is told when its request is refused, or fails before anything was sent: a short plain page.
 * @module
 */
import type { WeirError } from "../errors.ts";
import { type Body, bytesBody } from "../streams/mod.ts";
import { escapeControl } from "../escape.ts";
import { Headers } from "./headers.ts";
import { reasonFor } from "./status.ts";
import type { ResponseHead } from "./wire.ts";

/** Head and body that say which side failed and why. */
export function errorPage(error: WeirError): { head: ResponseHead; body: Body } {
  const { statusCode } = error;
  const reason = reasonFor(statusCode);
  const bytes = new TextEncoder().encode(
    `${statusCode} ${reason}\n\nweir: ${escapeControl(error.message)}\n`,
  );
  const headers = new Headers([
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", String(bytes.length)],
  ]);
  // RFC 6455 §4.4, RFC 9110 §15.5.22: the only upgrade that weir takes part in is to this version.
  if (statusCode === 426) {
    headers.append("Sec-WebSocket-Version", "13");
    headers.append("Upgrade", "websocket");
    headers.append("Connection", "Upgrade");
  }
  return { head: { statusCode, reason, httpVersion: "HTTP/1.1", headers }, body: bytesBody(bytes, null) };
}
