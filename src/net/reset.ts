/**
 * Closing a TCP connection with a RST.
 *
 * A body that is delimited by the end of the connection can be cut visibly only by an abort: after a FIN the reader
 * takes it for complete (RFC 9112 §8). Deno has no API for this, and `Deno.Conn.close()` always sends a FIN first;
 * node's `TCPWrap.reset()` works on a duplicate of the descriptor and does not help (tried). So libc is asked:
 *
 * - Of an accepted connection Deno tells the descriptor, under a symbol without a public name. The last `close(2)` of
 *   a socket with SO_LINGER 0 sends the RST, so `dup2` puts an idle socket in its place, which closes it; Deno then
 *   closes the idle one.
 * - Of a dialed connection it does not. node's TCPWrap gives a duplicate, and on Linux a `connect` to AF_UNSPEC
 *   resets the socket whatever descriptor it comes by.
 *
 * Everything is guarded: without the symbols, the `ffi` permission or a known libc the caller just closes.
 *
 * When a process has no free descriptor left, cuts must still be seen. So libc and an idle socket are kept for as long as
 * there is a listener or a connection.
 * @module
 */
import process from "node:process";

/** Where libc is and its numbers for SO_LINGER; both systems have AF_UNIX = SOCK_STREAM = 1. */
const PLATFORMS: Partial<
  Record<typeof Deno.build.os, { libc: string; SOL_SOCKET: number; SO_LINGER: number }>
> = {
  linux: { libc: "libc.so.6", SOL_SOCKET: 1, SO_LINGER: 13 },
  darwin: { libc: "libSystem.B.dylib", SOL_SOCKET: 0xffff, SO_LINGER: 0x80 },
};
const FUNCTIONS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;
const platform = PLATFORMS[Deno.build.os];

/** `struct linger { int l_onoff = 1; int l_linger = 0; }` */
const LINGER_ZERO = new Uint8Array(Int32Array.of(1, 0).buffer);
/** `struct sockaddr` with sa_family AF_UNSPEC. */
const UNSPECIFIED = new Uint8Array(16);

/** What a reset needs. */
interface Reserve {
  readonly library: Deno.DynamicLibrary<typeof FUNCTIONS>;
  /** Descriptor of a socket that is connected to nothing; -1 when there was none to be had. */
  idle: number;
}

let reserve: Reserve | null = null;
/** Listeners and connections that are open. */
let users = 0;

/** From now on a reset may be needed; {@linkcode releaseReserve} must follow. */
export function holdReserve(): void {
  if (users++ === 0) reserve = openReserve();
}

/** The listener or connection is closed. */
export function releaseReserve(): void {
  if (--users > 0 || reserve === null) return;
  const { library, idle } = reserve;
  reserve = null;
  if (idle >= 0) library.symbols.close(idle);
  library.close();
}

function openReserve(): Reserve | null {
  if (platform === undefined || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  try {
    const library = Deno.dlopen(platform.libc, FUNCTIONS);
    return { library, idle: library.symbols.socket(1, 1, 0) };
  } catch {
    return null;
  }
}

/** Sends a RST; true when it was sent. The caller closes `conn` right after, in the same turn, in either case. */
export function sendReset(conn: Deno.Conn): boolean {
  if (reserve === null) return false;
  try {
    if (reserve.idle < 0) reserve.idle = reserve.library.symbols.socket(1, 1, 0);
    const fd = internal(conn, "fd");
    return fd !== null ? replace(reserve, fd) : disconnect(reserve, conn);
  } catch {
    return false;
  }
}

function replace({ library: { symbols }, idle }: Reserve, fd: number): boolean {
  const { SOL_SOCKET, SO_LINGER } = platform!;
  return idle >= 0 && symbols.setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_ZERO, LINGER_ZERO.length) === 0 &&
    symbols.dup2(idle, fd) === fd;
}

/** What is used of node's TCPWrap in Deno 2.9.6. */
interface TcpWrap {
  openFromRid(rid: number): number;
  fdForIpc(): number;
  close(): void;
}

function disconnect(held: Reserve, conn: Deno.Conn): boolean {
  const rid = internal(conn, "rid");
  if (rid === null || Deno.build.os !== "linux") return false;
  const { symbols } = held.library;
  // node's types leave out process.binding, which is how its internals are reached.
  const { binding } = process as unknown as { binding(name: string): { TCP: new (type: number) => TcpWrap } };
  const wrap = new (binding("tcp_wrap").TCP)(0);
  try {
    if (wrap.openFromRid(rid) !== 0) return false;
    let duplicate = wrap.fdForIpc();
    if (duplicate < 0 && held.idle >= 0) {
      // None is free: the idle socket's serves for a moment.
      symbols.close(held.idle);
      held.idle = -1;
      duplicate = wrap.fdForIpc();
    }
    if (duplicate < 0) return false;
    const isReset = symbols.connect(duplicate, UNSPECIFIED, UNSPECIFIED.length) === 0;
    symbols.close(duplicate);
    return isReset;
  } finally {
    wrap.close();
    if (held.idle < 0) held.idle = symbols.socket(1, 1, 0);
  }
}

/** A number that Deno keeps on a connection under a private symbol; null where it has none. */
export function internal(conn: Deno.Conn, name: "fd" | "rid"): number | null {
  const symbol = Object.getOwnPropertySymbols(conn).find(({ description }) =>
    description === `Deno.internal.${name}`
  );
  const value: unknown = symbol === undefined ? undefined : Reflect.get(conn, symbol);
  return typeof value === "number" ? value : null;
}
