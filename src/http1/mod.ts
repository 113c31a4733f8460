/**
 * HTTP/1.0 and HTTP/1.1 (RFC 9112): the codec and both legs.
 *
 *     bytes ─▶ read_buffer ─▶ head_scanner ─▶ head (fields, target) ─▶ framing ─▶ body (chunked)
 *     head ─▶ serialise ─▶ output ─▶ bytes                body ─▶ write_body ─▶ output ─▶ bytes
 *
 * `server` is a client's connection (requests in, responses out), `client` is a connection to an origin. The parsers take
 * bytes and give values, they know no sockets; reading and writing is in `read_buffer` and `output` alone. Bodies are
 * views into the read buffer, and what is ready together is written together: no promise and no copy per chunk.
 * @module
 */
export { serveHttp1 } from "./server.ts";
export { Http1Connection } from "./client.ts";
export type { ProxyLeg } from "./proxy_leg.ts";
