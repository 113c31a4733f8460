import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { leadsTo, OwnConnections } from "../../src/proxy/loop.ts";
import { clientConn } from "../support/addon_host.ts";

const CLIENT = "10.0.0.1";

/** Listening, dialed from, reached, whether that is weir itself. */
const CASES: [string, string, string, boolean][] = [
  ["127.0.0.1", "127.0.0.1", "127.0.0.1", true],
  ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true],
  ["127.0.0.1", "127.0.0.1", "127.0.0.2", false],
  ["::1", "::1", "::1", true],
  ["0.0.0.0", CLIENT, CLIENT, true],
  ["0.0.0.0", "127.0.0.1", "127.0.0.2", true],
  ["0.0.0.0", "::ffff:127.0.0.1", "::ffff:127.9.9.9", true],
  ["0.0.0.0", CLIENT, "10.0.0.2", false],
  ["::", CLIENT, `::ffff:${CLIENT}`, true],
  ["::", "127.0.0.1", "127.0.0.3", true],
  ["::", "fd00::2", "fd00::2", true],
  ["::", "fd00::2", "fd00::3", false],
];

for (const [own, local, remote, expected] of CASES) {
  Deno.test(`a connection from ${local} to ${remote} ${expected ? "leads" : "does not lead"} to a listener at ${own}`, () => {
    const ends = [{ hostname: local, port: 50_000 }, { hostname: remote, port: 8080 }] as const;
    assertEquals(leadsTo({ hostname: own, port: 8080 }, ...ends), expected);
    assertEquals(leadsTo({ hostname: own, port: 8081 }, ...ends), false, "another port is another listener");
  });
}

/** A connection of weir's, from a port of its own. */
function own(port: number, hostname = "10.0.0.1") {
  return { isClosed: false, localAddr: { hostname, port }, remoteAddr: { hostname: "192.0.2.1", port: 443 } };
}

Deno.test("a client that is a connection of weir's own is a loop, for as long as that is open", () => {
  const connections = new OwnConnections(), one = own(50_000);
  const from = (hostname: string, port: number) => () =>
    connections.check({ ...clientConn, address: { hostname, port } });
  from("10.0.0.1", 50_000)();
  connections.add(one);
  const error = assertThrows(from("::ffff:10.0.0.1", 50_000), WeirError);
  assertEquals([error.code, error.statusCode], ["loop", 400]);
  assertStringIncludes(error.message, "weir's own connection to 192.0.2.1:443 was redirected to weir");
  from("10.0.0.1", 50_001)();
  from("10.0.0.2", 50_000)();
  one.isClosed = true;
  from("10.0.0.1", 50_000)();
});

Deno.test("connections that are closed are forgotten, those that are open are not", () => {
  const connections = new OwnConnections(), open = own(1);
  connections.add(open);
  for (let i = 0; i < 200_000; i++) {
    const next = own(i % 50_000 + 2, `10.0.${i % 7}.1`);
    connections.add(next);
    next.isClosed = true;
  }
  assert(connections.size < 4096, `${connections.size} are remembered`);
  assertThrows(() => connections.check({ ...clientConn, address: open.localAddr }), WeirError);
});
