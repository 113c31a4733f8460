import { assertEquals } from "@std/assert";
import { Headers } from "../../src/http/headers.ts";
import type { RequestHead } from "../../src/http/wire.ts";
import { type Origin, Route } from "../../src/proxy/route.ts";
import { clientConn } from "../support/addon_host.ts";

const ORIGIN: Origin = { scheme: "https", host: "origin.example", port: 8443 };

function head(given: Partial<RequestHead> = {}): RequestHead {
  return {
    method: "GET",
    form: "origin",
    scheme: "",
    host: "",
    port: 0,
    path: "/a",
    httpVersion: "HTTP/1.1",
    headers: new Headers([["host", "asked.example"]]),
    ...given,
  };
}

function where({ scheme, host, port }: RequestHead): [string, string, number] {
  return [scheme, host, port];
}

const REGULAR: [string, Partial<RequestHead>, [string, string, number]][] = [
  ["as it says", { scheme: "http", host: "a.example", port: 81 }, ["http", "a.example", 81]],
  ["https to 443", { scheme: "https", host: "a.example" }, ["https", "a.example", 443]],
  ["http to 80", { scheme: "http", host: "a.example" }, ["http", "a.example", 80]],
  ["http where nothing is said", { host: "weir.internal" }, ["http", "weir.internal", 80]],
];
for (const [what, given, expected] of REGULAR) {
  Deno.test(`without a target a request goes where its own says: ${what}`, () => {
    const route = new Route(clientConn, null);
    assertEquals([route.hasOrigin, where(route.resolve(head(given)))], [false, expected]);
  });
}

Deno.test("with a target every request goes there, whatever it says of itself", () => {
  const route = new Route(clientConn, ORIGIN);
  assertEquals(route.hasOrigin, true);
  for (const given of [{}, { scheme: "http", host: "elsewhere.example", port: 80 }]) {
    const resolved = route.resolve(head(given));
    assertEquals(where(resolved), ["https", "origin.example", 8443]);
    assertEquals(resolved.headers.get("host"), "asked.example");
  }
});

Deno.test("a reverse proxy puts the origin into the Host field, the scheme's own port left out", () => {
  const hosts = [ORIGIN, { ...ORIGIN, port: 443 }, {
    ...ORIGIN,
    scheme: "http" as const,
    host: "::1",
    port: 80,
  }];
  assertEquals(
    hosts.map((target) => new Route(clientConn, target, { rewriteHost: true }).resolve(head()).headers.raw),
    [["host", "origin.example:8443"], ["host", "origin.example"], ["host", "[::1]"]],
  );
});

Deno.test("the client's SNI goes to the tunnel's own target alone", () => {
  const route = new Route(clientConn, ORIGIN, { sni: "name.example" });
  assertEquals(route.destination({ scheme: "https", host: "origin.example", port: 8443 }, null, false), {
    ...ORIGIN,
    sni: "name.example",
    via: null,
    isRaw: false,
  });
  assertEquals(
    route.destination({ scheme: "https", host: "moved.example", port: 8443 }, null, false).sni,
    null,
  );
  assertEquals(
    route.destination({ scheme: "https", host: "origin.example", port: 443 }, null, false).sni,
    null,
  );
});

Deno.test("a scheme that is not https is http", () => {
  assertEquals(
    new Route(clientConn, null).destination({ scheme: "ftp", host: "a.example", port: 21 }, null, false)
      .scheme,
    "http",
  );
});
