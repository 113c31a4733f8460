/**
 * Upstream: connections to origins, kept for the next request. Each origin has a pool of its own (`origin_pool.ts`); here is
 * which of them a request needs, and how many connections may wait in all.
 * @module
 */
import { type ClientConnection, markClosed } from "../flow/connection.ts";
import type { HttpFlow } from "../flow/flow.ts";
import { LoginPins } from "./login_pins.ts";
import {
  type Avoid,
  HTTP1,
  HTTP2,
  IDEMPOTENT,
  type Lease,
  OriginPool,
  type Pooled,
  type PoolOwner,
} from "./origin_pool.ts";
import type { Ahead } from "./connections_ahead.ts";
import type { Destination } from "./route.ts";
import { type Dialed, type DialerInit, UpstreamDialer } from "./upstream_dialer.ts";
import { requestProxyOf } from "./via/mod.ts";

export { type Avoid, IDEMPOTENT, type Lease } from "./origin_pool.ts";

/** Idle connections in all, so that visiting many hosts does not use up file descriptors. */
const MAX_IDLE = 256;
/** About as long as common servers keep theirs (nginx 75 s). */
const IDLE_MS = 60_000;
/** Origins of which is remembered what they speak. */
const MAX_KNOWN = 1024;
/** Origins that asked for HTTP/1.1 are asked again for HTTP/2 after so long. */
const HTTP1_ONLY_MS = 300_000;

/** What a connection to an origin over TLS showed. */
export interface UpstreamTls {
  /** All that it has sent, its own first; empty where it sent none. */
  readonly certificates: readonly Uint8Array[];
  readonly alpn: string | null;
}

/** How connections are made. */
export type Dialer = Pick<UpstreamDialer, "dial" | "dialAhead" | "release" | "close">;

export class UpstreamPool {
  readonly #init: DialerInit;
  readonly #dialer: Dialer;
  /** By {@linkcode keyOf}. */
  readonly #origins = new Map<string, OriginPool>();
  /** Origins that asked for HTTP/1.1 (RFC 9113 §7), by {@linkcode originOf}, and until when that counts. */
  readonly #http1Only = new Map<string, number>();
  readonly #pins = new LoginPins();
  #readyCount = 0;
  #sweeper: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  readonly #owner: PoolOwner;

  constructor(init: DialerInit, dialer: Dialer = new UpstreamDialer(init)) {
    this.#init = init;
    this.#dialer = dialer;
    const isClosed = () => this.#isClosed;
    this.#owner = {
      get isClosed() {
        return isClosed();
      },
      get lenient() {
        return init.options.lenient;
      },
      dial: (...where) => dialer.dial(...where),
      beforeReady: () => this.#beforeReady(),
      readyChanged: (difference) => void (this.#readyCount += difference),
      requiresHttp1: (destination) => this.#requiresHttp1(destination),
      disconnected: (pooled) => this.#disconnected(pooled),
    };
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
    const isIdempotent = IDEMPOTENT.has(flow.request.method);
    const alpn = http1 ? HTTP1 : this.#alpn(destination);
    const isLoggedIn = this.#pins.isBound(flow, () => originOf(destination));
    const boundTo = isLoggedIn ? clientConn.id : this.#boundByHook(clientConn);
    const lease = this.#poolOf(destination, alpn, boundTo).acquire({
      clientConn,
      alpn,
      destination,
      isIdempotent,
    }, avoid);
    const isThere = !(lease instanceof Promise);
    if (isThere || requestProxyOf(destination) !== null) this.#dialer.release(clientConn);
    if (alpn === HTTP1 || isThere) return lease;
    return lease.catch((error) => {
      if (!this.#isHttp1Only(destination)) throw error;
      // It began with GOAWAY, and has said why.
      return this.#poolOf(destination, HTTP1, boundTo).acquire(
        { clientConn, alpn: HTTP1, destination, isIdempotent },
        "pooled",
      );
    });
  }

  /** Connects over TLS ahead of the first request, to see what the origin shows; the connection waits for requests. */
  preconnect(destination: Destination, clientConn: ClientConnection): Promise<UpstreamTls> {
    const alpn = this.#alpn(destination), boundTo = this.#boundByHook(clientConn);
    return this.#poolOf(destination, alpn, boundTo).preconnect({
      clientConn,
      alpn,
      destination,
      isIdempotent: true,
    }, shown);
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

  /** Connects to where the client will want to go next, before it is known what for. @throws {WeirError} as `acquire` does. */
  connectAhead(destination: Destination, clientConn: ClientConnection): Promise<Ahead> {
    return this.#dialer.dialAhead(destination, clientConn);
  }

  /** The client's connection is closed: those to origins that serve it alone are, too. */
  release(clientConn: ClientConnection): void {
    this.#dialer.release(clientConn);
    const wasLoggedIn = this.#pins.release(clientConn);
    if (!wasLoggedIn && this.#boundByHook(clientConn) === null) return;
    for (const pool of this.#origins.values()) {
      if (pool.boundTo === clientConn.id) pool.dropAll({ idleOnly: true });
    }
  }

  /** Closes everything. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#sweeper);
    this.#dialer.close();
    for (const pool of this.#origins.values()) pool.dropAll({ idleOnly: false });
  }

  #poolOf(destination: Destination, alpn: readonly string[], boundTo: string | null): OriginPool {
    const key = keyOf(destination, alpn, boundTo);
    const known = this.#origins.get(key);
    if (known !== undefined) return known;
    if (this.#origins.size >= MAX_KNOWN) {
      for (const [key, pool] of this.#origins) if (pool.isUnused) this.#origins.delete(key);
    }
    const pool = new OriginPool(this.#owner, destination, boundTo);
    this.#origins.set(key, pool);
    return pool;
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

  #requiresHttp1(destination: Destination): void {
    const origin = originOf(destination);
    if (this.#http1Only.size >= MAX_KNOWN) this.#http1Only.clear();
    if (!this.#http1Only.has(origin)) this.#http1Only.set(origin, performance.now() + HTTP1_ONLY_MS);
  }

  #disconnected({ serverConn, clientConn }: Pooled): void {
    markClosed(serverConn);
    void this.#init.hooks.trigger("server_disconnected", { server: serverConn, clientConn, error: null });
  }

  #beforeReady(): void {
    if (this.#readyCount >= MAX_IDLE) this.#dropOldest();
    if (!this.#isClosed) this.#sweeper ??= setTimeout(() => this.#sweep(), IDLE_MS);
  }

  /** Makes room: the connection that nobody has used for longest is the least likely to be missed. */
  #dropOldest(): void {
    let oldest: { readonly pool: OriginPool; readonly pooled: Pooled } | undefined;
    for (const pool of this.#origins.values()) {
      for (const pooled of pool.idle()) {
        if (pooled.idleSince < (oldest?.pooled.idleSince ?? Infinity)) oldest = { pool, pooled };
      }
    }
    oldest?.pool.drop(oldest.pooled);
  }

  #sweep(): void {
    this.#sweeper = undefined;
    const old = performance.now() - IDLE_MS;
    for (const pool of this.#origins.values()) {
      // A login is kept for as long as the client is there.
      if (pool.boundTo !== null && this.#pins.has(pool.boundTo)) continue;
      for (const pooled of [...pool.idle()]) if (pooled.idleSince <= old) pool.drop(pooled);
    }
    if (this.#readyCount > 0) this.#sweeper = setTimeout(() => this.#sweep(), IDLE_MS / 2);
  }
}

function shown({ serverConn: { tls } }: Pooled): UpstreamTls {
  return { certificates: tls?.peerCertificates ?? [], alpn: tls?.alpn ?? null };
}

/** Requests with the same key may share a connection; `boundTo` is the client that it must not leave. */
function keyOf(destination: Destination, alpn: readonly string[], boundTo: string | null): string {
  const { scheme, host, port, sni, via } = destination;
  let key = scheme === "http" ? `http://${host}:${port}` : `https://${host}:${port} ${sni ?? ""} ${alpn[0]}`;
  if (via) {
    const proxy = JSON.stringify(via);
    // To a proxy that takes requests to all origins the same connections lead. Addons are asked about each origin's, though.
    const isForAll = boundTo === null && requestProxyOf(destination) !== null;
    key = isForAll ? proxy : `${key} ${destination.isRaw ? "raw " : ""}${proxy}`;
  }
  return boundTo === null ? key : `${key} ${boundTo}`;
}

/** What a destination is, whatever is spoken there. */
function originOf({ scheme, host, port, sni }: Destination): string {
  return `${scheme}://${host}:${port} ${sni ?? ""}`;
}
