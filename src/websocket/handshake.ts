/**
 * The opening handshake (RFC 6455 §4), as one who stands between client and server sees it.
 * @module
 */
import { createHash } from "node:crypto";
import { WeirError } from "../errors.ts";
import { hasToken, listElements, type RequestHead, type ResponseHead } from "../http/mod.ts";
import { shown } from "../shown.ts";
import { type DeflateParams, parseAgreed } from "./extensions.ts";

/** What client and server have agreed on. */
export interface Agreement {
  readonly subprotocol: string | null;
  readonly deflate: DeflateParams | null;
}

/** True for a request that asks to become a WebSocket connection (RFC 6455 §4.1), well made or not. */
export function isWebSocketUpgrade(head: RequestHead): boolean {
  return head.httpVersion === "HTTP/1.1" && hasToken(head.headers.get("upgrade"), "websocket") &&
    hasToken(head.headers.get("connection"), "upgrade");
}

/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Checks the request (RFC 6455 §4.2.1); throws {@linkcode WeirError}: 426 for another version, else 400. */
export function checkRequest(head: RequestHead): void {
  if (head.method !== "GET") {
    // Passed on, it would be a WebSocket that no hook sees, with a server that does not mind.
    throw new WeirError(
      "client",
      "protocol",
      `The client asked for a WebSocket with ${shown(head.method)}, not GET.`,
    );
  }
  const versions = head.headers.getAll("sec-websocket-version");
  if (versions.length !== 1 || versions[0] !== "13") {
    throw new WeirError(
      "client",
      "protocol",
      `The client asked for WebSocket version ${shown(versions.join(", "))}; only 13 is known.`,
      { statusCode: 426 },
    );
  }
  const keys = head.headers.getAll("sec-websocket-key");
  if (keys.length !== 1 || !KEY.test(keys[0])) {
    throw new WeirError(
      "client",
      "protocol",
      `The client's Sec-WebSocket-Key ${shown(keys.join(", "))} is not 16 bytes in base64.`,
    );
  }
}

/**
 * Checks a 101 against the request as it was sent to the server (RFC 6455 §4.1, the client's part).
 * @throws {WeirError} of side "server": wrong accept value, a subprotocol or an extension that was not offered.
 */
export function checkResponse(request: RequestHead, response: ResponseHead): Agreement {
  const { headers } = response;
  const refuse = (why: string) =>
    new WeirError("server", "protocol", `The server's WebSocket handshake ${why}.`);
  if (response.statusCode !== 101) throw refuse(`has status ${response.statusCode}, not 101`);
  if (!hasToken(headers.get("upgrade"), "websocket")) throw refuse("has no Upgrade: websocket");
  if (!hasToken(headers.get("connection"), "upgrade")) throw refuse("has no Connection: Upgrade");
  const accept = headers.get("sec-websocket-accept");
  if (accept !== acceptValue(request.headers.get("sec-websocket-key") ?? "")) {
    throw refuse(`has the wrong Sec-WebSocket-Accept ${shown(accept)}`);
  }
  const subprotocol = headers.get("sec-websocket-protocol");
  const offered = listElements(request.headers.get("sec-websocket-protocol") ?? "");
  if (subprotocol !== null && !offered.includes(subprotocol)) {
    throw refuse(`chose the subprotocol ${shown(subprotocol)}, which was not offered`);
  }
  const deflate = parseAgreed(
    headers.get("sec-websocket-extensions"),
    request.headers.get("sec-websocket-extensions"),
  );
  return { subprotocol, deflate };
}

/** RFC 6455 §1.3: what every server appends to the key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export function acceptValue(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}
