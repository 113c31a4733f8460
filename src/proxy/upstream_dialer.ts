/**
 * Upstream: making a connection to an origin. Hooks, TCP, the check for loops, a proxy on the way, TLS.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import { authorityOf } from "../http/mod.ts";
import { type ClientConnection, markClosed, newId, type ServerConnection } from "../flow/connection.ts";
import type { Dispatcher, Gate, GatePlace, ServerConnectionData } from "../hooks/mod.ts";
import type { Address, Conn, TlsInfo } from "../net/mod.ts";
import { type Options, type ProxyAddress, proxyUrl, tlsVersions } from "../options/mod.ts";
import { clientHandshake, type ClientHandshakeOptions, type ClientIdentity } from "../tls/mod.ts";
import { type Ahead, ConnectionsAhead } from "./connections_ahead.ts";
import { OwnConnections } from "./loop.ts";
import { reach } from "./reach.ts";
import type { Destination } from "./route.ts";
import { blamed, nameOf, openTunnel, requestProxyOf } from "./via/mod.ts";

/** What dialing needs of the proxy. */
export interface DialerInit {
  readonly options: Options;
  readonly hooks: Dispatcher;
  /** True when that connection leads to one of weir's own listeners. */
  isLoop(local: Address, remote: Address): boolean;
  /** What has a say about addresses; null for nothing. */
  gate?(): Gate | null;
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
  readonly #ahead = new ConnectionsAhead<ServerFacts>((serverConn, clientConn) => {
    void this.#disconnected(serverConn, clientConn, null);
  });

  #ownConnections: OwnConnections | null = null;

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
    const isSecure = destination.scheme === "https";
    const ca = await this.#trustedFor(destination);
    const name = destination.sni ?? destination.host;
    const identity = isSecure ? await this.#identityFor(name) : null;
    const ahead = this.#ahead.take(destination, clientConn);
    const serverConn = ahead?.serverConn ?? new ServerFacts(destination);
    const conn = ahead?.conn ?? await this.#connect(destination, serverConn, clientConn, ca);
    if (!isSecure) return { conn, serverConn };
    try {
      const secure = await this.#secure(conn, {
        servername: name,
        identity,
        host: authorityOf(destination.host, destination.port, "https"),
        alpn,
        ca,
        again: () => this.#open(destination, ca),
      });
      serverConn.tls = secure.tls;
      serverConn.alpnOffers = alpn;
      serverConn.timestampTlsSetup = Date.now();
      return { conn: secure, serverConn };
    } catch (error) {
      await this.#disconnected(serverConn, clientConn, messageOf(error));
      throw error;
    }
  }

  /**
   * Connects before it is known what for. The next connection that is dialed for this client, to this place, is this one; until
   * then it is kept, unless the client is released.
   * @throws {WeirError} when the origin cannot be reached, or a `server_connect` hook refuses it.
   */
  async dialAhead(destination: Destination, clientConn: ClientConnection): Promise<Ahead> {
    const serverConn = new ServerFacts(destination), ca = await this.#trustedFor(destination);
    const conn = await this.#connect(destination, serverConn, clientConn, ca);
    return this.#ahead.keep({ conn, serverConn, destination, clientConn });
  }

  /** The client has left, or has gone another way: what was dialed ahead for it is of no use. */
  release(clientConn: ClientConnection): void {
    this.#ahead.release(clientConn);
  }

  /** Gives up on connections that are being made, and makes no more. */
  close(): void {
    this.#closed.abort(stoppingError());
    this.#ahead.close();
  }

  async #disconnected(
    serverConn: ServerFacts,
    clientConn: ClientConnection,
    error: string | null,
  ): Promise<void> {
    markClosed(serverConn);
    await this.#init.hooks.trigger("server_disconnected", { server: serverConn, clientConn, error });
  }

  /** Null where no mode can meet one of them. */
  get #own(): OwnConnections | null {
    if (!this.#init.options.mode.some((mode) => /^transparent/i.test(mode))) return null;
    return this.#ownConnections ??= new OwnConnections();
  }

  async #trustedFor({ scheme, via }: Destination): Promise<readonly string[]> {
    return scheme === "https" || via?.scheme === "https" ? await this.#init.trusted() : [];
  }

  async #connect(
    destination: Destination,
    serverConn: ServerFacts,
    clientConn: ClientConnection,
    ca: readonly string[],
  ): Promise<Conn> {
    const { hooks } = this.#init;
    // A client has sent something before anything is dialed for it, or has been silent for long: time to be known here.
    this.#own?.check(clientConn);
    const data: ServerConnectionData = { server: serverConn, clientConn, error: null };
    await hooks.trigger("server_connect", data);
    if (data.error !== null) {
      throw new WeirError(
        "weir",
        "unreachable",
        `An addon refused the connection to ${destination.host}: ${data.error}`,
      );
    }
    const conn = await this.#open(destination, ca);
    serverConn.peerAddress = conn.remoteAddr;
    serverConn.localAddress = conn.localAddr;
    serverConn.timestampTcpSetup = Date.now();
    await hooks.trigger("server_connected", data);
    return conn;
  }

  /** A connection that leads to the destination, or to the proxy that its requests are given to. */
  async #open(destination: Destination, ca: readonly string[]): Promise<Conn> {
    const { host, port, via = null } = destination;
    if (via === null) {
      return await this.#dial({ host, port }, authorityOf(host, port, ""), this.#init.gate?.());
    }
    const conn = await this.#openProxy(via, ca);
    if (requestProxyOf(destination) !== null) return conn;
    const { options } = this.#init;
    return await this.#whileOpen(conn, () =>
      openTunnel(conn, {
        proxy: via,
        target: { hostname: host, port },
        lenient: options.lenient,
        sendsConnectHost: options.http_connect_send_host_header,
        timeout: options.connect_timeout * 1000,
      }));
  }

  async #openProxy(proxy: ProxyAddress, ca: readonly string[]): Promise<Conn> {
    try {
      const identity = proxy.scheme === "https" ? await this.#identityFor(proxy.host) : null;
      const conn = await this.#dial(proxy, nameOf(proxy));
      if (proxy.scheme !== "https") return conn;
      return await this.#secure(conn, {
        servername: proxy.host,
        identity,
        host: authorityOf(proxy.host, proxy.port, "https"),
        alpn: ["http/1.1"],
        ca,
        again: () => this.#dial(proxy, nameOf(proxy)),
      });
    } catch (error) {
      throw blamed(error, proxy);
    }
  }

  async #identityFor(host: string): Promise<ClientIdentity | null> {
    const { options, identityFor } = this.#init;
    return options.client_certs === null ? null : await identityFor(host);
  }

  /** A gate says which addresses may be connected to; those of proxies are the user's choice. */
  async #dial(place: GatePlace, name: string, gate: Gate | null = null): Promise<Conn> {
    const { options, isLoop } = this.#init;
    const conn = await reach({ hostname: place.host, port: place.port }, {
      dnsOverride: options.dns_override,
      timeout: options.connect_timeout * 1000,
      signal: this.#closed.signal,
      ...gate !== null && { choose: (addresses) => chosen(gate, place, addresses) },
    });
    if (!isLoop(conn.localAddr, conn.remoteAddr)) {
      this.#own?.add(conn);
      return conn;
    }
    conn.close();
    const text = `${name} is weir itself; the request would come back again and again.`;
    throw new WeirError("client", "loop", text);
  }

  #secure(
    conn: Conn,
    given: Omit<ClientHandshakeOptions, "verify" | "versions" | "timeout">,
  ): Promise<Conn> {
    const { options } = this.#init;
    return this.#whileOpen(conn, () =>
      clientHandshake(conn, {
        ...given,
        verify: !options.ssl_insecure,
        versions: tlsVersions(options.tls_version_server_min, options.tls_version_server_max),
        timeout: options.connect_timeout * 1000,
      }));
  }

  /** Closes `conn`, and with it what is being done with it, when weir stops. */
  async #whileOpen<T>(conn: Conn, work: () => Promise<T>): Promise<T> {
    const { signal } = this.#closed;
    const ignoreClosing = onAbort(signal, () => conn.close());
    try {
      return await work();
    } catch (error) {
      throw signal.aborted ? stoppingError() : error;
    } finally {
      ignoreClosing();
    }
  }
}

/** weir stops, so there is no use in a connection any more. */
export function stoppingError(): WeirError {
  return new WeirError("weir", "shutdown", "weir is stopping.");
}

/** @throws {WeirError} "policy" when none of the addresses may be connected to. */
function chosen(gate: Gate, place: GatePlace, found: readonly string[]): readonly string[] {
  const { addresses, reason } = gate.reach(place, found);
  if (addresses.length > 0) return addresses;
  throw new WeirError("weir", "policy", reason, { statusCode: 403 });
}

/** What is known of a connection to a server. */
class ServerFacts implements ServerConnection {
  readonly id: string = newId();
  readonly address: Address;
  readonly #via: string | null;
  peerAddress: Address | null = null;
  localAddress: Address | null = null;
  tls: TlsInfo | null = null;
  alpnOffers: readonly string[] = [];
  readonly timestampStart: number = Date.now();
  timestampTcpSetup: number | null = null;
  timestampTlsSetup: number | null = null;
  timestampEnd: number | null = null;

  constructor(destination: Destination) {
    const { host, port, via } = destination;
    this.address = { hostname: host, port };
    this.#via = via ? proxyUrl(via) : null;
  }

  get via(): string | null {
    return this.#via;
  }

  set via(_value: string | null) {
    throw new TypeError(
      "The connection is made: serverConn.via is set in requestheaders or request, before it is.",
    );
  }
}
