/**
 * Downstream: one client's connection. Its first bytes say what it speaks, layer by layer, until requests or raw bytes come out.
 *
 * A listener's connection may be HTTP or TLS; one inside a tunnel may be anything. Where it leads is another question: the
 * listener's mode (`modes/`) or a CONNECT (`connect.ts`) has the answer. How TLS is ended is in `intercept.ts`.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { markClosed } from "../flow/connection.ts";
import { errorPage, type IncomingExchange, type ServeOptions } from "../http/mod.ts";
import { serveHttp1 } from "../http1/mod.ts";
import { serveHttp2 } from "../http2/mod.ts";
import { type Conn, FirstBytes } from "../net/mod.ts";
import { shortened } from "../shown.ts";
import { settlesWithin } from "../timing.ts";
import { Client, ClientFacts, type ClientTimeouts } from "./client.ts";
import { runConnect } from "./connect.ts";
import type { ProxyContext } from "./context.ts";
import { runExchange } from "./exchange.ts";
import { isAllowed, isTcpHost } from "./host_rules.ts";
import { intercept } from "./intercept.ts";
import { type Mistake, mistakeIn } from "./mistakes.ts";
import type { Layers, Mode } from "./modes/mod.ts";
import { type Protocol, protocolOf, startsHttp2, TLS_HANDSHAKE } from "./protocol.ts";
import { type Origin, Route, type RouteOptions } from "./route.ts";
import { dialRaw, hangUp } from "./tunnel.ts";

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
  try {
    await hooks.trigger("client_connected", facts);
    if (facts.error !== null) throw new WeirError("weir", "closed", facts.error);
    await mode.serve(conn, new ClientLayers(new Client(context, facts, timeouts, mode.via)));
  } catch (error) {
    log.debug(`${facts.address.hostname}:${facts.address.port}: ${messageOf(error)}`);
  } finally {
    conn.close();
    markClosed(facts);
    context.pool.release(facts);
    await hooks.trigger("client_disconnected", facts);
  }
}

class ClientLayers implements Layers {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async requests(conn: Conn, origin: Origin | null, given: RouteOptions = {}): Promise<void> {
    const options: RouteOptions = { via: this.#client.via, ...given };
    const first = new FirstBytes(conn);
    const isTls = await this.#client.untilStopped(
      conn,
      first.until((bytes) => bytes.length === 0 ? undefined : bytes[0] === TLS_HANDSHAKE),
    );
    if (isTls === null) return;
    if (!isTls && origin !== null && isTcpHost(this.#client.context.options, [origin.host])) {
      return await this.#client.passThrough(origin, first.release());
    }
    const mistake = mistakeIn(first.bytes);
    if (mistake !== null) return await this.#refuseMistake(conn, mistake);
    if (!isTls) return await this.#http(first, origin, options);
    await intercept(
      this.#client,
      first,
      origin,
      (inner) => this.#http(inner, origin, options, isHttp2In(inner)),
    );
  }

  async tunnel(conn: Conn, to: Origin): Promise<void> {
    const origin: Origin = { via: this.#client.via, ...to };
    const first = new FirstBytes(conn);
    try {
      const decision = this.#client.untilStopped(conn, first.until(protocolOf));
      if (!await settlesWithin(SERVER_SPEAKS_FIRST_MS, decision)) {
        return await this.#silent(first, decision, origin);
      }
      await this.#known(first, await decision, origin);
    } finally {
      conn.close();
    }
  }

  /** No request can be made of it: the log is where somebody may learn what went wrong. */
  async #refuseMistake(conn: Conn, { what, advice, answer }: Mistake): Promise<void> {
    this.#client.warn(`the client speaks ${what}, and weir expects HTTP here: ${advice}.`);
    if (answer.length === 0) return;
    await conn.write(answer);
    await conn.closeWrite();
  }

  /**
   * Requests, in the version that the connection's first bytes say; where ALPN has chosen HTTP/2, anything but its preface is
   * an error of the connection (RFC 9113 §3.2, §3.4).
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
        : runConnect(this.#client, incoming, (tunnel, origin) => this.tunnel(tunnel, origin));
    }
    if (!route.hasOrigin && head.scheme === "" && head.host !== "weir.internal") {
      return this.#refuse(
        incoming,
        "weir is a proxy: send the whole URL in the request line (as with curl -x), or use --mode reverse:ORIGIN.",
      );
    }
    return runExchange(this.#client.context, incoming, route);
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
    const leftAlone = !isAllowed(options, [origin]);
    const isRaw = leftAlone || isTcpHost(options, [origin.host]);
    if (protocol === "http" && !isRaw) return await this.#http(first, origin, {});
    if (protocol !== "tls") {
      if (first.bytes.length === 0) return;
      if (leftAlone) await client.leaveAlone(origin, first.release());
      else await client.passThrough(origin, first.release());
      return;
    }
    const secure: Origin = { ...origin, scheme: "https" };
    await intercept(client, first, secure, async (inner) => {
      const { sni = null, alpn = null } = inner.conn.tls ?? {};
      if (isHttp2In(inner)) return await this.#http(inner, secure, { sni }, true);
      const decision = await client.untilStopped(inner.conn, inner.until(protocolOf));
      if (decision === "http") return await this.#http(inner, secure, { sni });
      if (inner.bytes.length === 0) return;
      await client.passThrough(secure, inner.release(), { sni, alpn: alpn === null ? [] : [alpn] });
    });
  }

  /** Nobody has spoken yet: if the server does first, this is no protocol that weir can look into. */
  async #silent(first: FirstBytes, decision: Promise<Protocol | null>, origin: Origin): Promise<void> {
    const { context, facts } = this.#client;
    const upstream = await dialRaw(context, origin, facts);
    const serverFirst = new FirstBytes(upstream.conn);
    const greeting = serverFirst.until((bytes) => bytes.length > 0 ? true : undefined).catch(() => null);
    const gone = Symbol();
    const protocol = await Promise.race([greeting.then(() => "raw" as const), decision]).catch(() => gone);
    if (protocol === "raw") {
      const server = { ...upstream, conn: serverFirst.release() };
      return await this.#client.relay(first.release(), server, {
        isLeftAlone: !isAllowed(context.options, [origin]),
      });
    }
    await hangUp(context, upstream, facts);
    if (typeof protocol !== "symbol") await this.#known(first, protocol, origin);
  }
}

/** ALPN has chosen HTTP/2 for what is in a TLS session. */
function isHttp2In(inner: FirstBytes): boolean {
  return inner.conn.tls?.alpn === "h2";
}
