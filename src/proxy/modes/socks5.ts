/**
 * `socks5`: a proxy that clients ask by SOCKS5 (RFC 1928) for connections, to names or addresses.
 * @module
 */
import type { Mode } from "./mode.ts";

/** Where such proxies listen by custom, unless the option `listen_port` says something else (IANA: socks). */
const DEFAULT_PORT = 1080;

/** The mode for a listener; `spec` is how it was written. */
export function socks5(spec: string): Mode {
  return {
    spec,
    title: "SOCKS5: ",
    defaultPort: DEFAULT_PORT,
    serve: (conn, layers) => layers.socks(conn),
  };
}
