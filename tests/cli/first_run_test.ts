import { assertEquals } from "@std/assert";
import { proxyUrlOf, welcome } from "../../src/cli/first_run.ts";
import { parseMode } from "../../src/options/mod.ts";
import type { Listening } from "../../src/proxy/mod.ts";

function at(mode: string, hostname: string, port: number): Listening {
  return { mode: parseMode(mode), address: { hostname, port } };
}

Deno.test("clients are told an address that they can connect to, of the first proxy among the listeners", () => {
  const reverse = at("reverse:http://a.test", "127.0.0.1", 1);
  const rows: [Listening[], string | null][] = [
    [[at("regular", "127.0.0.1", 8080)], "http://127.0.0.1:8080"],
    [[at("regular", "0.0.0.0", 8080)], "http://127.0.0.1:8080"],
    [[at("regular", "::", 8080)], "http://[::1]:8080"],
    [[reverse, at("regular", "10.0.0.1", 2), at("regular", "10.0.0.1", 3)], "http://10.0.0.1:2"],
    [[at("socks5", "127.0.0.1", 1), at("upstream:http://b.test:3128", "127.0.0.1", 2)], "http://127.0.0.1:2"],
    [[reverse], null],
    [[], null],
  ];
  for (const [listening, url] of rows) assertEquals(proxyUrlOf(listening), url);
});

Deno.test("the welcome says where the CA is and what to type, for a shell to take as it is", () => {
  assertEquals(
    welcome("/home/it's me/.weir", "http://127.0.0.1:8080").split("\n")[2],
    "    curl -x http://127.0.0.1:8080 --cacert '/home/it'\\''s me/.weir/weir-ca-cert.pem' https://example.com/",
  );
  assertEquals(welcome("/a", null).split("\n").length, 1);
});
