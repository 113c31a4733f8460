/**
 * Sockets: one byte connection for all of weir, over TCP, with bytes put back, or tied to another.
 * @module
 */
export type { Address, Conn, TlsInfo } from "./conn.ts";
export { dial, DIAL_TIMEOUT, type DialOptions, hostPort, TcpConn } from "./tcp.ts";
export { listen, type ListenOptions, TcpListener } from "./listen.ts";
export { peek, PEEK_LIMIT } from "./peek.ts";
export { prefixed } from "./prefixed.ts";
export { relay, type RelayHook, type RelayResult } from "./relay.ts";
