/**
 * HTTP/2 (RFC 9113) with HPACK (RFC 7541), both legs.
 *
 * It is weir's own because `node:http2` of Deno 2.9.6 aborts the whole process under load. From the
 * bottom up: `hpack/` (header blocks), `frames.ts` and `frame_reader.ts` (frames), `stream.ts`, `receive_body.ts`,
 * `scheduler.ts`, `flushes.ts`, `inbound.ts` and `session.ts` (the connection, without a socket), `link.ts` (bytes to and from a
 * `Conn`), `server.ts` and `client.ts` (the interfaces of `http/wire.ts`).
 * @module
 */
export { Http2Connection } from "./client.ts";
export { PREFACE } from "./frames.ts";
export { serveHttp2 } from "./server.ts";
