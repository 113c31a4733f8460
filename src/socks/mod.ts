/**
 * SOCKS5 (RFC 1928, RFC 1929): its messages without connections, and both parts of the conversation.
 * @module
 */
export { socksConnect } from "./client.ts";
export { type Login, SOCKS5, UNSPECIFIED } from "./messages.ts";
export { socksAccept, type SocksRequest } from "./server.ts";
