/**
 * The real proxy, for the command line, with the addons that are built in.
 * @module
 */
import { builtinAddons, dumper, recorders } from "../../addons/mod.ts";
import { ProxyServer, type ProxyServerInit } from "../proxy/mod.ts";
import type { ScriptedProxy } from "./environment.ts";

/** Makes a proxy whose addons are the built-in ones and the scripts. */
export function makeProxy(init: ProxyServerInit): ScriptedProxy {
  const server = new ProxyServer(init);
  return {
    load: (scripts) =>
      server.load([...builtinAddons, ...scripts.map((script) => ({ script })), ...recorders, dumper]),
    start: () => server.start(),
    leave: () => server.leave(),
    stop: (graceMs, hurry) => server.stop(graceMs, hurry),
    get gate() {
      return server.gate;
    },
    get hasFailed() {
      return server.hasFailed;
    },
  };
}
