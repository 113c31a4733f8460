/**
 * Downstream: one client's connection. Its first bytes say what it speaks, layer by layer, until requests or
 * raw bytes come out.
 *
 * A listener's connection may be HTTP or TLS; one inside a tunnel may be anything. Where it leads is another
 * question: the listener's mode (`modes/`) or a CONNECT (`connect.ts`) has the answer. How TLS is ended is in
 * `intercept.ts`.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import {
  errorPage,
  HEAD_TIMEOUT_MS,
  type IncomingExchange,
  parseAuthority,
  type RequestHead,
  type ServeOptions,
} from "../http/mod.ts";
import { serveHttp1 } from "../http1/mod.ts";
import { SOCKS5 } from "../socks/mod.ts";
import { serveHttp2 } from "../http2/mod.ts";
import { type Conn, FirstBytes } from "../net/mod.ts";
import { shortened } from "../shown.ts";
import { settlesWithin } from "../timing.ts";
import { Client, ClientFacts, type ClientTimeouts } from "./client.ts";
import { runConnect } from "./connect.ts";
import type { ProxyContext } from "./context.ts";
import { runExchange } from "./exchange.ts";
import { isAllowed, isIgnored, isTcpHost } from "./host_rules.ts";
import { intercept } from "./intercept.ts";
import { type Mistake, mistakeIn } from "./mistakes.ts";
import type { Layers, Mode } from "./modes/mod.ts";
import { hostIn, type Protocol, protocolOf, startsHttp2, TLS_HANDSHAKE } from "./protocol.ts";
import { type Origin, Route, type RouteOptions } from "./route.ts";
import { runSocks } from "./socks.ts";

/** After CONNECT a client that says nothing may wait for a server that speaks first (SMTP, SSH, MySQL). */
const SERVER_SPEAKS_FIRST_MS = 500;

/** Serves a connection that a listener accepted until it is closed. Never rejects. */
export async function serveClient(
  context: ProxyContext,
  conn: Conn,
  mode: Mode,
  timeouts: ClientTimeouts = {},
): Promise<void> {
  const { hooks, log } = context;
  const facts = new ClientFacts(conn, mode.spec);
  const client = new Client(context, facts, timeouts, mode.via);
  try {
    await hooks.trigger("client_connected", facts);
    if (facts.error !== null) throw new WeirError("weir", "closed", facts.error);
    await mode.serve(conn, new ClientLayers(client));
  } catch (error) {
    log.debug(`${facts.address.hostname}:${facts.address.port}: ${messageOf(error)}`);
  } finally {
    conn.close();
    client.end();
    await hooks.trigger("client_disconnected", facts);
  }
}

class ClientLayers implements Layers {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async requests(conn: Conn, to: Origin | null, given: RouteOptions = {}): Promise<void> {
    const origin = to && await this.#client.routed(to);
    const options: RouteOptions = { via: this.#client.via, ...given };
    const first = new FirstBytes(conn);
    const isTls = await this.#client.untilStopped(
      conn,
      first.until((bytes) => bytes.length === 0 ? undefined : bytes[0] === TLS_HANDSHAKE),
    );
    if (isTls === null) return;
    if (origin === null && first.bytes[0] === SOCKS5) return await this.socks(first.release());
    if (!isTls && origin !== null) {
      const { options } = this.#client.context;
      if (isIgnored(options, [origin])) return await this.#client.leaveAlone(origin, first.release());
      if (isTcpHost(options, [origin.host])) return await this.#client.passThrough(origin, first.release());
    }
    const mistake = mistakeIn(first.bytes);
    if (mistake !== null) return await this.#refuseMistake(conn, mistake);
    if (!isTls) return await this.#http(first, origin, options);
    const serve = (inner: FirstBytes) => this.#http(inner, origin, options, isHttp2In(inner));
    await intercept(this.#client, first, origin, { keepsSni: false, serve });
  }

  async tunnel(conn: Conn, origin: Origin): Promise<void> {
    await this.#tunnel(conn, await this.#client.routed(origin));
  }

  async #tunnel(conn: Conn, origin: Origin): Promise<void> {
    const client = this.#client, first = new FirstBytes(conn);
    try {
      if (isIgnored(client.context.options, [origin])) return await client.leaveAlone(origin, conn);
      const decision = client.untilStopped(conn, first.until(protocolOf));
      // Behind a gate nothing is connected to before it is known what for.
      if (client.context.gate) return await this.#known(first, await decision, origin);
      // Whoever speaks first says what it is: servers do in protocols that weir cannot look into.
      const isHeard = client.ahead === null && await settlesWithin(SERVER_SPEAKS_FIRST_MS, decision);
      if (!isHeard) {
        const { spoken } = client.ahead ?? await client.connectAhead(origin);
        const isServer = await Promise.race([spoken, decision.then(() => null, () => null)]);
        if (isServer === true) return await this.#relay(first.release(), origin);
        // What it has ended before anybody spoke is over for the client as well.
        if (isServer === false) return;
      }
      await this.#known(first, await decision, origin);
    } finally {
      conn.close();
    }
  }

  async refuse(conn: Conn, error: WeirError): Promise<void> {
    const client = this.#client, first = new FirstBytes(conn);
    client.warn(error.message);
    if (await client.untilStopped(conn, first.until(protocolOf), HEAD_TIMEOUT_MS) !== "http") return;
    const handle = (incoming: IncomingExchange) => {
      const { head, body } = errorPage(error);
      return incoming.respond(head, body);
    };
    await serveHttp1(conn, handle, { firstBytes: first.bytes, signal: client.context.stopping });
  }

  async bytes(conn: Conn, origin: Origin): Promise<void> {
    await this.#client.passThrough(await this.#client.routed(origin), conn);
  }

  async tlsBytes(conn: Conn, to: Origin): Promise<void> {
    const client = this.#client, first = new FirstBytes(conn);
    const origin = await client.routed(to);
    const decision = client.untilStopped(conn, first.until(protocolOf));
    const isHeard = await settlesWithin(SERVER_SPEAKS_FIRST_MS, decision);
    if (!isHeard || await decision !== "tls") {
      // A client that speaks no TLS leaves it to weir.
      return await client.passThrough(origin, first.release());
    }
    await intercept(client, first, origin, { keepsSni: false, serve: null });
  }

  socks(conn: Conn): Promise<void> {
    return runSocks(this.#client, conn, (tunnel, origin) => this.#tunnel(tunnel, origin));
  }

  /** No request can be made of it: the log is where somebody may learn what went wrong. */
  async #refuseMistake(conn: Conn, { what, advice, answer }: Mistake): Promise<void> {
    this.#client.warn(`the client speaks ${what}, and weir expects HTTP here: ${advice}.`);
    if (answer.length === 0) return;
    await conn.write(answer);
    await conn.closeWrite();
  }

  /**
   * Requests, in the version that the connection's first bytes say; where ALPN has chosen HTTP/2, anything
   * but its preface is an error of the connection (RFC 9113 §3.2, §3.4).
   */
  async #http(
    first: FirstBytes,
    origin: Origin | null,
    routing: RouteOptions,
    isChosenHttp2 = false,
  ): Promise<void> {
    const client = this.#client, { stopping, options } = client.context;
    const isHttp2 = await client.untilStopped(
      first.conn,
      first.until((bytes) => isChosenHttp2 ? bytes.length > 0 || undefined : startsHttp2(bytes)),
    );
    if (isHttp2 === null) return;
    const route = new Route(client.facts, origin, routing);
    const handle = (incoming: IncomingExchange) => this.#handle(incoming, route);
    const init: ServeOptions = {
      firstBytes: first.bytes,
      signal: stopping,
      onRefused: ({ message, statusCode }) => client.warn(`${message} (refused with ${statusCode})`),
    };
    // Turned off: to HTTP/1.1 the preface is a request line that claims another version, and is refused.
    if (isHttp2 && options.http2) return await serveHttp2(first.conn, handle, init);
    await serveHttp1(first.conn, handle, init);
  }

  #handle(incoming: IncomingExchange, route: Route): Promise<void> {
    const { head } = incoming;
    if (head.form === "authority") {
      return route.hasOrigin
        ? this.#refuse(incoming, "CONNECT is not understood here: this is an origin.")
        : this.#connect(incoming);
    }
    if (!route.hasOrigin && head.host !== "weir.internal" && (head.scheme === "" || this.#isMeant(head))) {
      return this.#refuse(
        incoming,
        "weir is a proxy: send the whole URL in the request line (as with curl -x), or use --mode reverse:ORIGIN.",
      );
    }
    return runExchange(this.#client.context, incoming, route);
  }

  /**
   * The client takes weir for the origin, as far as can be told in HTTP/2, where every request has a scheme
   * and a host: it asks for https of whom it speaks TLS to, for which it would ask a proxy for a tunnel.
   */
  #isMeant({ scheme, host, httpVersion }: RequestHead): boolean {
    return httpVersion === "HTTP/2.0" && scheme === "https" && host === this.#client.facts.tls?.sni;
  }

  /**
   * Of an HTTP/2 connection each stream may be a tunnel: what is known of the client in one is not so in the
   * others.
   */
  async #connect(incoming: IncomingExchange): Promise<void> {
    const isStream = incoming.head.httpVersion === "HTTP/2.0";
    const client = isStream ? this.#client.forStream() : this.#client;
    const layers = isStream ? new ClientLayers(client) : this;
    try {
      await runConnect(client, incoming, (tunnel, origin) => layers.#tunnel(tunnel, origin));
    } finally {
      if (isStream) client.end();
    }
  }

  #refuse(incoming: IncomingExchange, message: string): Promise<void> {
    const { method, host, path } = incoming.head;
    this.#client.warn(`${method} ${shortened(`${host}${path}`)} is refused with 400: ${message}`);
    const { head, body } = errorPage(new WeirError("client", "protocol", message));
    return incoming.respond(head, body);
  }

  /** What comes through a tunnel, once its client has spoken; null when it has left. */
  async #known(first: FirstBytes, protocol: Protocol | null, origin: Origin): Promise<void> {
    const client = this.#client;
    const { options } = client.context;
    if (protocol === "http") {
      const names = [origin, ...await this.#named(first, origin)];
      if (isIgnored(options, names) || !isAllowed(options, names)) {
        return await client.leaveAlone(origin, first.release());
      }
      if (!isTcpHost(options, [origin.host])) {
        return await this.#http(first, origin, { names: [origin.host] });
      }
    }
    if (protocol !== "tls") {
      return first.bytes.length > 0 ? await this.#relay(first.release(), origin) : undefined;
    }
    const secure: Origin = { ...origin, scheme: "https" };
    const serve = async (inner: FirstBytes) => {
      const { sni = null, alpn = null } = inner.conn.tls ?? {};
      const names = sni === null ? [origin.host] : [origin.host, sni];
      if (isHttp2In(inner)) return await this.#http(inner, secure, { sni, names }, true);
      const decision = await client.untilStopped(inner.conn, inner.until(protocolOf));
      if (decision === "http") return await this.#http(inner, secure, { sni, names });
      if (inner.bytes.length === 0) return;
      await client.passThrough(secure, inner.release(), { sni, alpn: alpn === null ? [] : [alpn] });
    };
    await intercept(client, first, secure, { keepsSni: true, serve });
  }

  /**
   * By the Host field of the first request, where somebody wants to know: an address is all that a redirected
   * connection has.
   */
  async #named(first: FirstBytes, { port }: Origin): Promise<{ host: string; port: number }[]> {
    const { options } = this.#client.context;
    if (options.ignore_hosts.length === 0 && options.allow_hosts.length === 0) return [];
    const field = await this.#client.untilStopped(first.conn, first.until(hostIn), HEAD_TIMEOUT_MS);
    const named = field === null ? null : parseAuthority(field);
    return named === null ? [] : [{ host: named.host, port: named.port || port }];
  }

  /** Bytes of which weir does not know the protocol, or that it was told to leave alone. */
  #relay(conn: Conn, origin: Origin): Promise<void> {
    const client = this.#client;
    const isLeftAlone = !isAllowed(client.context.options, [origin]);
    return isLeftAlone ? client.leaveAlone(origin, conn) : client.passThrough(origin, conn);
  }
}

/** ALPN has chosen HTTP/2 for what is in a TLS session. */
function isHttp2In(inner: FirstBytes): boolean {
  return inner.conn.tls?.alpn === "h2";
}
