/**
 * The proxy: listeners, what a connection speaks, exchanges, tunnels, the upstream pool. As a module it is
 * `weir/proxy`, for programs that embed weir; the built-in addons come along, as the command line has them.
 * @module
 */
export { Proxy, type ProxyInit } from "./embed.ts";
export type { Log } from "./context.ts";
