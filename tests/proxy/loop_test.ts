import { assertEquals } from "@std/assert";
import { leadsTo } from "../../src/proxy/loop.ts";

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
