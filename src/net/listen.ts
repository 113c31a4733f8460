/**
 * Listening for TCP connections, without an end that a passing error could bring.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import type { Address } from "./conn.ts";
import { holdReserve, releaseReserve } from "./reset.ts";
import { hostPort, TcpConn } from "./tcp.ts";

/** Milliseconds to wait after a failed accept: descriptors run out (EMFILE) for moments, and retrying at once spins. */
const ACCEPT_RETRY_MS = 50;

export interface ListenOptions {
  hostname: string;
  /** 0 takes any free port. */
  port: number;
  /** Several listeners share the port (one for each worker). */
  reusePort?: boolean;
}

/** Starts to listen; throws a {@linkcode WeirError} that names the address when that cannot be. */
export function listen(options: ListenOptions): TcpListener {
  try {
    return new TcpListener(Deno.listen({ ...options, reusePort: options.reusePort ?? false }));
  } catch (thrown) {
    const reason = thrown instanceof Deno.errors.AddrInUse
      ? "the port is taken"
      : messageOf(thrown).replace(/ \(os error \d+\)$/, "");
    throw new WeirError("weir", "unreachable", `Cannot listen at ${hostPort(options)}: ${reason}.`, {
      cause: thrown,
    });
  }
}

/** A listening socket; iterate it for the clients' connections. */
export class TcpListener implements AsyncIterable<TcpConn> {
  /** With the real port. */
  readonly addr: Address;
  readonly #listener: Deno.TcpListener;
  #closed = false;
  readonly #pause = new Wakeup();

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
    holdReserve();
    this.addr = { hostname: listener.addr.hostname, port: listener.addr.port };
  }

  /** Ends when {@linkcode close} is called, and for no other reason. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TcpConn, void> {
    while (!this.#closed) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (thrown) {
        if (this.#closed) return;
        if (!isOfOneClient(thrown)) await this.#pause.wait(ACCEPT_RETRY_MS);
        continue;
      }
      yield new TcpConn(conn, "client");
    }
  }

  /** Stops listening; connections that were accepted stay. May be called more than once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause.wake();
    this.#listener.close();
    releaseReserve();
  }
}

/** A client that was gone before it was accepted is nobody's loss, and must not hold up the next. */
function isOfOneClient(thrown: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return thrown instanceof NotConnected || thrown instanceof ConnectionAborted ||
    thrown instanceof ConnectionReset;
}
