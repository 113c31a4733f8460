/**
 * Making a connection to an origin: hooks, TCP, the check for loops, TLS.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { authorityOf } from "../http/mod.ts";
import { type ClientConnection, markClosed, newId, type ServerConnection } from "../flow/connection.ts";
import type { Dispatcher, ServerConnectionData } from "../hooks/mod.ts";
import { type Address, type Conn, dial, type TlsInfo } from "../net/mod.ts";
import type { Options } from "../options/mod.ts";
import { clientHandshake } from "../tls/mod.ts";
import type { Destination } from "./route.ts";

/** What dialling needs of the proxy. */
export interface DialerInit {
  readonly options: Options;
  readonly hooks: Dispatcher;
  /** True when that connection leads to one of weir's own listeners. */
  isLoop(local: Address, remote: Address): boolean;
  /** PEM of certificates to trust besides the system's. */
  trusted(): Promise<readonly string[]>;
}

/** A connection with what addons see of it. */
export interface Dialled {
  readonly conn: Conn;
  readonly server: ServerConnection;
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
  ): Promise<Dialled> {
    const { hooks, options, trusted } = this.#init;
    const { signal } = this.#closed;
    const server = new ServerConn(destination);
    const ca = destination.scheme === "http" ? [] : await trusted();
    const conn = await this.#connect(destination, server, clientConn);
    if (destination.scheme === "http") return { conn, server };
    const close = () => conn.close();
    signal.addEventListener("abort", close);
    try {
      const secure = await clientHandshake(conn, {
        servername: destination.sni ?? destination.host,
        alpn,
        verify: !options.ssl_insecure,
        ca,
        host: authorityOf(destination.host, destination.port, "https"),
        timeout: options.connect_timeout * 1000,
        again: () => this.#dial(destination),
      });
      server.tls = secure.tls;
      server.alpnOffers = alpn;
      server.timestampTlsSetup = Date.now();
      return { conn: secure, server };
    } catch (error) {
      markClosed(server);
      await hooks.trigger("server_disconnected", { server, clientConn, error: messageOf(error) });
      throw signal.aborted ? stoppingError() : error;
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  /** Gives up on connections that are being made, and makes no more. */
  close(): void {
    this.#closed.abort(stoppingError());
  }

  async #connect(destination: Destination, server: ServerConn, clientConn: ClientConnection): Promise<Conn> {
    const { hooks, isLoop } = this.#init;
    const data: ServerConnectionData = { server, clientConn, error: null };
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
    server.peerAddress = conn.remoteAddr;
    server.localAddress = conn.localAddr;
    server.timestampTcpSetup = Date.now();
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

class ServerConn implements ServerConnection {
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
