/**
 * A WebSocket connection in the life of an exchange: the handshake's checks, the hooks, the relay (RFC 6455 §4).
 * @module
 */
import type { HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import {
  acceptValue,
  type Agreement,
  checkRequest,
  CloseCode,
  filterOffer,
  isWebSocketUpgrade,
  relayWebSocket,
  ServerPeer,
  WebSocketData,
  type WebSocketMessage,
  type WebSocketPeer,
} from "../websocket/mod.ts";
import { messageOf, WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import { Headers, type RequestHead, type UpstreamResponse } from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import { parseHistory } from "../options/mod.ts";
import type { ProxyContext } from "./context.ts";

/** Limit where `websocket_message_limit` is unset: what one buffer can hold anyway. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * Prepares a request that asks for a WebSocket: extensions that weir does not know are taken out of the offer. False for
 * any other request.
 * @throws {WeirError} 400 or 426 when the client's handshake is broken.
 */
export function prepareHandshake(head: RequestHead): boolean {
  if (!isWebSocketUpgrade(head)) return false;
  checkRequest(head);
  const { headers } = head;
  const offer = headers.get("sec-websocket-extensions");
  if (offer !== null) {
    const known = filterOffer(offer);
    if (known === null) headers.delete("sec-websocket-extensions");
    else headers.set("sec-websocket-extensions", known);
  }
  return true;
}

/** The 101 of an addon that plays the server, and the connection to it. */
export function playServer(
  request: RequestHead,
  server: { readonly play: (socket: WebSocketPeer) => unknown; readonly headers: Headers },
  { options, log }: ProxyContext,
): UpstreamResponse {
  const conn = new ServerPeer(options.websocket_message_limit ?? NO_LIMIT);
  const play = async () => {
    try {
      await server.play(conn.peer);
    } catch (error) {
      // The client has left in the middle of it.
      if (error instanceof WeirError && error.code === "closed") return conn.reset();
      log.error(`answerWebSocket: ${messageOf(error)}; the connection is cut`);
      conn.reset();
    }
  };
  const headers = new Headers([
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", acceptValue(request.headers.get("sec-websocket-key")!)],
    ...server.headers,
  ]);
  void play();
  return {
    head: { statusCode: 101, reason: "Switching Protocols", httpVersion: "HTTP/1.1", headers },
    body: null,
    upgraded: conn,
  };
}

/** Runs the connection to its end. @throws {WeirError} when it did not end by a closing handshake. */
export async function runWebSocket(
  context: ProxyContext,
  flow: HttpFlow,
  ends: { readonly client: Conn; readonly server: Conn },
  agreement: Agreement,
): Promise<void> {
  const { hooks, options, cut } = context;
  const data = flow.websocket = new WebSocketData(parseHistory(options.websocket_history));
  data[internals].memory = context.memory;
  data.stream = options.stream_websockets;
  await hooks.trigger("websocket_start", flow);
  const state = flow[internals];
  // The other direction's messages come in between, also while an addon takes its time: each finds its own as the newest.
  const onMessage = (message: WebSocketMessage) =>
    hooks.trigger("websocket_message", flow, () => data[internals].makeNewest(message));
  const relay = relayWebSocket({
    ...ends,
    deflate: agreement.deflate,
    data,
    messageLimit: options.websocket_message_limit ?? NO_LIMIT,
    ...hooks.has("websocket_message") && { onMessage },
    warn: (text) => state.warn(text),
  });
  const stopExchange = state.kill;
  state.kill = (how) => {
    stopExchange?.(how);
    relay.kill();
  };
  if (state.killed) relay.kill();
  const ignoreCut = onAbort(cut, () => data.close(CloseCode.goingAway, "weir is stopping."));
  const error = await relay.ended;
  ignoreCut();
  await hooks.trigger("websocket_end", flow);
  if (error !== null) throw error;
}
