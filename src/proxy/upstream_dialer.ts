/**
 * Upstream: making a connection to an origin. Hooks, TCP, the check for loops, TLS.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import { authorityOf } from "../http/mod.ts";
import { type ClientConnection, markClosed, newId, type ServerConnection } from "../flow/connection.ts";
import type { Dispatcher, ServerConnectionData } from "../hooks/mod.ts";
import { type Address, type Conn, dial, type TlsInfo } from "../net/mod.ts";
import { type Options, tlsVersions } from "../options/mod.ts";
import { clientHandshake, type ClientIdentity } from "../tls/mod.ts";
import type { Destination } from "./route.ts";

/** What dialing needs of the proxy. */
export interface DialerInit {
  readonly options: Options;
  readonly hooks: Dispatcher;
  /** True when that connection leads to one of weir's own listeners. */
  isLoop(local: Address, remote: Address): boolean;
  /** PEM of certificates to trust besides the system's. */
  trusted(): Promise<readonly string[]>;
  /** What to show to a host that asks for a certificate (`client_certs`). */
  identityFor(host: string): Promise<ClientIdentity | null>;
}

/** A connection with what addons see of it. */
export interface Dialed {
  readonly conn: Conn;
  readonly serverConn: ServerConnection;
}

export class UpstreamDialer {
  readonly #init: DialerInit;
  readonly #closed = new AbortController();

  constructor(init: DialerInit) {
    this.#init = init;
  }

  /**
   * Connects; `alpn` are the protocols to offer where there is TLS.
   * @throws {WeirError} when the origin cannot be reached or trusted, or a `server_connect` hook refuses it.
   */
  async dial(
    destination: Destination,
    clientConn: ClientConnection,
    alpn: readonly string[],
  ): Promise<Dialed> {
    const { hooks, options, trusted, identityFor } = this.#init;
    const { signal } = this.#closed;
    const serverConn = new ServerFacts(destination);
    const ca = destination.scheme === "http" ? [] : await trusted();
    const name = destination.sni ?? destination.host;
    const identity = destination.scheme === "http" || options.client_certs === null
      ? null
      : await identityFor(name);
    const conn = await this.#connect(destination, serverConn, clientConn);
    if (destination.scheme === "http") return { conn, serverConn };
    const ignoreClosing = onAbort(signal, () => conn.close());
    try {
      const secure = await clientHandshake(conn, {
        servername: name,
        alpn,
        verify: !options.ssl_insecure,
        ca,
        identity,
        versions: tlsVersions(options.tls_version_server_min, options.tls_version_server_max),
        host: authorityOf(destination.host, destination.port, "https"),
        timeout: options.connect_timeout * 1000,
        again: () => this.#dial(destination),
      });
      serverConn.tls = secure.tls;
      serverConn.alpnOffers = alpn;
      serverConn.timestampTlsSetup = Date.now();
      return { conn: secure, serverConn };
    } catch (error) {
      markClosed(serverConn);
      await hooks.trigger("server_disconnected", { server: serverConn, clientConn, error: messageOf(error) });
      throw signal.aborted ? stoppingError() : error;
    } finally {
      ignoreClosing();
    }
  }

  /** Gives up on connections that are being made, and makes no more. */
  close(): void {
    this.#closed.abort(stoppingError());
  }

  async #connect(
    destination: Destination,
    serverConn: ServerFacts,
    clientConn: ClientConnection,
  ): Promise<Conn> {
    const { hooks, isLoop } = this.#init;
    const data: ServerConnectionData = { server: serverConn, clientConn, error: null };
    await hooks.trigger("server_connect", data);
    if (data.error !== null) {
      throw new WeirError(
        "weir",
        "unreachable",
        `An addon refused the connection to ${destination.host}: ${data.error}`,
      );
    }
    const conn = await this.#dial(destination);
    if (isLoop(conn.localAddr, conn.remoteAddr)) {
      conn.close();
      throw new WeirError(
        "client",
        "loop",
        `${
          authorityOf(destination.host, destination.port, "")
        } is weir itself; the request would come back again and again.`,
      );
    }
    serverConn.peerAddress = conn.remoteAddr;
    serverConn.localAddress = conn.localAddr;
    serverConn.timestampTcpSetup = Date.now();
    await hooks.trigger("server_connected", data);
    return conn;
  }

  #dial({ host, port }: Destination): Promise<Conn> {
    return dial(host, port, {
      side: "server",
      timeout: this.#init.options.connect_timeout * 1000,
      signal: this.#closed.signal,
    });
  }
}

/** weir stops, so there is no use in a connection any more. */
export function stoppingError(): WeirError {
  return new WeirError("weir", "shutdown", "weir is stopping.");
}

/** What is known of a connection to a server. */
class ServerFacts implements ServerConnection {
  readonly id: string = newId();
  readonly address: Address;
  peerAddress: Address | null = null;
  localAddress: Address | null = null;
  tls: TlsInfo | null = null;
  alpnOffers: readonly string[] = [];
  readonly timestampStart: number = Date.now();
  timestampTcpSetup: number | null = null;
  timestampTlsSetup: number | null = null;
  timestampEnd: number | null = null;

  constructor(destination: Destination) {
    this.address = { hostname: destination.host, port: destination.port };
  }
}
