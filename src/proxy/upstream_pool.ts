/**
 * Connections to origins: dialled, encrypted, kept for the next request, and let go (RFC 9112 §9.3).
 * @module
 */
import { WeirError } from "../errors.ts";
import { type ClientConnection, newId, type ServerConnection } from "../flow/connection.ts";
import type { HttpFlow } from "../flow/flow.ts";
import { authorityOf } from "../flow/request.ts";
import type { OutgoingExchange } from "../flow/wire.ts";
import type { ServerConnectionData } from "../hooks/mod.ts";
import { Http1Connection } from "../http1/mod.ts";
import type { Address, Conn, TlsInfo } from "../net/conn.ts";
import { dial } from "../net/tcp.ts";
import { clientHandshake } from "../tls/mod.ts";
import type { Destination } from "./route.ts";
import type { Dispatcher } from "../hooks/mod.ts";
import type { Options } from "../options/mod.ts";

/** Idle connections kept for one origin: enough for a busy browser or a load test, few enough for the origin. */
const MAX_IDLE_PER_ORIGIN = 64;
/** Idle connections in all, so that visiting many hosts does not use up file descriptors. */
const MAX_IDLE = 256;
/** Shorter than the keep-alive time of common servers (nginx 75 s, Apache 5 s notices by itself). */
const IDLE_MS = 60_000;

/** A connection that was acquired for one request. */
export interface Acquired {
  readonly exchange: OutgoingExchange;
  readonly server: ServerConnection;
  /** Gives the connection back, or closes it when it cannot serve another request. Idempotent. */
  release(): void;
  /** Closes the connection, unless other requests share it. Idempotent, also with `release`. */
  discard(): void;
}

interface PoolInit {
  readonly options: Options;
  readonly hooks: Dispatcher;
  /** True when that connection leads to one of weir's own listeners. */
  isLoop(local: Address, remote: Address): boolean;
  /** PEM of certificates to trust besides the system's. */
  trusted(): Promise<readonly string[]>;
}

interface Pooled {
  readonly key: string;
  readonly http: Http1Connection;
  readonly server: ServerConnection;
  idleSince: number;
}

/** What a connection to an origin over TLS showed. */
export interface UpstreamTls {
  readonly certificate: Uint8Array | null;
  readonly alpn: string | null;
}

export class UpstreamPool {
  readonly #init: PoolInit;
  readonly #idle = new Map<string, Pooled[]>();
  readonly #all = new Set<Pooled>();
  #idleCount = 0;
  #sweeper: ReturnType<typeof setTimeout> | undefined;

  constructor(init: PoolInit) {
    this.#init = init;
  }

  /**
   * A connection for one request: an idle one unless `fresh`, else a new one.
   * @throws {WeirError} when the origin cannot be reached, or a `server_connect` hook refuses it.
   */
  async acquire(destination: Destination, flow: HttpFlow, options: { fresh: boolean }): Promise<Acquired> {
    const key = keyOf(destination, flow);
    const pooled = (options.fresh ? undefined : this.#takeIdle(key)) ??
      await this.#openHttp(key, destination, flow.clientConn);
    return this.#lend(pooled);
  }

  /** Connects over TLS ahead of the first request, to see the certificate; the connection waits for that request. */
  async preconnect(destination: Destination, clientConn: ClientConnection): Promise<UpstreamTls> {
    const pooled = await this.#openHttp(keyOf(destination, null), destination, clientConn);
    const { tls } = pooled.server;
    this.#putIdle(pooled);
    return { certificate: tls?.peerCertificate ?? null, alpn: tls?.alpn ?? null };
  }

  /** Connects to an origin for raw bytes, with the hooks and checks of any other connection; the caller closes it. */
  async connect(
    destination: Destination,
    clientConn: ClientConnection,
  ): Promise<{ conn: Conn; server: ServerConnection }> {
    const { options } = this.#init;
    const server = new ServerConn(destination);
    let conn: Conn = await this.#dial(destination, server, clientConn);
    if (destination.scheme === "https") {
      conn = await clientHandshake(conn, {
        servername: destination.sni ?? destination.host,
        alpn: ["http/1.1"],
        verify: !options.ssl_insecure,
        ca: await this.#init.trusted(),
        side: "server",
        host: authorityOf(destination.host, destination.port, "https"),
        timeout: options.connect_timeout * 1000,
      });
      server.tls = conn.tls;
    }
    return { conn, server };
  }

  /** Closes everything. */
  close(): void {
    clearTimeout(this.#sweeper);
    for (const pooled of this.#all) pooled.http.close();
    this.#all.clear();
    this.#idle.clear();
  }

  #lend(pooled: Pooled): Acquired {
    let returned = false;
    const giveBack = (keep: boolean) => {
      if (returned) return;
      returned = true;
      if (keep && pooled.http.reusable) this.#putIdle(pooled);
      else this.#drop(pooled);
    };
    return {
      exchange: pooled.http.exchange(),
      server: pooled.server,
      release: () => giveBack(true),
      discard: () => giveBack(false),
    };
  }

  async #openHttp(key: string, destination: Destination, clientConn: ClientConnection): Promise<Pooled> {
    const { conn, server } = await this.connect(destination, clientConn);
    const http = new Http1Connection(conn);
    const pooled: Pooled = { key, http, server, idleSince: 0 };
    this.#all.add(pooled);
    http.onUnusable = () => {
      // It has closed itself, or is somebody else's after an upgrade.
      this.#forget(pooled);
      void this.#init.hooks.trigger("server_disconnected", { server, clientConn, error: null });
    };
    return pooled;
  }

  async #dial(destination: Destination, server: ServerConn, clientConn: ClientConnection): Promise<Conn> {
    const { hooks, options } = this.#init;
    const data: ServerConnectionData = { server, clientConn, error: null };
    await hooks.trigger("server_connect", data);
    if (data.error !== null) {
      throw new WeirError(
        "weir",
        "unreachable",
        `An addon refused the connection to ${destination.host}: ${data.error}`,
      );
    }
    const conn = await dial(destination.host, destination.port, {
      side: "server",
      timeout: options.connect_timeout * 1000,
    });
    if (this.#init.isLoop(conn.localAddr, conn.remoteAddr)) {
      conn.close();
      throw new WeirError(
        "client",
        "loop",
        `${destination.host}:${destination.port} is weir itself; the request would come back again and again.`,
      );
    }
    server.peerAddress = conn.remoteAddr;
    await hooks.trigger("server_connected", data);
    return conn;
  }

  #takeIdle(key: string): Pooled | undefined {
    const list = this.#idle.get(key);
    // The newest first: it is the least likely to have been closed by the origin.
    for (let pooled = list?.pop(); pooled !== undefined; pooled = list?.pop()) {
      this.#idleCount--;
      if (pooled.http.reusable) return pooled;
      this.#drop(pooled);
    }
    return undefined;
  }

  #putIdle(pooled: Pooled): void {
    const list = this.#idle.get(pooled.key) ?? [];
    if (list.length >= MAX_IDLE_PER_ORIGIN || this.#idleCount >= MAX_IDLE) return this.#drop(pooled);
    pooled.idleSince = performance.now();
    list.push(pooled);
    this.#idle.set(pooled.key, list);
    this.#idleCount++;
    this.#sweeper ??= setTimeout(() => this.#sweep(), IDLE_MS);
  }

  #drop(pooled: Pooled): void {
    if (this.#forget(pooled)) pooled.http.close();
  }

  /** True when it was known until now. */
  #forget(pooled: Pooled): boolean {
    const list = this.#idle.get(pooled.key);
    const at = list?.indexOf(pooled) ?? -1;
    if (at >= 0) {
      list!.splice(at, 1);
      this.#idleCount--;
      if (list!.length === 0) this.#idle.delete(pooled.key);
    }
    return this.#all.delete(pooled);
  }

  #sweep(): void {
    this.#sweeper = undefined;
    const old = performance.now() - IDLE_MS;
    for (const list of [...this.#idle.values()]) {
      for (const pooled of [...list]) if (pooled.idleSince <= old) this.#drop(pooled);
    }
    if (this.#idleCount > 0) this.#sweeper = setTimeout(() => this.#sweep(), IDLE_MS / 2);
  }
}

class ServerConn implements ServerConnection {
  readonly id: string = newId();
  readonly address: Address;
  peerAddress: Address | null = null;
  tls: TlsInfo | null = null;
  readonly timestampStart: number = Date.now();

  constructor(destination: Destination) {
    this.address = { hostname: destination.host, port: destination.port };
  }
}

/** Requests with the same key may share a connection. */
function keyOf(destination: Destination, flow: HttpFlow | null): string {
  const key = `${destination.scheme}://${destination.host}:${destination.port} ${destination.sni ?? ""}`;
  // These schemes log in a connection, not a request (RFC 4559 §6), so it must not serve anybody else.
  const bound = flow !== null && /^(ntlm|negotiate)\b/i.test(flow.request.headers.get("authorization") ?? "");
  return bound ? `${key} ${flow.clientConn.id}` : key;
}
