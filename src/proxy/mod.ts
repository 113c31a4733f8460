/**
 * The proxy: listeners, what a connection speaks, exchanges, tunnels, the upstream pool.
 *
 * `proxy.ts` is its life; a connection goes through its mode (`modes/`) and `client_connection.ts`, its requests through
 * `exchange.ts` and `upstream_pool.ts`, everything else through `tunnel.ts`. It knows no addon: those are given to it.
 * @module
 */
export type { Log } from "./context.ts";
export { type Listening, ProxyServer, type ProxyServerInit } from "./proxy.ts";
