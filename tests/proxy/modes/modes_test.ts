import { assertEquals } from "@std/assert";
import type { Conn } from "../../../src/net/mod.ts";
import { parseMode } from "../../../src/options/mod.ts";
import type { Origin } from "../../../src/proxy/route.ts";
import { type Layers, modeOf } from "../../../src/proxy/modes/mod.ts";
import { addonHost } from "../../support/addon_host.ts";
import { memoryConnPair } from "../../support/memory_conn.ts";

/** What a mode makes of a connection. */
async function served(spec: string, keepHostHeader = false): Promise<unknown[]> {
  const host = addonHost();
  const mode = modeOf(parseMode(spec), host.options.values);
  // Options are read when a connection comes.
  await host.options.update({ keep_host_header: keepHostHeader });
  const [conn] = memoryConnPair();
  const calls: unknown[] = [];
  const at = (origin: Origin | null) => origin && `${origin.scheme}://${origin.host}:${origin.port}`;
  const layer = (name: string) => (given: Conn, origin: Origin | null = null, ...options: unknown[]) => {
    calls.push([name, given === conn, at(origin), ...options]);
    return Promise.resolve();
  };
  const layers: Layers = {
    requests: layer("requests"),
    tunnel: layer("tunnel"),
    bytes: layer("bytes"),
    tlsBytes: layer("tlsBytes"),
    socks: layer("socks"),
    refuse: () => Promise.reject(new Error("It is not to be refused.")),
  };
  await mode.serve(conn, layers);
  return [mode.spec, mode.title, mode.defaultPort, ...calls];
}

Deno.test("regular: requests that say where they go", async () => {
  assertEquals(await served("regular@8081"), ["regular@8081", "", null, ["requests", true, null]]);
});

Deno.test("reverse: all requests go to the origin, with its Host unless that is to be kept", async () => {
  const spec = "reverse:https://a.example@127.0.0.1:8082";
  const title = "Reverse to https://a.example: ";
  for (const keepHostHeader of [false, true]) {
    assertEquals(await served(spec, keepHostHeader), [
      spec,
      title,
      null,
      ["requests", true, "https://a.example:443", { rewriteHost: !keepHostHeader }],
    ]);
  }
});

Deno.test("reverse:tcp and reverse:tls: bytes go to the origin, as they are or by TLS", async () => {
  assertEquals(await served("reverse:tcp://a.example:25@8083"), [
    "reverse:tcp://a.example:25@8083",
    "Reverse to tcp://a.example:25: ",
    null,
    ["bytes", true, "http://a.example:25"],
  ]);
  assertEquals(await served("reverse:tls://[::1]:993"), [
    "reverse:tls://[::1]:993",
    "Reverse to tls://[::1]:993: ",
    null,
    ["tlsBytes", true, "https://::1:993"],
  ]);
});

Deno.test("socks5: where connections go is asked by SOCKS5, and its port is 1080", async () => {
  assertEquals(await served("socks5"), ["socks5", "SOCKS5: ", 1080, ["socks", true, null]]);
});
