/**
 * The hooks: their names and what each is given (mitmproxy `hooks.py`, `proxy/layers/*`).
 * @module
 */
import type { Address } from "../net/mod.ts";
import type { ClientConnection, ServerConnection } from "../flow/connection.ts";
import type { HttpFlow, TcpFlow } from "../flow/flow.ts";

/** What `tls_clienthello` is given: what the client said first, before anyone decides to intercept. */
export interface ClientHelloData {
  /** Server name that the client asked for (RFC 6066 §3), or null. */
  readonly sni: string | null;
  /** Protocols that the client offers (RFC 7301), in its order. */
  readonly alpn: readonly string[];
  /** The connection that it is said on. */
  readonly clientConn: ClientConnection;
  /** Where the connection is meant to go, or null when that is not known yet. */
  readonly serverAddress: Address | null;
  /** Set to true to pass the connection through untouched. */
  ignore: boolean;
}

/** What `tls_failed_client` is given (mitmproxy `tls.TlsData`). */
export interface TlsFailedData {
  /** Server name that the client asked for (RFC 6066 §3), or null. */
  readonly sni: string | null;
  /** The connection that it was said on. */
  readonly clientConn: ClientConnection;
  /** Where the connection is meant to go, or null when it leads to weir itself. */
  readonly serverAddress: Address | null;
  /** What went wrong, in a sentence. */
  readonly error: string;
  /**
   * True when the client did not like the certificate, as far as that can be told: it said so in an alert, or left before it
   * had sent anything over the session.
   */
  readonly isRefusal: boolean;
}

/** What `tunnel_start` is given: where a client is to be led that has not said so by CONNECT. */
export interface TunnelData {
  /** The connection that it came by. */
  readonly clientConn: ClientConnection;
  /** Where it leads. */
  readonly address: Address;
  /** The proxy by which it goes; it can be set as `flow.serverConn.via` is. Requests that are found in it can go another way. */
  via: string | null;
}

/** What the `server_*` hooks are given. */
export interface ServerConnectionData {
  /** The connection, before it is made and after. */
  readonly server: ServerConnection;
  /**
   * The client for whom the connection is made. Pooled connections serve others later, unless an addon has a
   * `server_connect` hook: then each client has connections of its own, so that what the hook refuses stays refused.
   */
  readonly clientConn: ClientConnection;
  /** Set to a sentence in `server_connect` to refuse the connection; says in `server_disconnected` what broke it. */
  error: string | null;
}

/**
 * What `socks5_auth` is given: a SOCKS5 client has named itself (RFC 1929; mitmproxy `Socks5AuthData`). Clients are asked to
 * when the option `proxyauth` is set, or a script has this hook.
 */
export interface Socks5AuthData {
  /** The connection that it came by: when it is let in, so is all that comes by it. */
  readonly clientConn: ClientConnection;
  /** As the client sent it, read as UTF-8. */
  readonly username: string;
  /** As the client sent it, read as UTF-8. */
  readonly password: string;
  /** False until an addon sets it to true: the client is let in. */
  valid: boolean;
}

/** Hooks that follow flows and connections, with the type of their first argument. */
export interface EventHooks {
  /** A client asks for a tunnel (CONNECT). Set `flow.response` to refuse it. */
  http_connect: HttpFlow;
  /** The tunnel is open: the client was told so. */
  http_connected: HttpFlow;
  /** The tunnel is refused: `flow.response`, which an addon set, is about to be sent. */
  http_connect_error: HttpFlow;
  /** The request's head is here, nothing of its body was read: decide `flow.request.stream` here. */
  requestheaders: HttpFlow;
  /** The request is about to be forwarded: buffered, `content` is the whole body; streamed, null. */
  request: HttpFlow;
  /** The response's head is here, nothing of its body was read: decide `flow.response.stream` here. */
  responseheaders: HttpFlow;
  /** The response is about to be forwarded; `content` as in `request`. */
  response: HttpFlow;
  /** All bytes were delivered, both ways. Every flow ends with this or with `error`. */
  complete: HttpFlow;
  /** The exchange was cut: `flow.error` says why. */
  error: HttpFlow;
  /** The connection became a WebSocket: `flow.websocket` is there. */
  websocket_start: HttpFlow;
  /** A message is complete; it is the newest of `flow.websocket.messages`. */
  websocket_message: HttpFlow;
  /** The WebSocket connection has ended: `closeCode` and `closeReason` say how. */
  websocket_end: HttpFlow;
  /** A connection is passed on as raw bytes from here on. */
  tcp_start: TcpFlow;
  /** Bytes of a raw connection are about to be forwarded; they are the newest of `flow.messages`. */
  tcp_message: TcpFlow;
  /** Both directions of a raw connection have ended in order. */
  tcp_end: TcpFlow;
  /** A raw connection broke: `flow.error` says why. */
  tcp_error: TcpFlow;
  /** A client has begun a TLS handshake. */
  tls_clienthello: ClientHelloData;
  /**
   * It is known where a client is led, and nothing is connected yet: a client of SOCKS5 has said so, or a mode does (transparent,
   * reverse). With CONNECT there is `http_connect` in its place.
   */
  tunnel_start: TunnelData;
  /** A SOCKS5 client has sent user name and password: set `valid` to let it in. */
  socks5_auth: Socks5AuthData;
  /** A client's TLS handshake with weir failed, or it left at once behind it. */
  tls_failed_client: TlsFailedData;
  /** A client's connection was accepted; setting its `error` refuses it. */
  client_connected: ClientConnection;
  /** A client's connection is closed. */
  client_disconnected: ClientConnection;
  /** weir is about to connect to an origin, for this client alone. */
  server_connect: ServerConnectionData;
  /** The connection to an origin is there; the TLS handshake, if any, comes next. */
  server_connected: ServerConnectionData;
  /** The connection to an origin is closed, or its TLS handshake failed. */
  server_disconnected: ServerConnectionData;
}

/** The name of a hook that follows flows or connections. */
export type EventHookName = keyof EventHooks;
/** Names of the hooks of an addon's own life. */
export type LifeHookName = "load" | "configure" | "running" | "done";
export type HookName = EventHookName | LifeHookName;

/** A record, so that the compiler sees to it that no name is missing. */
const EVENT_HOOKS: Record<EventHookName, true> = {
  http_connect: true,
  http_connected: true,
  http_connect_error: true,
  requestheaders: true,
  request: true,
  responseheaders: true,
  response: true,
  complete: true,
  error: true,
  websocket_start: true,
  websocket_message: true,
  websocket_end: true,
  tcp_start: true,
  tcp_message: true,
  tcp_end: true,
  tcp_error: true,
  tls_clienthello: true,
  tls_failed_client: true,
  tunnel_start: true,
  socks5_auth: true,
  client_connected: true,
  client_disconnected: true,
  server_connect: true,
  server_connected: true,
  server_disconnected: true,
};

/** What `LifeHooks` has (`./addon.ts`). */
const LIFE_HOOKS: Record<LifeHookName, true> = { load: true, configure: true, running: true, done: true };

export const EVENT_HOOK_NAMES = Object.keys(EVENT_HOOKS) as EventHookName[];
const LIFE_HOOK_NAMES = Object.keys(LIFE_HOOKS) as LifeHookName[];
export const HOOK_NAMES: readonly HookName[] = [...LIFE_HOOK_NAMES, ...EVENT_HOOK_NAMES];

/** True for the name of a hook. */
export function isHookName(name: string): name is HookName {
  return Object.hasOwn(EVENT_HOOKS, name) || Object.hasOwn(LIFE_HOOKS, name);
}
