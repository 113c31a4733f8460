/**
 * The real proxy, for the command line: the one place that knows which addons are built in.
 * @module
 */
import { builtinAddons } from "../../addons/mod.ts";
import { ProxyServer } from "../proxy/proxy.ts";
import type { Proxy, ProxyInit } from "./run.ts";

/** Makes a proxy with the built-in addons, in front of the scripts. */
export function makeProxy(init: ProxyInit): Proxy {
  const server = new ProxyServer(init);
  return {
    load: (scripts) => server.load([...builtinAddons, ...scripts.map((script) => ({ script }))]),
    start: () => server.start(),
    stop: (graceMs) => server.stop(graceMs),
  };
}
