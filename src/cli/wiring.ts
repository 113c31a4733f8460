/**
 * The real proxy, for the command line, with the addons that are built in.
 * @module
 */
import { builtinAddons } from "../../addons/mod.ts";
import { ProxyServer, type ProxyServerInit } from "../proxy/mod.ts";
import type { ScriptedProxy } from "./run.ts";

/** Makes a proxy with the built-in addons, in front of the scripts. */
export function makeProxy(init: ProxyServerInit): ScriptedProxy {
  const server = new ProxyServer(init);
  return {
    load: (scripts) => server.load([...builtinAddons, ...scripts.map((script) => ({ script }))]),
    start: () => server.start(),
    stop: (graceMs) => server.stop(graceMs),
    get hasFailed() {
      return server.hasFailed;
    },
  };
}
