import { assertEquals } from "@std/assert";
import { alpnFor } from "../../src/proxy/protocol.ts";

const BOTH = ["h2", "http/1.1"];
const CASES: [what: string, offered: string[], enabled: boolean, preferred: boolean, answer: string[]][] = [
  ["both, and the origin speaks HTTP/2", BOTH, true, true, BOTH],
  ["both, in the other order", ["http/1.1", "h2"], true, true, BOTH],
  ["both, and the origin does not", BOTH, true, false, ["http/1.1"]],
  ["both, and HTTP/2 is turned off", BOTH, false, true, ["http/1.1"]],
  ["nothing", [], true, true, BOTH],
  ["HTTP/1.1 alone", ["http/1.1"], true, false, ["http/1.1"]],
  ["HTTP/2 alone, and the origin does not speak it", ["h2"], true, false, ["h2"]],
  ["HTTP/2 alone, and it is turned off", ["h2"], false, true, ["http/1.1"]],
  ["HTTP/2 and something unknown", ["grpc-exp", "h2"], true, false, ["h2"]],
  ["only what weir does not speak", ["acme-tls/1"], true, true, []],
  ["the same with HTTP/2 turned off", ["http/1.0", "spdy/3"], false, false, []],
];
for (const [what, offered, enabled, preferred, answer] of CASES) {
  Deno.test(`protocols for a client that offers ${what}`, () => {
    assertEquals(alpnFor(offered, { enabled, preferred }), answer);
  });
}
