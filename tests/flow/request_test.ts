import { assertEquals, assertThrows } from "@std/assert";
import { Headers } from "../../src/http/headers.ts";
import { Request } from "../../src/flow/request.ts";
import type { RequestHead } from "../../src/http/wire.ts";

function request(given: Partial<RequestHead> = {}): Request {
  return new Request({
    method: "GET",
    form: "absolute",
    scheme: "http",
    host: "a.example",
    port: 80,
    path: "/p?q",
    httpVersion: "HTTP/1.1",
    headers: new Headers([["Accept", "*/*"], ["host", "a.example"]]),
    ...given,
  }, 5);
}

Deno.test("a request is what its head says", () => {
  const { method, scheme, host, port, path, httpVersion, timestampStart, timestampEnd } = request();
  assertEquals([method, scheme, host, port, path], ["GET", "http", "a.example", 80, "/p?q"]);
  assertEquals([httpVersion, timestampStart, timestampEnd], ["HTTP/1.1", 5, null]);
});

const URLS: [Partial<RequestHead>, string][] = [
  [{}, "http://a.example/p?q"],
  [{ port: 81 }, "http://a.example:81/p?q"],
  [{ scheme: "https", port: 443 }, "https://a.example/p?q"],
  [{ scheme: "https", port: 80 }, "https://a.example:80/p?q"],
  [{ host: "::1", port: 8080 }, "http://[::1]:8080/p?q"],
  [{ method: "OPTIONS", path: "*" }, "http://a.example"],
  [{ method: "CONNECT", scheme: "", port: 443, path: "" }, "a.example:443"],
];
for (const [given, url] of URLS) {
  Deno.test(`the URL of ${JSON.stringify(given)} is ${url}`, () => assertEquals(request(given).url, url));
}

const ASSIGNED: [url: string, string, string, number, string, hostField: string][] = [
  ["https://b.example/x?y#z", "https", "b.example", 443, "/x?y", "b.example"],
  ["http://b.example:8080", "http", "b.example", 8080, "/", "b.example:8080"],
  ["https://b.example:80/", "https", "b.example", 80, "/", "b.example:80"],
  ["http://[2001:db8::1]:81/", "http", "2001:db8::1", 81, "/", "[2001:db8::1]:81"],
];
for (const [url, scheme, host, port, path, field] of ASSIGNED) {
  Deno.test(`assigning ${url} sets the route, the path and the Host field`, () => {
    const changed = request({ port: 9 });
    changed.url = url;
    assertEquals([changed.scheme, changed.host, changed.port, changed.path], [scheme, host, port, path]);
    assertEquals(changed.headers.raw, ["Accept", "*/*", "host", field]);
  });
}

Deno.test("a URL that is none, or of another scheme, is refused and changes nothing", () => {
  for (const url of ["/path", "ftp://b.example/", "b.example:80"]) {
    const kept = request();
    assertThrows(() => kept.url = url, TypeError);
    assertEquals(kept.url, "http://a.example/p?q");
  }
});

Deno.test("host and port take the Host field along, where there is one", () => {
  const changed = request();
  changed.host = "b.example";
  assertEquals(changed.headers.get("host"), "b.example");
  changed.port = 8080;
  assertEquals([changed.headers.get("host"), changed.authority], ["b.example:8080", "b.example:8080"]);
  changed.headers.delete("host");
  changed.host = "c.example";
  assertEquals([changed.headers.has("host"), changed.authority], [false, "c.example:8080"]);
});
