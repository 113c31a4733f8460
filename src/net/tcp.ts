/**
 * TCP: connections as {@linkcode Conn}, and dialing with a time limit.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import type { Address, Conn } from "./conn.ts";
import { socketError } from "./errors.ts";
import { holdReserve, internal, releaseReserve, sendReset } from "./reset.ts";

/** A TCP connection. */
export class TcpConn implements Conn {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly tls = null;
  moved = 0;
  readonly #conn: Deno.TcpConn;
  readonly #side: Side;
  #closed = false;

  /** `side` says who is at the other end; errors carry it. */
  constructor(conn: Deno.TcpConn, side: Side) {
    this.#conn = conn;
    this.#side = side;
    this.localAddr = addressOf(conn.localAddr);
    this.remoteAddr = addressOf(conn.remoteAddr);
    holdReserve();
    try {
      // Small writes follow each other all the time in a proxy: Nagle's algorithm would hold them for 40 ms.
      conn.setNoDelay(true);
      // A peer that vanished without a word (power, NAT, a cable) is found out by the system, not never.
      conn.setKeepAlive(true);
    } catch {
      // The peer is gone already; the first read says so.
    }
  }

  /** The socket's number in this process, of a connection that was accepted; null where it is not known. */
  get descriptor(): number | null {
    return internal(this.#conn, "fd");
  }

  /** True once it was closed here. */
  get isClosed(): boolean {
    return this.#closed;
  }

  async read(into: Uint8Array): Promise<number | null> {
    try {
      const count = await this.#conn.read(into);
      if (count !== null) this.moved += count;
      return count;
    } catch (thrown) {
      throw this.#error(thrown, "Reading from");
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      let rest = bytes;
      while (rest.length > 0) {
        const count = await this.#conn.write(rest);
        this.moved += count;
        rest = count === rest.length ? rest.subarray(0, 0) : rest.subarray(count);
      }
    } catch (thrown) {
      throw this.#error(thrown, "Writing to");
    }
  }

  async closeWrite(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } catch (thrown) {
      throw this.#error(thrown, "Ending the connection to");
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // Closed by the runtime: nothing is left to do.
    }
    releaseReserve();
  }

  reset(): void {
    if (this.#closed) return;
    sendReset(this.#conn);
    this.close();
  }

  #error(thrown: unknown, what: string): WeirError {
    return socketError(thrown, this.#side, `${what} the ${this.#side} ${hostPort(this.remoteAddr)} failed`);
  }
}

/** Milliseconds that {@linkcode dial} waits by default: as long as curl and browsers keep users waiting at most. */
export const DIAL_TIMEOUT_MS = 10_000;

export interface DialOptions {
  /** Who is dialed; errors carry it. */
  side: Side;
  /** Milliseconds (default {@linkcode DIAL_TIMEOUT_MS}). */
  timeout?: number;
  signal?: AbortSignal;
  /** What errors call the host (default: `hostname`). */
  name?: string;
}

/** Connects; rejects with a {@linkcode WeirError} "dns", "unreachable", "timeout" or, for `signal`, "closed". */
export async function dial(hostname: string, port: number, options: DialOptions): Promise<TcpConn> {
  const { side, signal } = options;
  const name = hostname.replace(/^\[(.*)\]$/, "$1");
  const what = `Connecting to ${hostPort({ hostname: options.name ?? name, port })} failed`;
  const timeout = options.timeout ?? DIAL_TIMEOUT_MS;
  const stop = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop.abort();
  }, timeout);
  const ignoreSignal = onAbort(signal, () => stop.abort());
  try {
    const conn = await Deno.connect({ hostname: name, port, signal: stop.signal });
    if (stop.signal.aborted) {
      conn.close();
      throw stop.signal.reason;
    }
    return new TcpConn(conn, side);
  } catch (thrown) {
    if (timedOut) {
      throw new WeirError(side, "timeout", `${what}: no answer within ${timeout / 1000} s.`, {
        cause: thrown,
      });
    }
    if (signal?.aborted) throw WeirError.from(signal.reason, side, "closed", what);
    throw socketError(thrown, side, what);
  } finally {
    clearTimeout(timer);
    ignoreSignal();
  }
}

/** "host:port", IPv6 literals in brackets (RFC 3986 §3.2.2). */
export function hostPort({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function addressOf(addr: Deno.Addr): Address {
  return "hostname" in addr ? { hostname: addr.hostname, port: addr.port } : { hostname: "", port: 0 };
}
