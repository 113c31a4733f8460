/**
 * `regular`: a proxy that clients know of. Each request, or CONNECT, says where it goes; so does a client of
 * SOCKS5. TLS around all of it makes it an HTTPS proxy.
 * @module
 */
import type { Mode } from "./mode.ts";

/** The mode for a listener; `spec` is how it was written. */
export function regular(spec: string): Mode {
  return { spec, title: "", defaultPort: null, serve: (conn, layers) => layers.requests(conn, null) };
}
