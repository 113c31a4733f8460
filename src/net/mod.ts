/**
 * Sockets: one byte connection for all of weir, over TCP, with bytes put back, or tied to another.
 * @module
 */
export { type AddressKind, addressKind } from "./address_kind.ts";
export { bulk, BULK_SIZE, Loans } from "./bulk_buffers.ts";
export type { Address, Conn, TlsInfo } from "./conn.ts";
export { dial, type DialOptions, hostPort, TcpConn } from "./tcp.ts";
export { dialAny } from "./dial_any.ts";
export { resolve } from "./resolve.ts";
export { ipBytes, ipText } from "./ip.ts";
export { socketError } from "./errors.ts";
export { listen, TcpListener } from "./listen.ts";
export { OriginalDestinations } from "./original_destination.ts";
export { FirstBytes } from "./first_bytes.ts";
export { PassingConn } from "./passing.ts";
export { peerState } from "./peer.ts";
export { relay } from "./relay.ts";
