/**
 * Connections that would come back to weir (contract §5): told by their two ends once they are made, since a name, or a
 * number's many spellings, says nothing about where it leads.
 * @module
 */
import type { Address } from "../net/mod.ts";

/** True when a connection with these ends leads to the listener at `own`. */
export function leadsTo(own: Address, local: Address, remote: Address): boolean {
  if (remote.port !== own.port) return false;
  const here = unmapped(own.hostname), there = unmapped(remote.hostname);
  if (there === here) return true;
  // A listener on all addresses is met at any address that is this machine's: both ends have it then, or it is one of the
  // loopback addresses (RFC 1122 §3.2.1.3), which reach no other machine.
  const everywhere = here === "0.0.0.0" || here === "::";
  return everywhere && (there === unmapped(local.hostname) || there.startsWith("127."));
}

/** The IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2). */
function unmapped(hostname: string): string {
  return hostname.replace(/^::ffff:(?=\d+\.)/i, "");
}
