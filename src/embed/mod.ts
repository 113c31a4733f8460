/**
 * `weir/proxy`: weir inside another program, the built-in addons included, as the command line has them.
 *
 * It stands beside `src/cli`, and not in `src/proxy`, since the proxy itself knows no addon.
 * @module
 */
export type { AddonExport } from "../hooks/mod.ts";
export type { Log } from "../proxy/mod.ts";
export { Proxy, type ProxyInit } from "./proxy.ts";
