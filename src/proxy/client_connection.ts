/**
 * One client's connection: its first bytes say what it speaks, layer by layer, until requests or raw bytes come out.
 *
 * A listener's connection may be HTTP or TLS; one inside CONNECT may be anything.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { type ClientConnection as ClientInfo, markClosed, newId } from "../flow/connection.ts";
import {
  errorPage,
  HEAD_TIMEOUT,
  Headers,
  IDLE_TIMEOUT,
  type IncomingExchange,
  type ServeOptions,
} from "../http/mod.ts";
import { HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import { Request } from "../flow/request.ts";
import type { ClientHelloData } from "../hooks/mod.ts";
import { serveHttp1 } from "../http1/mod.ts";
import { serveHttp2 } from "../http2/mod.ts";
import { type Address, type Conn, FirstBytes, PassingConn, type TlsInfo } from "../net/mod.ts";
import { shortened } from "../shown.ts";
import { settlesWithin } from "../timing.ts";
import {
  certificateFromPem,
  distrust,
  keyTypeFor,
  type Leaf,
  parseClientHello,
  serverHandshake,
} from "../tls/mod.ts";
import type { ProxyContext } from "./context.ts";
import { runExchange } from "./exchange.ts";
import { isAllowed, isIgnored } from "./host_rules.ts";
import { type Mistake, mistakeIn } from "./mistakes.ts";
import type { ModeSpec } from "../options/mod.ts";
import { alpnFor, type Protocol, protocolOf, startsHttp2, TLS_HANDSHAKE } from "./protocol.ts";
import { Route, type Target } from "./route.ts";
import { dialRaw, dialUnknown, hangUp, type RawTls, runTunnel, shownBy } from "./tunnel.ts";
import type { Dialled } from "./upstream_dialer.ts";
import { webBody } from "./web_body.ts";

/** After CONNECT a client that says nothing may wait for a server that speaks first (SMTP, SSH, MySQL). */
const SERVER_SPEAKS_FIRST_MS = 500;

const NO_HELLO = Symbol("not a ClientHello");

/** A client that leaves later than this behind a handshake had opened a connection in reserve, as browsers do. */
const DISTRUST_MS = 5_000;

/** How long clients may be silent. */
export interface ClientTimeouts {
  /** Milliseconds for the first bytes of what they speak (default {@linkcode IDLE_TIMEOUT}). */
  firstBytesTimeoutMs?: number;
  /** Milliseconds from the first byte of a ClientHello to its last (default {@linkcode HEAD_TIMEOUT}). */
  helloTimeoutMs?: number;
}

/** What is known of the client's connection; `tls` is set once it is decrypted. */
class ClientConn implements ClientInfo {
  readonly id: string = newId();
  readonly address: Address;
  readonly localAddress: Address;
  tls: TlsInfo | null = null;
  alpnOffers: readonly string[] = [];
  error: string | null = null;
  leaf: Leaf | null = null;
  readonly mode: string;
  readonly timestampStart: number = Date.now();
  timestampTlsSetup: number | null = null;
  timestampEnd: number | null = null;
  #shownCertificate: Uint8Array | null = null;

  constructor(conn: Conn, mode: ModeSpec) {
    this.address = conn.remoteAddr;
    this.localAddress = conn.localAddr;
    this.mode = mode.spec;
  }

  /** Decoded when somebody asks: most connections are looked at by nobody. */
  get shownCertificate(): Uint8Array | null {
    if (this.leaf === null) return null;
    return this.#shownCertificate ??= certificateFromPem(this.leaf.cert);
  }
}

/** Serves a connection that a listener accepted until it is closed. Never rejects. */
export async function serveClient(
  context: ProxyContext,
  conn: Conn,
  mode: ModeSpec,
  timeouts: ClientTimeouts = {},
): Promise<void> {
  const { hooks, log } = context;
  const info = new ClientConn(conn, mode);
  try {
    await hooks.trigger("client_connected", info);
    if (info.error !== null) throw new WeirError("weir", "closed", info.error);
    await new ClientServer(context, info, mode, timeouts).serve(conn);
  } catch (error) {
    log.debug(`${info.address.hostname}:${info.address.port}: ${messageOf(error)}`);
  } finally {
    conn.close();
    markClosed(info);
    context.pool.release(info);
    await hooks.trigger("client_disconnected", info);
  }
}

class ClientServer {
  readonly #context: ProxyContext;
  readonly #info: ClientConn;
  /** Where a reverse proxy sends everything; null in regular mode. */
  readonly #origin: Target | null;
  readonly #timeouts: ClientTimeouts;

  constructor(context: ProxyContext, info: ClientConn, mode: ModeSpec, timeouts: ClientTimeouts) {
    this.#context = context;
    this.#info = info;
    this.#timeouts = timeouts;
    this.#origin = mode.mode.kind === "reverse" ? mode.mode : null;
  }

  /** A connection fresh from the listener: HTTP, or TLS around it. */
  async serve(conn: Conn): Promise<void> {
    const first = new FirstBytes(conn);
    const isTls = await this.#untilStopped(
      conn,
      first.until((bytes) => bytes.length === 0 ? undefined : bytes[0] === TLS_HANDSHAKE),
    );
    if (isTls === null) return;
    const mistake = mistakeIn(first.bytes);
    if (mistake !== null) return await this.#refuseMistake(conn, mistake);
    if (!isTls) return await this.#serveHttp(first, this.#origin, null);
    await this.#intercept(
      first,
      this.#origin,
      (inner) => this.#serveHttp(inner, this.#origin, null, isHttp2In(inner)),
    );
  }

  /** No request can be made of it: the log is where somebody may learn what went wrong. */
  async #refuseMistake(conn: Conn, { what, advice, answer }: Mistake): Promise<void> {
    this.#warn(`the client speaks ${what}, and weir expects HTTP here: ${advice}.`);
    if (answer.length === 0) return;
    await conn.write(answer);
    await conn.closeWrite();
  }

  #warn(text: string): void {
    const { hostname, port } = this.#info.address;
    this.#context.log.warn(`${hostname}:${port}: ${text}`);
  }

  /**
   * Requests, in the version that the connection's first bytes say; where ALPN has chosen HTTP/2, anything but its preface is
   * an error of the connection (RFC 9113 §3.2, §3.4).
   */
  async #serveHttp(
    first: FirstBytes,
    target: Target | null,
    sni: string | null,
    isChosenHttp2 = false,
  ): Promise<void> {
    const { stopping, options } = this.#context;
    const isHttp2 = await this.#untilStopped(
      first.conn,
      first.until((bytes) => isChosenHttp2 ? bytes.length > 0 || undefined : startsHttp2(bytes)),
    );
    if (isHttp2 === null) return;
    const route = new Route(this.#info, target, {
      sni,
      rewriteHost: target !== null && target === this.#origin && !options.keep_host_header,
    });
    const handle = (incoming: IncomingExchange) => this.#handle(incoming, route);
    const init: ServeOptions = {
      firstBytes: first.bytes,
      signal: stopping,
      onRefused: ({ message, statusCode }) => this.#warn(`${message} (refused with ${statusCode})`),
    };
    // Turned off: to HTTP/1.1 the preface is a request line that claims another version, and is refused.
    if (isHttp2 && options.http2) return await serveHttp2(first.conn, handle, init);
    await serveHttp1(first.conn, handle, init);
  }

  #handle(incoming: IncomingExchange, route: Route): Promise<void> {
    const { head } = incoming;
    if (head.form === "authority") return this.#connect(incoming, route);
    if (!route.hasTarget && head.scheme === "" && head.host !== "weir.internal") {
      return this.#refuse(
        incoming,
        "weir is a proxy: send the whole URL in the request line (as with curl -x), or use --mode reverse:ORIGIN.",
      );
    }
    return runExchange(this.#context, incoming, route);
  }

  /** CONNECT (RFC 9110 §9.3.6): answers, then looks at what comes through the tunnel. */
  async #connect(incoming: IncomingExchange, route: Route): Promise<void> {
    if (route.hasTarget) {
      return await this.#refuse(incoming, "CONNECT is not understood here: this is an origin.");
    }
    const { head } = incoming;
    const flow = new HttpFlow(new Request(head), this.#info);
    flow[internals].log = this.#context.log;
    flow[internals].kill = () => incoming.abort(new WeirError("weir", "killed", "The flow was killed."));
    await this.#context.hooks.trigger("http_connect", flow);
    if (flow[internals].killed) return;
    if (flow.response !== null) return await this.#refuseConnect(incoming, flow);

    const { host, port } = flow.request;
    const target: Target = { scheme: "http", host, port };
    if (isIgnored(this.#context.options, [target])) return await this.#connectThrough(target, incoming, flow);
    await accept(incoming);
    const tunnel = killable(flow, incoming.takeOver());
    await this.#context.hooks.trigger("http_connected", flow);
    await this.#serveTunnel(tunnel, target);
  }

  /** An addon has answered: there is no tunnel. */
  async #refuseConnect(incoming: IncomingExchange, flow: HttpFlow): Promise<void> {
    const { hooks, log } = this.#context;
    await hooks.trigger("http_connect_error", flow);
    const state = flow[internals];
    if (state.killed) return;
    state.kill = null;
    state.ended = true;
    await incoming.respond(flow.response!, await webBody(flow.response!, log));
  }

  /** What comes through a CONNECT: TLS, HTTP, or bytes that weir does not understand. */
  async #serveTunnel(conn: Conn, target: Target): Promise<void> {
    const first = new FirstBytes(conn);
    try {
      const decision = this.#untilStopped(conn, first.until(protocolOf));
      if (!await settlesWithin(SERVER_SPEAKS_FIRST_MS, decision)) {
        return await this.#serveSilent(first, decision, target);
      }
      await this.#serveKnown(first, await decision, target);
    } finally {
      conn.close();
    }
  }

  async #serveKnown(
    first: FirstBytes,
    protocol: Protocol | null,
    target: Target,
  ): Promise<void> {
    const leftAlone = !isAllowed(this.#context.options, [target]);
    if (protocol === "http" && !leftAlone) return await this.#serveHttp(first, target, null);
    if (protocol !== "tls") {
      if (first.bytes.length > 0) await this.#passThrough(target, first.release());
      return;
    }
    const secure: Target = { ...target, scheme: "https" };
    await this.#intercept(first, secure, async (inner) => {
      const { sni = null, alpn = null } = inner.conn.tls ?? {};
      if (isHttp2In(inner)) return await this.#serveHttp(inner, secure, sni, true);
      const decision = await this.#untilStopped(inner.conn, inner.until(protocolOf));
      if (decision === "http") return await this.#serveHttp(inner, secure, sni);
      if (inner.bytes.length === 0) return;
      await this.#passThrough(secure, inner.release(), { sni, alpn: alpn === null ? [] : [alpn] });
    });
  }

  /** Nobody has spoken yet: if the server does first, this is no protocol that weir can look into. */
  async #serveSilent(
    first: FirstBytes,
    decision: Promise<Protocol | null>,
    target: Target,
  ): Promise<void> {
    const upstream = await dialRaw(this.#context, target, this.#info);
    const serverFirst = new FirstBytes(upstream.conn);
    const greeting = serverFirst.until((bytes) => bytes.length > 0 ? true : undefined).catch(() => null);
    const gone = Symbol();
    const protocol = await Promise.race([greeting.then(() => "raw" as const), decision]).catch(() => gone);
    if (protocol === "raw") {
      return await this.#relay(first.release(), { ...upstream, conn: serverFirst.release() });
    }
    await hangUp(this.#context, upstream, this.#info);
    if (typeof protocol !== "symbol") await this.#serveKnown(first, protocol, target);
  }

  /**
   * Ends TLS with a certificate for the name that the client asked for, and has what is in it served. Where the
   * connection is to be left alone, it is passed through untouched instead.
   */
  async #intercept(
    first: FirstBytes,
    target: Target | null,
    serve: (inner: FirstBytes) => Promise<void>,
  ): Promise<void> {
    const { hooks, options, certificates } = this.#context;
    const reading = first.until((bytes) => {
      const result = parseClientHello(bytes);
      return result.kind === "more" ? undefined : result.kind === "no" ? NO_HELLO : result.hello;
    });
    const hello = await this.#untilStopped(
      first.conn,
      reading,
      this.#timeouts.helloTimeoutMs ?? HEAD_TIMEOUT,
    );
    if (hello === null) return;
    if (hello === NO_HELLO) {
      return this.#warnOfTls(
        target?.host,
        "it began a TLS record in which there is no ClientHello",
        target === null,
      );
    }
    const data: ClientHelloData = {
      sni: hello.sni,
      alpn: hello.alpn,
      clientConn: this.#info,
      serverAddress: target && { hostname: target.host, port: target.port },
      ignore: false,
    };
    await hooks.trigger("tls_clienthello", data);
    if (target !== null) {
      const names = [target, { ...target, host: hello.sni ?? target.host }];
      if (data.ignore || isIgnored(options, names) || !isAllowed(options, names)) {
        return await this.#passThrough({ ...target, scheme: "http" }, first.release());
      }
    }
    this.#info.alpnOffers = hello.alpn;
    const upstream = target?.scheme === "https"
      ? await dialUnknown(this.#context, { ...target, sni: hello.sni }, hello.alpn, this.#info)
      : null;
    let carrier: Carrier | null = null;
    let tls: Conn;
    try {
      const { leaf, upstreamAlpn } = await certificates.offerFor(
        target,
        hello.sni,
        this.#info,
        keyTypeFor(hello),
        upstream === null ? null : shownBy(upstream),
      );
      const preferred = target !== null && (options.http2_upstream === "any" || upstreamAlpn === "h2");
      this.#info.leaf = leaf;
      carrier = new Carrier(first.release());
      tls = await serverHandshake(carrier, {
        secureContext: leaf.context,
        pem: leaf,
        alpn: upstream === null
          ? alpnFor(hello.alpn, { enabled: options.http2, preferred })
          : [upstreamAlpn!],
      });
    } catch (error) {
      if (upstream !== null) await hangUp(this.#context, upstream, this.#info);
      this.#warnOfTls(hello.sni ?? target?.host, messageOf(error), target === null);
      return await carrier?.closed;
    }
    this.#info.tls = tls.tls;
    this.#info.timestampTlsSetup = Date.now();
    try {
      // A protocol that weir does not speak; its server may speak first.
      if (upstream !== null) return await this.#relay(tls, upstream);
      const inner = new FirstBytes(tls);
      if (await this.#hasSpoken(inner, hello.sni ?? target?.host, target === null)) await serve(inner);
    } finally {
      tls.close();
      // Whoever gave the connection closes it next, and what the session has yet to send would be lost.
      await carrier.closed;
    }
  }

  /** Waits for the first byte within TLS; one that does not come may be the client's way to refuse the certificate. */
  async #hasSpoken(inner: FirstBytes, host: string | undefined, isToWeir: boolean): Promise<boolean> {
    const since = performance.now();
    let thrown: unknown = null;
    try {
      const something = inner.until((bytes) => bytes.length > 0 ? true : undefined);
      if (await this.#untilStopped(inner.conn, something)) return true;
    } catch (error) {
      thrown = error;
    }
    if (!this.#context.stopping.aborted && performance.now() - since < DISTRUST_MS) {
      this.#warnOfTls(host, distrust(thrown), isToWeir);
    }
    return false;
  }

  #refuse(incoming: IncomingExchange, message: string): Promise<void> {
    const { method, host, path } = incoming.head;
    this.#warn(`${method} ${shortened(`${host}${path}`)} is refused with 400: ${message}`);
    return respondPage(incoming, new WeirError("client", "protocol", message));
  }

  #warnOfTls(host: string | undefined, reason: string, isToWeir: boolean): void {
    // A CONNECT, or a reverse proxy, is a target. Without one it is weir itself that the client speaks TLS to.
    const advice = isToWeir
      ? "; it spoke TLS to weir itself: set it to an HTTP proxy (or let it trust weir's CA, for an HTTPS proxy)"
      : "";
    this.#warn(`TLS with the client failed (${host ?? "no name"}): ${reason}${advice}`);
  }

  /** Connects to the origin and relays bytes. @throws {WeirError} when it cannot be reached; the log has it. */
  async #passThrough(target: Target, client: Conn, tls?: RawTls): Promise<void> {
    await this.#relay(client, await dialRaw(this.#context, target, this.#info, tls));
  }

  /** CONNECT to a host that is left alone: the client is answered when the origin is there, or cannot be reached. */
  async #connectThrough(target: Target, incoming: IncomingExchange, flow: HttpFlow): Promise<void> {
    let upstream: Dialled;
    try {
      upstream = await dialRaw(this.#context, target, this.#info);
    } catch (error) {
      return await respondPage(incoming, WeirError.from(error, "weir", "internal", "weir failed"));
    }
    try {
      await accept(incoming);
    } catch (error) {
      await hangUp(this.#context, upstream, this.#info);
      throw error;
    }
    const tunnel = killable(flow, incoming.takeOver());
    await this.#context.hooks.trigger("http_connected", flow);
    await this.#relay(tunnel, upstream);
  }

  async #relay(client: Conn, { conn, server }: Dialled): Promise<void> {
    await runTunnel(this.#context, { clientConn: this.#info, client, serverConn: server, server: conn });
  }

  /** Waits for something on an idle connection; closes it when weir stops meanwhile, or it takes longer than `ms`. */
  async #untilStopped<T>(
    conn: Conn,
    pending: Promise<T>,
    ms = this.#timeouts.firstBytesTimeoutMs ?? IDLE_TIMEOUT,
  ): Promise<T> {
    const { stopping } = this.#context;
    const close = () => conn.close();
    if (stopping.aborted) close();
    const timer = setTimeout(close, ms);
    stopping.addEventListener("abort", close);
    try {
      return await pending;
    } finally {
      clearTimeout(timer);
      stopping.removeEventListener("abort", close);
    }
  }
}

/** ALPN has chosen HTTP/2 for what is in a TLS session. */
function isHttp2In(inner: FirstBytes): boolean {
  return inner.conn.tls?.alpn === "h2";
}

/** The connection below a TLS session, which closes it once all that it had to say is said. */
class Carrier extends PassingConn {
  readonly #closed = Promise.withResolvers<void>();

  /** Resolves when the session has closed it; a session that was closed does so soon. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  override close(): void {
    super.close();
    this.#closed.resolve();
  }

  override reset(): void {
    super.reset();
    this.#closed.resolve();
  }
}

/** What went through a CONNECT ends when its flow is killed; whoever runs it then ends the other side. */
function killable(flow: HttpFlow, tunnel: Conn): Conn {
  flow[internals].kill = () => tunnel.reset();
  return tunnel;
}

function respondPage(incoming: IncomingExchange, error: WeirError): Promise<void> {
  const { head, body } = errorPage(error);
  return incoming.respond(head, body);
}

function accept(incoming: IncomingExchange): Promise<void> {
  return incoming.respond(
    { statusCode: 200, reason: "Connection established", httpVersion: "HTTP/1.1", headers: new Headers() },
    null,
  );
}
