import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Addon } from "../../src/hooks/mod.ts";
import type { OptionChanges } from "../../src/options/registry.ts";
import { Client, ClientFacts } from "../../src/proxy/client.ts";
import { runConnect } from "../../src/proxy/connect.ts";
import { serverConn } from "../support/addon_host.ts";
import { memoryConnPair } from "../support/memory_conn.ts";
import { FakeIncoming, proxyContext } from "./support.ts";

const FLOW_HOOKS = ["http_connect", "http_connected", "http_connect_error"] as const;

/** Runs one CONNECT to a.example:80; gives what happened, in order. `dial` is how a host that is left alone is reached. */
async function transcript(
  given: { addon?: Addon; options?: OptionChanges; dial?: () => void } = {},
): Promise<string[]> {
  const log: string[] = [];
  const told = Object.fromEntries(FLOW_HOOKS.map((name) => [name, () => void log.push(name)]));
  const [far] = memoryConnPair(), [conn, peer] = memoryConnPair();
  const { context } = proxyContext(
    () => Promise.reject(new Error("unused")),
    [told, { tcp_start: () => void log.push("tcp_start") }, given.addon ?? {}],
    given.options,
    {
      pool: {
        acquire: () => Promise.reject(new Error("unused")),
        connect: async ({ host, port }) => {
          log.push(`dial ${host}:${port}`);
          await given.dial?.();
          // The origin ends at once.
          peer.close();
          return { conn, serverConn };
        },
        connectAhead: () => Promise.reject(new Error("unused")),
        release: () => {},
      },
    },
  );
  const incoming = new FakeIncoming(log, { method: "CONNECT" });
  const [tunnel, client] = memoryConnPair();
  incoming.upgraded = tunnel;
  client.close();
  await runConnect(
    new Client(context, new ClientFacts(tunnel, "regular"), {}),
    incoming,
    (given, { scheme, host, port }) => {
      log.push(`serve ${given === tunnel} ${scheme}://${host}:${port}`);
      return Promise.resolve();
    },
  );
  far.close();
  return log;
}

Deno.test("CONNECT is answered, then what comes through the tunnel is served", async () => {
  assertEquals(await transcript(), [
    "http_connect",
    "> 200",
    "http_connected",
    "serve true http://a.example:80",
  ]);
});

Deno.test("an addon's answer is the answer, and there is no tunnel; an addon may lead elsewhere, or kill", async () => {
  const addon: Addon = { http_connect: (flow) => flow.response = new Response("no", { status: 407 }) };
  assertEquals(await transcript({ addon }), ["http_connect", "http_connect_error", "> 407 no"]);
  const moved = await transcript({ addon: { http_connect: (flow) => void (flow.request.port = 8443) } });
  assertEquals(moved.at(-1), "serve true http://a.example:8443");
  const killed = await transcript({ addon: { http_connect: (flow) => flow.kill() } });
  assertEquals(killed, ["http_connect", "abort killed"]);
});

Deno.test("a host that is left alone is dialed first: 200 when it is there, 502 when it is not", async () => {
  const options = { ignore_hosts: ["a\\.example"] };
  assertEquals(await transcript({ options }), [
    "http_connect",
    "dial a.example:80",
    "> 200",
    "http_connected",
    "tcp_start",
  ]);
  const dial = () => {
    throw new WeirError("server", "unreachable", "a.example cannot be reached.");
  };
  const failed = await transcript({ options, dial });
  assertEquals(failed.slice(0, 2), ["http_connect", "dial a.example:80"]);
  assertEquals(failed.length, 3);
  assertEquals(failed[2].startsWith("> 502"), true);
});
