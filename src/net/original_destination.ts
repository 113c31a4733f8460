/**
 * Where connections were going that the kernel has redirected to a listener (Linux): by REDIRECT or DNAT, of
 * which netfilter knows the original destination (`SO_ORIGINAL_DST`), or by TPROXY, where the local address
 * is that destination.
 *
 * libc is asked by FFI. A listener takes what TPROXY sends it when it has `IP_TRANSPARENT`, for which the
 * process needs CAP_NET_ADMIN. Deno does not tell a listener's descriptor, but /proc has it.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import type { Address } from "./conn.ts";
import { ipText } from "./ip.ts";
import type { TcpListener } from "./listen.ts";
import { hostPort, type TcpConn } from "./tcp.ts";

const FUNCTIONS = {
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;
type Libc = Deno.DynamicLibrary<typeof FUNCTIONS>;

/**
 * Of each IP version: its level, the options there, and where its `sockaddr` has the address (ip(7),
 * ipv6(7)).
 */
const IPV4 = { level: 0, transparent: 19, size: 16, at: 4, length: 4 };
const IPV6 = { level: 41, transparent: 75, size: 28, at: 8, length: 16 };
/** The same number in both (linux/netfilter_ipv4.h). */
const SO_ORIGINAL_DST = 80;

const YES = new Uint8Array(Int32Array.of(1).buffer);

/** Lines of /proc/net/tcp of sockets that listen: the port, and behind six columns the inode (proc(5)). */
const LISTENING = /^ *\d+: \w+:(\w{4}) \w+:\w{4} 0A (?:\S+ +){5}(\d+)/gm;
const ANY: readonly string[] = ["0.0.0.0", "::"];

/** What a listener's connections were meant for. */
export class OriginalDestinations {
  readonly #listener: TcpListener;
  readonly #libc: Libc;
  #isClosed = false;

  private constructor(listener: TcpListener, libc: Libc) {
    this.#listener = listener;
    this.#libc = libc;
    makeTransparent(libc, listener.addr.port);
  }

  /** `close` it. @throws {WeirError} where there is no way to ask the kernel. */
  static open(listener: TcpListener): OriginalDestinations {
    if (Deno.build.os !== "linux") {
      throw new WeirError("weir", "internal", `transparent needs Linux's kernel; this is ${Deno.build.os}.`);
    }
    try {
      return new OriginalDestinations(listener, Deno.dlopen("libc.so.6", FUNCTIONS));
    } catch (thrown) {
      const text = `transparent cannot ask the kernel, which takes libc.so.6 by FFI: ${messageOf(thrown)}`;
      throw new WeirError("weir", "internal", text, { cause: thrown });
    }
  }

  /** @throws {WeirError} "loop" for a connection that was made to the listener itself. */
  of(conn: TcpConn): Address {
    const destination = this.#redirected(conn) ??
      { ...conn.localAddr, hostname: plain(conn.localAddr.hostname) };
    if (!this.#isListener(destination)) return destination;
    throw new WeirError(
      "client",
      "loop",
      `The connection was made to ${
        hostPort(destination)
      }, which is weir itself: it was not redirected here.`,
    );
  }

  /** May be called more than once. */
  close(): void {
    if (!this.#isClosed) this.#libc.close();
    this.#isClosed = true;
  }

  /** What netfilter knows; null when it has not redirected the connection, or has forgotten it. */
  #redirected({ descriptor, localAddr }: TcpConn): Address | null {
    if (descriptor === null || this.#isClosed) return null;
    const { level, size, at, length } = localAddr.hostname.includes(".") ? IPV4 : IPV6;
    const address = new Uint8Array(size), given = new Uint8Array(Uint32Array.of(size).buffer);
    if (this.#libc.symbols.getsockopt(descriptor, level, SO_ORIGINAL_DST, address, given) !== 0) return null;
    return { hostname: ipText(address.slice(at, at + length)), port: address[2] << 8 | address[3] };
  }

  /** While netfilter follows connections it knows a destination of direct ones, too. */
  #isListener({ hostname, port }: Address): boolean {
    const own = this.#listener.addr;
    return port === own.port &&
      (hostname === own.hostname || (ANY.includes(own.hostname) && isHere(hostname)));
  }
}

/**
 * Every listener of this process at that port gets IP_TRANSPARENT: workers have one each. Without
 * CAP_NET_ADMIN none can have it; what REDIRECT sends comes all the same.
 */
function makeTransparent({ symbols }: Libc, port: number): void {
  const inodes = new Set<string>();
  for (const path of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const [, found, inode] of readText(path).matchAll(LISTENING)) {
      if (parseInt(found, 16) === port) inodes.add(`socket:[${inode}]`);
    }
  }
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    if (!inodes.has(linkAt(`/proc/self/fd/${name}`))) continue;
    for (const { level, transparent } of [IPV4, IPV6]) {
      symbols.setsockopt(Number(name), level, transparent, YES, YES.length);
    }
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // Without IPv6 there is no such table.
    return "";
  }
}

/** Empty for a descriptor that is closed meanwhile. */
function linkAt(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

/** An address of this machine. */
function isHere(hostname: string): boolean {
  return hostname.startsWith("127.") || Deno.networkInterfaces().some(({ address }) => address === hostname);
}

/** The IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2), as a listener on all addresses has it. */
function plain(hostname: string): string {
  return hostname.replace(/^::ffff:(?=\d+\.)/i, "");
}
