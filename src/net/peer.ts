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
/** Of a line of them: the ports of the two ends, and behind six columns the inode (proc(5)). */
const LINE = /^ *\d+: \w+:(\w{4}) \w+:(\w{4}) (?:\S+ +){6}(\d+)/gm;
/** Milliseconds for which what was read counts: many clients may leave at the same time. */
const FRESH_MS = 100;
/** So many times as long as reading took is what was read good for, so that it never takes more than a sixth of the time. */
const FRESH_FACTOR = 5;

/** What the sockets of this machine are, by their two ports. */
let sockets = new Map<number, PeerState>();
let freshUntil = -Infinity;

/** What is known of a peer that has ended its half. */
export type PeerState = "open" | "gone" | "unknown";

/** Whether anybody at the other end still has the connection open; "unknown" off Linux, and of other machines. */
export function peerState({ localAddr, remoteAddr }: Pick<Conn, "localAddr" | "remoteAddr">): PeerState {
  if (Deno.build.os !== "linux" || !isOwn(remoteAddr.hostname, localAddr.hostname)) return "unknown";
  // Seen from its end. Two pairs of addresses with the same ports are too rare to tell apart.
  return listed().get(key(remoteAddr.port, localAddr.port)) ?? "unknown";
}

/** An address of this machine: one that cannot be another's, or the one at which weir was met. */
function isOwn(remote: string, local: string): boolean {
  return remote === local || /^(::ffff:)?127\./.test(remote);
}

function listed(): ReadonlyMap<number, PeerState> {
  const now = performance.now();
  if (now < freshUntil) return sockets;
  sockets = new Map();
  for (const path of TABLES) {
    for (const [, port, peerPort, inode] of textOf(path).matchAll(LINE)) {
      const ports = key(parseInt(port, 16), parseInt(peerPort, 16));
      if (inode !== "0") sockets.set(ports, "open");
      else if (!sockets.has(ports)) sockets.set(ports, "gone");
    }
  }
  const end = performance.now();
  freshUntil = end + Math.max(FRESH_MS, FRESH_FACTOR * (end - now));
  return sockets;
}

function textOf(path: string): string {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return "";
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // Without IPv6 there is no such table.
    return "";
  }
}

function key(port: number, peerPort: number): number {
  return port * 65536 + peerPort;
}
