import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { parseTarget } from "../../src/http1/target.ts";
import { requestHead } from "./support.ts";

Deno.test("the four forms of a request target are taken apart", () => {
  const none = { scheme: "", host: "", port: 0 };
  assertEquals(parseTarget("GET", "/a/../b?c#d"), { form: "origin", ...none, path: "/a/../b?c#d" });
  assertEquals(parseTarget("OPTIONS", "*"), { form: "asterisk", ...none, path: "*" });
  assertEquals(parseTarget("CONNECT", "A.example:443"), {
    form: "authority",
    scheme: "",
    host: "A.example",
    port: 443,
    path: "",
  });
  assertEquals(parseTarget("CONNECT", "[::1]:8443").host, "::1");
  const absolute = { form: "absolute" as const, scheme: "http", host: "a.example", port: 80 };
  assertEquals(parseTarget("GET", "HTTP://a.example/x?y"), { ...absolute, path: "/x?y" });
  assertEquals(parseTarget("GET", "http://a.example"), { ...absolute, path: "/" });
  assertEquals(parseTarget("GET", "http://a.example?q=http://b/"), { ...absolute, path: "/?q=http://b/" });
  assertEquals(parseTarget("OPTIONS", "http://a.example"), { ...absolute, path: "*" });
  assertEquals(parseTarget("GET", "https://a.example/").port, 443);
  // RFC 6455 §3: a GET for the same resource.
  assertEquals(parseTarget("GET", "ws://a.example/x"), { ...absolute, path: "/x" });
  assertEquals(parseTarget("GET", "WSS://a.example/").port, 443);
  assertEquals(parseTarget("GET", "http://a.example:/").port, 80);
  assertEquals(parseTarget("GET", "http://[2001:db8::1]:8080/"), {
    ...absolute,
    host: "2001:db8::1",
    port: 8080,
    path: "/",
  });
});

for (
  const target of [
    "http://user:secret@a.example/",
    "http://user@a.example/",
    "http:///path",
    "http://:80/",
    "http://a.example:0/",
    "http://a.example:65536/",
    "http://a.example:80x/",
    "http://a.example:+80/",
    "http://a.example:0x50/",
    "http://a.example:8 0/",
    "http://[::1/",
    "http://::1/",
    "http://a_b\\c/",
    "http://a,b/",
    "http:/a.example/",
    "http:a.example",
    "javascript:alert(1)",
    "a.example",
  ]
) {
  Deno.test(`the target ${target} is refused`, () => {
    const error = assertThrows(() => parseTarget("GET", target), WeirError);
    assertEquals([error.side, error.statusCode], ["client", 400]);
  });
}

Deno.test("an absolute target beats the Host field, which is replaced in its place", () => {
  const { head } = requestHead(
    "GET http://a.example:8080/ HTTP/1.1\r\nA: b\r\nhOST: evil.example\r\nC: d\r\n\r\n",
  );
  assertEquals([head.host, head.port], ["a.example", 8080]);
  assertEquals(head.headers.raw, ["A", "b", "hOST", "a.example:8080", "C", "d"]);
});

Deno.test("a Host field that agrees with the absolute target stays as it is", () => {
  for (const host of ["a.example", "A.EXAMPLE", "a.example:80"]) {
    const { head } = requestHead(`GET http://a.example/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertEquals(head.headers.get("host"), host);
  }
  const six = requestHead("GET http://[::1]:81/ HTTP/1.1\r\nHost: [::1]:81\r\n\r\n");
  assertEquals(six.head.headers.get("host"), "[::1]:81");
});

Deno.test("an empty Host field is replaced when the target is absolute and kept when it is not", () => {
  assertEquals(
    requestHead("GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n").head.headers.get("host"),
    "a.example",
  );
  assertEquals(requestHead("GET / HTTP/1.1\r\nHost:\r\n\r\n").head.host, "");
});

Deno.test("origin-form takes host and port from Host; the port is 0 where it is not said", () => {
  const { head } = requestHead("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
  assertEquals([head.host, head.port], ["::1", 8080]);
  assertEquals(requestHead("GET / HTTP/1.0\r\n\r\n").head.host, "");
});

Deno.test("CONNECT goes by its target, with any Host or none", () => {
  for (const host of ["Host: b.example\r\n", ""]) {
    const { head } = requestHead(`CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`);
    assertEquals([head.form, head.host, head.port, head.path], ["authority", "a.example", 443, ""]);
  }
});
