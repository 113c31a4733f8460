/**
 * Upstream: connections that were made before it was known what for, one for each client. A client of SOCKS5
 * must be told whether there is a connection before it says anything, and servers of some protocols speak
 * first.
 * @module
 */
import type { ClientConnection, ServerConnection } from "../flow/connection.ts";
import { type Conn, FirstBytes } from "../net/mod.ts";
import type { Destination } from "./route.ts";
import { requestProxyOf } from "./via/mod.ts";

/** A connection that is kept. */
export interface Ahead<S extends ServerConnection = ServerConnection> {
  readonly serverConn: S;
  /**
   * Resolves when the server has said something (true), or has ended the connection before (false). Never
   * rejects.
   */
  readonly spoken: Promise<boolean>;
}

/** A connection that was made. */
interface Made<S extends ServerConnection> {
  readonly conn: Conn;
  readonly serverConn: S;
}

/** For whom, and where it leads. */
interface Errand {
  readonly clientConn: ClientConnection;
  readonly destination: Destination;
}

interface Kept<S extends ServerConnection> extends Ahead<S>, Errand {
  readonly first: FirstBytes;
  /** It has ended, and nothing came before that. */
  isOver: boolean;
}

export class ConnectionsAhead<S extends ServerConnection> {
  readonly #kept = new Map<string, Kept<S>>();
  readonly #onUnused: (serverConn: S, clientConn: ClientConnection) => void;

  /** `onUnused` is told of connections that are closed without having served. */
  constructor(onUnused: (serverConn: S, clientConn: ClientConnection) => void) {
    this.#onUnused = onUnused;
  }

  /** Keeps it for that client, in place of another. */
  keep({ conn, serverConn, clientConn, destination }: Made<S> & Errand): Ahead<S> {
    this.release(clientConn);
    const first = new FirstBytes(conn);
    const over = () => {
      kept.isOver = true;
      return false;
    };
    const spoken = first.until((bytes) => bytes.length > 0 || undefined).then((is) => is ?? over(), over);
    const kept: Kept<S> = { clientConn, destination, serverConn, first, isOver: false, spoken };
    this.#kept.set(clientConn.id, kept);
    return kept;
  }

  /** What was kept for the client, where it leads there and is not over; whoever takes it closes it. */
  take(destination: Destination, clientConn: ClientConnection): Made<S> | null {
    const kept = this.#kept.get(clientConn.id);
    if (kept === undefined || !isSameWay(kept.destination, destination)) return null;
    if (kept.isOver) {
      this.release(clientConn);
      return null;
    }
    this.#kept.delete(clientConn.id);
    return { conn: kept.first.release(), serverConn: kept.serverConn };
  }

  /** The client has no use for it. */
  release(clientConn: ClientConnection): void {
    const kept = this.#kept.get(clientConn.id);
    if (kept === undefined) return;
    this.#kept.delete(clientConn.id);
    kept.first.conn.close();
    this.#onUnused(kept.serverConn, clientConn);
  }

  /** Nobody has. */
  close(): void {
    for (const { clientConn } of [...this.#kept.values()]) this.release(clientConn);
  }
}

/** Both lead to the same port of the same host, by the same proxy or none. */
function isSameWay(kept: Destination, wanted: Destination): boolean {
  if (kept.host !== wanted.host || kept.port !== wanted.port) return false;
  // That proxy is given a request as it is; what is kept has gone further.
  if (requestProxyOf(wanted) !== null) return false;
  return (kept.via ?? null) === null
    ? (wanted.via ?? null) === null
    : JSON.stringify(kept.via) === JSON.stringify(wanted.via ?? null);
}
