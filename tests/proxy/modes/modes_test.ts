import { assertEquals } from "@std/assert";
import type { Conn } from "../../../src/net/mod.ts";
import { parseMode } from "../../../src/options/mod.ts";
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
  const layers: Layers = {
    requests: (given: Conn, origin, options) => {
      calls.push([given === conn, origin && `${origin.scheme}://${origin.host}:${origin.port}`, options]);
      return Promise.resolve();
    },
    tunnel: () => Promise.reject(new Error("It is no tunnel.")),
  };
  await mode.serve(conn, layers);
  return [mode.spec, mode.title, ...calls];
}

Deno.test("regular: requests that say where they go", async () => {
  assertEquals(await served("regular@8081"), ["regular@8081", "", [true, null, undefined]]);
});

Deno.test("reverse: all requests go to the origin, with its Host unless that is to be kept", async () => {
  const spec = "reverse:https://a.example@127.0.0.1:8082";
  const title = "Reverse to https://a.example: ";
  for (const keepHostHeader of [false, true]) {
    assertEquals(await served(spec, keepHostHeader), [
      spec,
      title,
      [true, "https://a.example:443", { rewriteHost: !keepHostHeader }],
    ]);
  }
});
