/**
 * Whether the program at the other end still has its socket, after its FIN.
 *
 * A client that ended its half (RFC 9293 §3.6) and one that is gone look the same on the wire until something is written
 * to it. Where both ends are on one machine, which is how a proxy is mostly used, Linux tells: a socket that nobody has
 * open any more is listed without an inode.
 * @module
 */
import type { Conn } from "./conn.ts";

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
/** Column of the tables (proc(5)). */
const INODE = 9;
/** Milliseconds for which the tables are looked at again as they were: many clients may leave at the same time. */
const FRESH = 100;

let sockets = "";
let readAt = -Infinity;

/** What is known of a peer that has ended its half. */
export type PeerState = "open" | "gone" | "unknown";

/** Whether anybody at the other end still has the connection open; "unknown" off Linux, and of other machines. */
export function peerState({ localAddr, remoteAddr }: Pick<Conn, "localAddr" | "remoteAddr">): PeerState {
  if (Deno.build.os !== "linux" || !isOwn(remoteAddr.hostname, localAddr.hostname)) return "unknown";
  // Seen from its end. Two pairs of addresses with the same ports are too rare to tell apart.
  const line = new RegExp(`^.+:${hex(remoteAddr.port)} \\w+:${hex(localAddr.port)} .*$`, "gm");
  let state: PeerState = "unknown";
  for (const [found] of listed().matchAll(line)) {
    if (found.trim().split(/\s+/)[INODE] !== "0") return "open";
    state = "gone";
  }
  return state;
}

/** An address of this machine: one that cannot be another's, or the one at which weir was met. */
function isOwn(remote: string, local: string): boolean {
  return remote === local || /^(::ffff:)?127\./.test(remote);
}

function listed(): string {
  const now = performance.now();
  if (now - readAt < FRESH) return sockets;
  sockets = "";
  for (const path of TABLES) {
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") continue;
    try {
      sockets += Deno.readTextFileSync(path);
    } catch {
      // Without IPv6 there is no such table.
    }
  }
  readAt = performance.now();
  return sockets;
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
