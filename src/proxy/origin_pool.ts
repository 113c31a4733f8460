/**
 * Upstream: the connections to one origin, exclusive ones one after another (RFC 9112 §9.3), shared ones for many at a time
 * (RFC 9113 §9.1), and what earlier ones have taught of it.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { ClientConnection, ServerConnection } from "../flow/connection.ts";
import type { OutgoingExchange, UpstreamConnection } from "../http/mod.ts";
import { Http1Connection } from "../http1/mod.ts";
import { Http2Connection } from "../http2/mod.ts";
import type { ProxyAddress } from "../options/mod.ts";
import type { Destination } from "./route.ts";
import { type Dialed, stoppingError } from "./upstream_dialer.ts";
import { ForwardedConnection, proxyLegOf, requestProxyOf } from "./via/mod.ts";

/** Idle connections kept for one origin: enough for a busy browser or a load test, few enough for the origin. */
const MAX_IDLE_PER_ORIGIN = 64;

/** A proxy that has left a connection open for so long keeps connections. */
const KEPT_MS = 1_000;

/** What is offered to an origin (RFC 7301), one of these two: an offer is known by its identity. */
export const HTTP1: readonly string[] = ["http/1.1"];
export const HTTP2: readonly string[] = ["h2", "http/1.1"];

/** Methods that may be sent again when a pooled connection turns out to be closed (RFC 9110 §9.2.2). */
export const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** A connection, or a place on one, that was acquired for one request. */
export interface Lease {
  readonly exchange: OutgoingExchange;
  readonly serverConn: ServerConnection;
  /** Gives the connection back, or closes it when it cannot serve another request. Idempotent. */
  release(): void;
  /** Closes the connection, unless other requests share it. Idempotent, also with `release`. */
  discard(): void;
}

/** Connections that a request must not have: those that are there already, or the one that has just failed it. */
export type Avoid = "pooled" | ServerConnection | null;

/** A connection of the pool's, idle or in use. */
export interface Pooled {
  readonly http: UpstreamConnection;
  readonly serverConn: ServerConnection;
  /** The client for which it was made. */
  readonly clientConn: ClientConnection;
  idleSince: number;
  /** Requests that it was lent for. */
  uses: number;
}

/** What a request needs. */
export interface Want {
  readonly clientConn: ClientConnection;
  /** {@linkcode HTTP1} or {@linkcode HTTP2}; over TLS the same for all requests of one {@linkcode OriginPool}. */
  readonly alpn: readonly string[];
  /** Where to: that of the {@linkcode OriginPool}, or any with the same proxy that requests are given to. */
  readonly destination: Destination;
  /** False where the request must not be sent twice (RFC 9110 §9.2.2). */
  readonly isIdempotent: boolean;
}

/** The pool of all origins. */
export interface PoolOwner {
  readonly isClosed: boolean;
  /** Heads are read as `lenient` says. */
  readonly lenient: boolean;
  dial(destination: Destination, clientConn: ClientConnection, alpn: readonly string[]): Promise<Dialed>;
  /** A connection is about to wait for requests: makes room for it among all that do. */
  beforeReady(): void;
  /** So many connections more, or fewer, wait for requests. */
  readyChanged(difference: 1 | -1): void;
  /** The origin wants HTTP/1.1 (RFC 9113 §7). */
  requiresHttp1(destination: Destination): void;
  /** A connection is closed. */
  disconnected(pooled: Pooled): void;
}

export class OriginPool {
  readonly destination: Destination;
  /** Identifier of the client that it serves alone: for its login's sake, or an addon's; null for anybody. */
  readonly boundTo: string | null;
  readonly #owner: PoolOwner;
  /** The proxy that requests are given to as they are; null where connections lead to the origin. */
  readonly #proxy: ProxyAddress | null;
  /** Those that can take a request: idle exclusive ones, and all shared ones. */
  readonly #ready: Pooled[] = [];
  readonly #all = new Set<Pooled>();
  /** Whether the last connection could be shared; null before there was one. */
  #isShared: boolean | null = null;
  /** An origin without TLS, hence without a way to negotiate, was found to speak HTTP/2 (RFC 9113 §3.3). */
  #hasPriorKnowledge = false;
  /** A connection that is being made and may do for all who wait: whether it did. */
  #opening: Promise<boolean> | null = null;
  /**
   * The proxy has been seen to keep connections. There are some (tinyproxy) that close theirs behind each response without saying
   * so, and a request that crosses that on its way is lost.
   */
  #persists = false;
  /** Those who wait for a connection. */
  #waiting = 0;

  constructor(owner: PoolOwner, destination: Destination, boundTo: string | null) {
    this.#owner = owner;
    this.destination = destination;
    this.boundTo = boundTo;
    this.#proxy = requestProxyOf(destination);
  }

  /** Nothing is lost but knowledge when it is forgotten. */
  get isUnused(): boolean {
    return this.#all.size === 0 && this.#waiting === 0;
  }

  /** Connections that no request uses. */
  *idle(): Generator<Pooled> {
    for (const pooled of this.#ready) if (pooled.http.active === 0) yield pooled;
  }

  /**
   * A place for one request: at once on a connection that is there, else on a new one.
   * @throws {WeirError} when the origin cannot be reached or trusted, or a `server_connect` hook refuses it.
   */
  acquire(want: Want, avoid: Avoid): Lease | Promise<Lease> {
    const pooled = avoid === "pooled" ? undefined : this.#take(avoid, this.#isSafe(want));
    return pooled !== undefined ? this.#lend(pooled, want) : this.#counted(this.#open(want, avoid));
  }

  /** A connection that waits for requests, made where there is none; `use` has it before they do. */
  preconnect<T>(want: Want, use: (pooled: Pooled) => T): Promise<T> {
    return this.#counted(this.#preconnect(want, use));
  }

  async #preconnect<T>(want: Want, use: (pooled: Pooled) => T): Promise<T> {
    // Browsers open several tunnels at once.
    const there = await this.#opening ? this.#take(null, true) : undefined;
    if (there !== undefined) return use(there);
    return await this.#openOne(want, (pooled) => {
      if (!pooled.http.isShared) this.#putBack(pooled);
      return use(pooled);
    });
  }

  /** Closes a connection, if it is still one of these. */
  drop(pooled: Pooled): void {
    if (this.#forget(pooled)) pooled.http.close();
  }

  /** Closes all connections, or those that no request uses. */
  dropAll(given: { idleOnly: boolean }): void {
    for (const pooled of [...this.#all]) {
      if (!given.idleOnly || pooled.http.active === 0) this.drop(pooled);
    }
  }

  async #counted<T>(pending: Promise<T>): Promise<T> {
    this.#waiting++;
    try {
      return await pending;
    } finally {
      this.#waiting--;
    }
  }

  /** The request may be sent again when the connection turns out to be closed, or that need not be feared. */
  #isSafe({ isIdempotent }: Want): boolean {
    return isIdempotent || this.#proxy === null || this.#persists;
  }

  /** With `isSafe` false, only one that has been kept for a while. */
  #take(avoid: Avoid, isSafe: boolean): Pooled | undefined {
    const ready = this.#ready;
    const avoided = avoid instanceof ForwardedConnection ? avoid.connection : avoid;
    // The newest first: it is the least likely to have been closed by the origin.
    for (let i = ready.length - 1; i >= 0; i--) {
      const pooled = ready[i];
      if (pooled.http.capacity === 0 || pooled.http.requiresHttp1 || pooled.serverConn === avoided) continue;
      if (!isSafe && performance.now() - pooled.idleSince < KEPT_MS) continue;
      if (!pooled.http.isShared) this.#removeAt(i);
      return pooled;
    }
    return undefined;
  }

  /** @throws {WeirError} when it was closed as soon as it was there. */
  #lend(pooled: Pooled, { destination }: Want): Lease {
    if (pooled.http.capacity === 0) {
      this.#learn(pooled);
      throw new WeirError("server", "closed", "The server closed the connection before a request was sent.");
    }
    let returned = false;
    pooled.uses++;
    const giveBack = (keep: boolean) => {
      if (returned) return;
      returned = true;
      this.#givenBack(pooled, keep);
    };
    return {
      exchange: pooled.http.exchange(),
      serverConn: this.#proxy === null ? pooled.serverConn : new ForwardedConnection(pooled.serverConn, {
        hostname: destination.host,
        port: destination.port,
      }),
      release: () => giveBack(true),
      discard: () => giveBack(false),
    };
  }

  #givenBack(pooled: Pooled, keep: boolean): void {
    const { http, clientConn } = pooled;
    if (pooled.uses > 1 && http.capacity > 0) this.#persists = true;
    const isLeft = this.boundTo !== null && clientConn.timestampEnd !== null;
    if (http.isUpgraded) this.#owner.disconnected(pooled);
    else if (isLeft && (!http.isShared || http.active === 0)) this.drop(pooled);
    else if (http.isShared) {
      pooled.idleSince = performance.now();
      if (http.requiresHttp1) this.#learn(pooled);
    } else if (keep && http.capacity > 0) this.#putBack(pooled);
    else this.drop(pooled);
  }

  async #open(want: Want, avoid: Avoid): Promise<Lease> {
    // A connection that another request is having made may have room for this one, too.
    while (this.#opening !== null && await this.#opening) {
      const pooled = this.#take(avoid, this.#isSafe(want));
      if (pooled !== undefined) return this.#lend(pooled, want);
    }
    return await this.#openOne(want, (pooled) => this.#lend(pooled, want));
  }

  /**
   * Makes a connection; others who want the same origin wait for it until it is known whether it can be shared. `use`
   * has it before they do.
   */
  async #openOne<T>(want: Want, use: (pooled: Pooled) => T): Promise<T> {
    const opening = this.#connect(want).then((pooled) => ({ pooled, used: use(pooled) }));
    if (this.destination.scheme === "http" && !this.#beginsWithHttp2(want)) return (await opening).used;
    const shared = opening.then(({ pooled }) => this.#share(pooled), () => false);
    if (this.#isShared !== false && this.#opening === null) {
      this.#opening = shared;
      void shared.then(() => this.#opening = null);
    }
    return (await opening).used;
  }

  /** Lets others have a connection that has room for them, as soon as it is known how much. */
  async #share(pooled: Pooled): Promise<boolean> {
    const { isShared, ready } = pooled.http;
    this.#isShared = isShared;
    if (isShared) {
      await ready;
      if (this.#all.has(pooled)) this.#putBack(pooled);
    }
    return isShared;
  }

  #beginsWithHttp2({ alpn }: Want): boolean {
    return this.#hasPriorKnowledge && alpn === HTTP2 && this.#proxy === null;
  }

  async #connect(want: Want): Promise<Pooled> {
    const { clientConn, alpn } = want, beginsWithHttp2 = this.#beginsWithHttp2(want);
    const { conn, serverConn } = await this.#owner.dial(this.destination, clientConn, alpn);
    const { isClosed, lenient } = this.#owner;
    const isHttp2 = beginsWithHttp2 || conn.tls?.alpn === "h2";
    const proxy = this.#proxy && proxyLegOf(this.#proxy);
    const http = isHttp2
      ? new Http2Connection(conn, { lenient })
      : new Http1Connection(conn, { lenient, proxy });
    const pooled: Pooled = { http, serverConn, clientConn, idleSince: performance.now(), uses: 0 };
    this.#all.add(pooled);
    void http.done.then(() => this.#over(pooled));
    if (isClosed) {
      this.drop(pooled);
      throw stoppingError();
    }
    return pooled;
  }

  #putBack(pooled: Pooled): void {
    const ready = this.#ready;
    if (ready.includes(pooled)) return;
    if (ready.length >= MAX_IDLE_PER_ORIGIN && pooled.http.active === 0) return this.drop(pooled);
    this.#owner.beforeReady();
    pooled.idleSince = performance.now();
    ready.push(pooled);
    this.#owner.readyChanged(1);
  }

  /** What a connection without TLS has shown is how the next one begins. */
  #learn({ http, serverConn }: Pooled): void {
    if (http.requiresHttp1) {
      this.#owner.requiresHttp1(this.destination);
      this.#hasPriorKnowledge = false;
    } else if (serverConn.tls === null) this.#hasPriorKnowledge = http.speaksHttp2;
  }

  /** It has closed itself, or is somebody else's after an upgrade, until that is given back. */
  #over(pooled: Pooled): void {
    this.#learn(pooled);
    this.#forget(pooled);
    if (!pooled.http.isUpgraded) this.#owner.disconnected(pooled);
  }

  /** True when it was known until now. */
  #forget(pooled: Pooled): boolean {
    const at = this.#ready.indexOf(pooled);
    if (at >= 0) this.#removeAt(at);
    return this.#all.delete(pooled);
  }

  #removeAt(at: number): void {
    this.#ready.splice(at, 1);
    this.#owner.readyChanged(-1);
  }
}
