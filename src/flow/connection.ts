/**
 * What addons see of the two connections of a flow (mitmproxy `connection.Client`, `connection.Server`).
 * @module
 */
import type { Address, TlsInfo } from "../net/mod.ts";

/** The client's connection to weir. */
export interface ClientConnection {
  /**
   * Unique among running processes, in the shape of a UUID. Each tunnel in a stream of an HTTP/2 connection
   * (CONNECT) counts as a connection.
   */
  readonly id: string;
  /** The client's end. */
  readonly address: Address;
  /** weir's end. */
  readonly localAddress: Address;
  /** Null while (or when) the connection is not TLS. */
  readonly tls: TlsInfo | null;
  /**
   * Protocols that the client offered (ALPN, RFC 7301), in its order; empty without TLS (mitmproxy
   * `alpn_offers`).
   */
  readonly alpnOffers: readonly string[];
  /** DER of the certificate that weir showed to the client; null without TLS (mitmproxy `mitmcert`). */
  readonly shownCertificate: Uint8Array | null;
  /**
   * Set to a sentence in `client_connected` to refuse the connection: it is closed without a word (mitmproxy
   * `error`).
   */
  error?: string | null;
  /** Which mode's listener took it: "regular", "reverse:http://…". */
  readonly mode: string;
  /** When it was accepted, in milliseconds since the epoch. */
  readonly timestampStart: number;
  /** When its TLS handshake was done, in milliseconds since the epoch; null before that, and without TLS. */
  readonly timestampTlsSetup: number | null;
  /** When it was closed, in milliseconds since the epoch; null while it is open. */
  readonly timestampEnd: number | null;
}

/** weir's connection to an origin. */
export interface ServerConnection {
  /** Unique among running processes, in the shape of a UUID. */
  readonly id: string;
  /** Where it goes, by the name that was asked for. */
  readonly address: Address;
  /** The resolved far end; null before it is connected. */
  readonly peerAddress: Address | null;
  /** weir's end; null before it is connected. */
  readonly localAddress: Address | null;
  /**
   * The proxy by which it goes, as `scheme://host:port` without user and password; null: none (mitmproxy
   * `via`).
   *
   * It can be set in the hooks `http_connect`, `requestheaders` and `request`, before there is a connection,
   * to `[http://|https://|socks5://][user:password@]host[:port]`, or to null, which is to go there directly.
   * What is set in `http_connect` holds for all that comes through the tunnel. The certificate of an origin
   * is looked at before there is a request (`upstream_cert`): whoever must not connect directly sets it
   * there, and in `tunnel_start`, which is for clients that use no CONNECT.
   *
   * ```ts
   * export function requestheaders(flow: HttpFlow) {
   *   if (flow.request.host.endsWith(".onion")) flow.serverConn.via = "socks5://127.0.0.1:9050";
   * }
   * ```
   * @throws {TypeError} when it is set to what is no address of a proxy, or once the connection is there.
   */
  via: string | null;
  /** Null while (or when) the connection is not TLS. */
  readonly tls: TlsInfo | null;
  /** Protocols that weir offered (ALPN, RFC 7301), in its order; empty without TLS. */
  readonly alpnOffers: readonly string[];
  /** When connecting began, in milliseconds since the epoch. */
  readonly timestampStart: number;
  /** When the TCP connection was there, in milliseconds since the epoch; null before that. */
  readonly timestampTcpSetup: number | null;
  /** When its TLS handshake was done, in milliseconds since the epoch; null before that, and without TLS. */
  readonly timestampTlsSetup: number | null;
  /** When it was closed, in milliseconds since the epoch; null while it is open. */
  readonly timestampEnd: number | null;
}

/**
 * Notes that a connection is closed: its fields are read-only for addons alone. A second call changes
 * nothing.
 */
export function markClosed(connection: ClientConnection | ServerConnection): void {
  (connection as { timestampEnd: number | null }).timestampEnd ??= Date.now();
}

let counter = 0;
/**
 * The first eight digits are of the process, the last twelve count; version and variant are those of a random
 * UUID.
 */
const prefix = `${crypto.randomUUID().slice(0, 8)}-0000-4000-8000-`;

/** A name for a flow or a connection in the shape of a UUID, unique among running processes. */
export function newId(): string {
  return prefix + (++counter).toString(16).padStart(12, "0");
}
