/**
 * Upstream: connections to origins, kept for the next request: exclusive ones one after another (RFC 9112 §9.3), shared ones for
 * many at a time (RFC 9113 §9.1).
 * @module
 */
import { WeirError } from "../errors.ts";
import { type ClientConnection, markClosed, type ServerConnection } from "../flow/connection.ts";
import type { HttpFlow } from "../flow/flow.ts";
import type { OutgoingExchange, UpstreamConnection } from "../http/mod.ts";
import { Http1Connection } from "../http1/mod.ts";
import { Http2Connection } from "../http2/mod.ts";
import { LoginPins } from "./login_pins.ts";
import { type Dialed, type DialerInit, stoppingError, UpstreamDialer } from "./upstream_dialer.ts";
import type { Destination } from "./route.ts";

/** Idle connections kept for one origin: enough for a busy browser or a load test, few enough for the origin. */
const MAX_IDLE_PER_ORIGIN = 64;
/** Idle connections in all, so that visiting many hosts does not use up file descriptors. */
const MAX_IDLE = 256;
/** About as long as common servers keep theirs (nginx 75 s). */
const IDLE_MS = 60_000;
/** Origins whose choice of protocol is remembered. */
const MAX_KNOWN = 1024;
/** Origins that asked for HTTP/1.1 are asked again for HTTP/2 after so long. */
const HTTP1_ONLY_MS = 300_000;

/** A connection, or a place on one, that was acquired for one request. */
export interface Lease {
  readonly exchange: OutgoingExchange;
  readonly serverConn: ServerConnection;
  /** Gives the connection back, or closes it when it cannot serve another request. Idempotent. */
  release(): void;
  /** Closes the connection, unless other requests share it. Idempotent, also with `release`. */
  discard(): void;
}

/** What a connection to an origin over TLS showed. */
export interface UpstreamTls {
  readonly certificate: Uint8Array | null;
  readonly alpn: string | null;
}

/** Connections that a request must not have: those that are there already, or the one that has just failed it. */
export type Avoid = "pooled" | ServerConnection | null;

/** How connections are made. */
export type Dialer = Pick<UpstreamDialer, "dial" | "close">;

interface Pooled {
  readonly key: string;
  readonly http: UpstreamConnection;
  readonly serverConn: ServerConnection;
  readonly clientConn: ClientConnection;
  /** {@linkcode originOf} its destination. */
  readonly origin: string;
  /** Identifier of the client that it serves alone: for its login's sake, or an addon's. */
  readonly boundTo: string | null;
  idleSince: number;
}

/** The connection that a request needs. */
interface Want {
  readonly key: string;
  readonly destination: Destination;
  readonly clientConn: ClientConnection;
  readonly alpn: readonly string[];
  readonly boundTo: string | null;
}

export class UpstreamPool {
  readonly #init: DialerInit;
  readonly #dialer: Dialer;
  /** Connections that can take a request: idle exclusive ones, and all shared ones. */
  readonly #ready = new Map<string, Pooled[]>();
  readonly #all = new Set<Pooled>();
  /** Which keys lead to shared connections; those not in it have not been seen. */
  readonly #isShared = new Map<string, boolean>();
  /** Keys of origins without TLS, hence without a way to negotiate, that were found to speak HTTP/2 (RFC 9113 §3.3). */
  readonly #cleartextHttp2 = new Set<string>();
  /** Origins that asked for HTTP/1.1 (RFC 9113 §7), and until when that counts. */
  readonly #http1Only = new Map<string, number>();
  readonly #pins = new LoginPins();
  /** Connections being made where one may do for all who wait: whether it did. */
  readonly #opening = new Map<string, Promise<boolean>>();
  #readyCount = 0;
  #sweeper: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(init: DialerInit, dialer: Dialer = new UpstreamDialer(init)) {
    this.#init = init;
    this.#dialer = dialer;
  }

  /**
   * A place for one request: at once on a connection that is there, else on a new one. `http1` asks for one that speaks
   * HTTP/1.1: to be turned over to another protocol, or because the origin wants it.
   * @throws {WeirError} when the origin cannot be reached or trusted, or a `server_connect` hook refuses it.
   */
  acquire(
    destination: Destination,
    flow: HttpFlow,
    { avoid, http1 }: { avoid: Avoid; http1: boolean },
  ): Lease | Promise<Lease> {
    const { clientConn } = flow;
    const alpn = http1 ? HTTP1 : this.#alpn(destination);
    const isLoggedIn = this.#pins.isBound(flow, () => originOf(destination));
    const boundTo = isLoggedIn ? clientConn.id : this.#boundByHook(clientConn);
    const want: Want = { key: keyOf(destination, alpn, boundTo), destination, clientConn, alpn, boundTo };
    const pooled = avoid === "pooled" ? undefined : this.#take(want.key, avoid);
    return pooled !== undefined ? this.#lend(pooled) : this.#open(want, avoid);
  }

  /** Connects over TLS ahead of the first request, to see what the origin shows; the connection waits for requests. */
  async preconnect(destination: Destination, clientConn: ClientConnection): Promise<UpstreamTls> {
    const alpn = this.#alpn(destination);
    const boundTo = this.#boundByHook(clientConn);
    const key = keyOf(destination, alpn, boundTo);
    // Browsers open several tunnels at once.
    const there = await this.#opening.get(key) ? this.#take(key) : undefined;
    if (there !== undefined) return shown(there);
    return await this.#openOne({ key, destination, clientConn, alpn, boundTo }, (pooled) => {
      if (!pooled.http.isShared) this.#putBack(pooled);
      return shown(pooled);
    });
  }

  /**
   * Connects to an origin for raw bytes, with the hooks and checks of any other connection; the caller closes it. `alpn` is
   * what to offer where there is TLS.
   */
  connect(
    destination: Destination,
    clientConn: ClientConnection,
    alpn: readonly string[],
  ): Promise<Dialed> {
    return this.#dialer.dial(destination, clientConn, alpn);
  }

  /** The client's connection is closed: those to origins that serve it alone are, too. */
  release(clientConn: ClientConnection): void {
    const wasLoggedIn = this.#pins.release(clientConn);
    if (!wasLoggedIn && this.#boundByHook(clientConn) === null) return;
    for (const pooled of [...this.#all]) {
      if (pooled.boundTo === clientConn.id && pooled.http.active === 0) this.#drop(pooled);
    }
  }

  /** Closes everything. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#sweeper);
    this.#dialer.close();
    for (const pooled of [...this.#all]) this.#drop(pooled);
  }

  /** An addon that was asked about a connection for one client may refuse it to another. */
  #boundByHook(clientConn: ClientConnection): string | null {
    return this.#init.hooks.hasCustom("server_connect") ? clientConn.id : null;
  }

  #alpn(destination: Destination): readonly string[] {
    return this.#init.options.http2 && !this.#isHttp1Only(destination) ? HTTP2 : HTTP1;
  }

  #isHttp1Only(destination: Destination): boolean {
    if (this.#http1Only.size === 0) return false;
    const origin = originOf(destination), until = this.#http1Only.get(origin);
    if (until === undefined || performance.now() < until) return until !== undefined;
    this.#http1Only.delete(origin);
    return false;
  }

  /** @throws {WeirError} when it was closed as soon as it was there. */
  #lend(pooled: Pooled): Lease {
    if (pooled.http.capacity === 0) {
      this.#learn(pooled);
      throw new WeirError("server", "closed", "The server closed the connection before a request was sent.");
    }
    let returned = false;
    const giveBack = (keep: boolean) => {
      if (returned) return;
      returned = true;
      const isLeft = pooled.boundTo !== null && pooled.clientConn.timestampEnd !== null;
      if (pooled.http.isUpgraded) this.#disconnected(pooled);
      else if (isLeft && (!pooled.http.isShared || pooled.http.active === 0)) this.#drop(pooled);
      else if (pooled.http.isShared) {
        pooled.idleSince = performance.now();
        if (pooled.http.requiresHttp1) this.#learn(pooled);
      } else if (keep && pooled.http.capacity > 0) this.#putBack(pooled);
      else this.#drop(pooled);
    };
    return {
      exchange: pooled.http.exchange(),
      serverConn: pooled.serverConn,
      release: () => giveBack(true),
      discard: () => giveBack(false),
    };
  }

  async #open(want: Want, avoid: Avoid): Promise<Lease> {
    // A connection that another request is having made may have room for this one, too.
    for (let opening; (opening = this.#opening.get(want.key)) !== undefined && await opening;) {
      const pooled = this.#take(want.key, avoid);
      if (pooled !== undefined) return this.#lend(pooled);
    }
    try {
      return await this.#openOne(want, (pooled) => this.#lend(pooled));
    } catch (error) {
      const { destination, alpn, boundTo } = want;
      if (alpn === HTTP1 || !this.#isHttp1Only(destination)) throw error;
      // It began with GOAWAY, and has said why.
      return await this.#open({ ...want, key: keyOf(destination, HTTP1, boundTo), alpn: HTTP1 }, null);
    }
  }

  /**
   * Makes a connection; others who want the same origin wait for it until it is known whether it can be shared. `use`
   * has it before they do.
   */
  async #openOne<T>(want: Want, use: (pooled: Pooled) => T): Promise<T> {
    const { key, destination, alpn } = want;
    const opening = this.#connectHttp(want).then((pooled) => ({
      pooled,
      used: use(pooled),
    }));
    if (destination.scheme === "http" && !this.#hasPriorKnowledge(key, alpn)) return (await opening).used;
    const shared = opening.then(({ pooled }) => this.#share(pooled), () => false);
    if (this.#isShared.get(key) !== false && !this.#opening.has(key)) {
      this.#opening.set(key, shared);
      void shared.then(() => this.#opening.delete(key));
    }
    return (await opening).used;
  }

  /** Lets others have a connection that has room for them, as soon as it is known how much. */
  async #share(pooled: Pooled): Promise<boolean> {
    const { isShared, ready } = pooled.http;
    if (this.#isShared.size >= MAX_KNOWN) this.#isShared.clear();
    this.#isShared.set(pooled.key, isShared);
    if (isShared) {
      await ready;
      if (this.#all.has(pooled)) this.#putBack(pooled);
    }
    return isShared;
  }

  async #connectHttp({ key, destination, clientConn, alpn, boundTo }: Want): Promise<Pooled> {
    const priorKnowledge = this.#hasPriorKnowledge(key, alpn);
    const { conn, serverConn } = await this.#dialer.dial(destination, clientConn, alpn);
    const isHttp2 = priorKnowledge || conn.tls?.alpn === "h2";
    const { lenient } = this.#init.options;
    const http = isHttp2 ? new Http2Connection(conn, { lenient }) : new Http1Connection(conn, { lenient });
    const pooled: Pooled = {
      key,
      http,
      serverConn,
      clientConn,
      origin: originOf(destination),
      boundTo,
      idleSince: performance.now(),
    };
    this.#all.add(pooled);
    void http.done.then(() => this.#over(pooled));
    if (this.#closed) {
      this.#drop(pooled);
      throw stoppingError();
    }
    return pooled;
  }

  #take(key: string, avoid: Avoid = null): Pooled | undefined {
    const list = this.#ready.get(key);
    if (list === undefined) return undefined;
    // The newest first: it is the least likely to have been closed by the origin.
    for (let i = list.length - 1; i >= 0; i--) {
      const pooled = list[i];
      if (pooled.http.capacity === 0 || pooled.http.requiresHttp1 || pooled.serverConn === avoid) continue;
      if (!pooled.http.isShared) this.#remove(list, i, key);
      return pooled;
    }
    return undefined;
  }

  #putBack(pooled: Pooled): void {
    const list = this.#ready.get(pooled.key) ?? [];
    if (list.includes(pooled)) return;
    if (list.length >= MAX_IDLE_PER_ORIGIN && pooled.http.active === 0) return this.#drop(pooled);
    if (this.#readyCount >= MAX_IDLE) this.#dropOldest();
    pooled.idleSince = performance.now();
    list.push(pooled);
    this.#readyCount++;
    this.#ready.set(pooled.key, list);
    if (!this.#closed) this.#sweeper ??= setTimeout(() => this.#sweep(), IDLE_MS);
  }

  #hasPriorKnowledge(key: string, alpn: readonly string[]): boolean {
    return alpn === HTTP2 && this.#cleartextHttp2.has(key);
  }

  /** What a connection without TLS has shown is how the next one begins. */
  #learn({ key, http, serverConn, origin }: Pooled): void {
    if (http.requiresHttp1) {
      if (this.#http1Only.size >= MAX_KNOWN) this.#http1Only.clear();
      if (!this.#http1Only.has(origin)) this.#http1Only.set(origin, performance.now() + HTTP1_ONLY_MS);
      return void this.#cleartextHttp2.delete(key);
    }
    if (serverConn.tls !== null) return;
    if (!http.speaksHttp2) return void this.#cleartextHttp2.delete(key);
    if (this.#cleartextHttp2.size >= MAX_KNOWN) this.#cleartextHttp2.clear();
    this.#cleartextHttp2.add(key);
  }

  /** It has closed itself, or is somebody else's after an upgrade, until that is given back. */
  #over(pooled: Pooled): void {
    this.#learn(pooled);
    this.#forget(pooled);
    if (!pooled.http.isUpgraded) this.#disconnected(pooled);
  }

  #disconnected(pooled: Pooled): void {
    const { serverConn, clientConn } = pooled;
    markClosed(serverConn);
    void this.#init.hooks.trigger("server_disconnected", { server: serverConn, clientConn, error: null });
  }

  #drop(pooled: Pooled): void {
    if (this.#forget(pooled)) pooled.http.close();
  }

  /** True when it was known until now. */
  #forget(pooled: Pooled): boolean {
    const list = this.#ready.get(pooled.key);
    const at = list?.indexOf(pooled) ?? -1;
    if (at >= 0) this.#remove(list!, at, pooled.key);
    return this.#all.delete(pooled);
  }

  #remove(list: Pooled[], at: number, key: string): void {
    list.splice(at, 1);
    this.#readyCount--;
    if (list.length === 0) this.#ready.delete(key);
  }

  /** Makes room: the connection that nobody has used for longest is the least likely to be missed. */
  #dropOldest(): void {
    let oldest: Pooled | undefined;
    for (const list of this.#ready.values()) {
      for (const pooled of list) {
        if (pooled.http.active === 0 && pooled.idleSince < (oldest?.idleSince ?? Infinity)) oldest = pooled;
      }
    }
    if (oldest !== undefined) this.#drop(oldest);
  }

  #sweep(): void {
    this.#sweeper = undefined;
    const old = performance.now() - IDLE_MS;
    for (const list of [...this.#ready.values()]) {
      for (const pooled of [...list]) {
        // A login is kept for as long as the client is there.
        const isLogin = pooled.boundTo !== null && this.#pins.has(pooled.boundTo);
        if (!isLogin && pooled.http.active === 0 && pooled.idleSince <= old) this.#drop(pooled);
      }
    }
    if (this.#ready.size > 0) this.#sweeper = setTimeout(() => this.#sweep(), IDLE_MS / 2);
  }
}

function shown({ serverConn: { tls } }: Pooled): UpstreamTls {
  return { certificate: tls?.peerCertificate ?? null, alpn: tls?.alpn ?? null };
}

const HTTP1: readonly string[] = ["http/1.1"];
const HTTP2: readonly string[] = ["h2", "http/1.1"];

/** Requests with the same key may share a connection; `boundTo` is the client that it must not leave. */
function keyOf(destination: Destination, alpn: readonly string[], boundTo: string | null): string {
  const { scheme, host, port, sni } = destination;
  const key = scheme === "http"
    ? `http://${host}:${port}`
    : `https://${host}:${port} ${sni ?? ""} ${alpn[0]}`;
  return boundTo === null ? key : `${key} ${boundTo}`;
}

/** What a destination is, whatever is spoken there. */
function originOf({ scheme, host, port, sni }: Destination): string {
  return `${scheme}://${host}:${port} ${sni ?? ""}`;
}
