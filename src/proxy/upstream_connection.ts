/**
 * A connection to an origin as the pool holds it, whichever version it speaks: how many more requests it takes now, and
 * when it takes none any more.
 * @module
 */
import type { ServerConnection } from "../flow/connection.ts";
import type { OutgoingExchange } from "../flow/wire.ts";
import { Http1Connection } from "../http1/mod.ts";
import { Http2Connection } from "../http2/mod.ts";
import type { Conn } from "../net/mod.ts";

export interface UpstreamConnection {
  readonly server: ServerConnection;
  /** Requests that it can take now, besides those under way. */
  readonly capacity: number;
  /** Requests that are under way. */
  readonly active: number;
  /** True when it was turned over to another protocol: whoever took it over closes it. */
  readonly isUpgraded: boolean;
  /** True when one connection carries several requests at a time. */
  readonly isShared: boolean;
  /** Resolves when `capacity` is what the origin says, or the connection is over. Never rejects. */
  readonly ready: Promise<void>;
  exchange(): OutgoingExchange;
  /** Closes now; what is under way fails. */
  close(): void;
}

/** Starts the version that was negotiated. `onOver` is called once, when the connection is closed or no longer HTTP's. */
export function upstreamConnection(
  conn: Conn,
  server: ServerConnection,
  onOver: (self: UpstreamConnection) => void,
): UpstreamConnection {
  return conn.tls?.alpn === "h2"
    ? new Shared(new Http2Connection(conn), server, onOver)
    : new Exclusive(new Http1Connection(conn), server, onOver);
}

/** HTTP/1: one request at a time. */
class Exclusive implements UpstreamConnection {
  readonly isShared = false;
  readonly ready = Promise.resolve();
  readonly server: ServerConnection;
  readonly #http: Http1Connection;

  constructor(http: Http1Connection, server: ServerConnection, onOver: (self: UpstreamConnection) => void) {
    this.#http = http;
    this.server = server;
    http.onUnusable = () => onOver(this);
  }

  get capacity(): number {
    return this.#http.reusable ? 1 : 0;
  }

  get isUpgraded(): boolean {
    return this.#http.upgraded;
  }

  get active(): number {
    return this.#http.reusable ? 0 : 1;
  }

  exchange(): OutgoingExchange {
    return this.#http.exchange();
  }

  close(): void {
    this.#http.close();
  }
}

/** HTTP/2: many at a time. */
class Shared implements UpstreamConnection {
  readonly isUpgraded = false;
  readonly isShared = true;
  readonly server: ServerConnection;
  readonly #http: Http2Connection;

  constructor(http: Http2Connection, server: ServerConnection, onOver: (self: UpstreamConnection) => void) {
    this.#http = http;
    this.server = server;
    void http.done.then(() => onOver(this));
  }

  get ready(): Promise<void> {
    return this.#http.ready;
  }

  get capacity(): number {
    return this.#http.capacity;
  }

  get active(): number {
    return this.#http.active;
  }

  exchange(): OutgoingExchange {
    return this.#http.exchange();
  }

  close(): void {
    this.#http.close();
  }
}
