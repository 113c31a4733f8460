/**
 * Connections that would come back to weir (contract §5): told by their two ends once they are made, since a
 * name, or a number's many spellings, says nothing about where it leads.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { ClientConnection } from "../flow/connection.ts";
import { type Address, hostPort, type TcpConn } from "../net/mod.ts";

/** True when a connection with these ends leads to the listener at `own`. */
export function leadsTo(own: Address, local: Address, remote: Address): boolean {
  if (remote.port !== own.port) return false;
  const here = unmapped(own.hostname), there = unmapped(remote.hostname);
  if (there === here) return true;
  // A listener on all addresses is met at any address that is this machine's: both ends have it then, or it
  // is one of the
  // loopback addresses (RFC 1122 §3.2.1.3), which reach no other machine.
  const everywhere = here === "0.0.0.0" || here === "::";
  return everywhere && (there === unmapped(local.hostname) || there.startsWith("127."));
}

/** So many connections are remembered, before those that are closed are looked for and forgotten. */
const MAX_KNOWN = 1024;

/**
 * Connections that weir has made. Where the kernel redirects connections to it (mode `transparent`) one of
 * them may come in again, if the rules do not leave out what weir sends: by its two ends it leads elsewhere,
 * so it is known by where it comes from.
 */
export class OwnConnections {
  readonly #known = new Map<string, Pick<TcpConn, "isClosed" | "remoteAddr">>();
  #room = MAX_KNOWN;

  /** How many are remembered, those among them that are closed. */
  get size(): number {
    return this.#known.size;
  }

  /** Nothing has been sent on it yet. */
  add(conn: Pick<TcpConn, "isClosed" | "localAddr" | "remoteAddr">): void {
    this.#known.set(keyOf(conn.localAddr), conn);
    if (this.#known.size < this.#room) return;
    for (const [key, { isClosed }] of this.#known) if (isClosed) this.#known.delete(key);
    this.#room = 2 * this.#known.size + MAX_KNOWN;
  }

  /** @throws {WeirError} "loop" for a client that is weir itself. */
  check({ address }: ClientConnection): void {
    const own = this.#known.get(keyOf(address));
    if (own === undefined || own.isClosed) return;
    throw new WeirError(
      "client",
      "loop",
      `weir's own connection to ${
        hostPort(own.remoteAddr)
      } was redirected to weir: the rules that do so must leave ` +
        "out what weir sends.",
    );
  }
}

function keyOf({ hostname, port }: Address): string {
  return `${unmapped(hostname)} ${port}`;
}

/** The IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2). */
function unmapped(hostname: string): string {
  return hostname.replace(/^::ffff:(?=\d+\.)/i, "");
}
