import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseMode } from "../../src/options/mode.ts";

const reverse = (scheme: "http" | "https", host: string, port: number) => ({
  kind: "reverse" as const,
  scheme,
  host,
  port,
});

Deno.test("a mode is taken apart", () => {
  const good: [string, ReturnType<typeof reverse> | { kind: "regular" }, string | null, number | null][] = [
    ["regular", { kind: "regular" }, null, null],
    ["regular@8081", { kind: "regular" }, null, 8081],
    ["regular@0.0.0.0:0", { kind: "regular" }, "0.0.0.0", 0],
    ["regular@[::1]:80", { kind: "regular" }, "::1", 80],
    ["reverse:http://example.com", reverse("http", "example.com", 80), null, null],
    ["reverse:https://example.com/", reverse("https", "example.com", 443), null, null],
    ["reverse:HTTPS://example.com:8443@127.0.0.1:9", reverse("https", "example.com", 8443), "127.0.0.1", 9],
    ["reverse:example.com:8443", reverse("https", "example.com", 8443), null, null],
    ["reverse:http://[::1]:8000@9000", reverse("http", "::1", 8000), null, 9000],
  ];
  for (const [spec, mode, listenHost, listenPort] of good) {
    assertEquals(parseMode(spec), { spec, mode, listenHost, listenPort }, spec);
  }
});

Deno.test("what is no mode is refused with the reason", () => {
  const bad: [string, string][] = [
    ["", "is not a mode"],
    ["transparent", "is not a mode"],
    ["socks5@1080", "is not a mode"],
    ["regular:x", "takes nothing after a colon"],
    ["reverse", "needs an origin"],
    ["reverse:", "needs an origin"],
    ["reverse:ftp://example.com", "needs an origin"],
    ["reverse:http://example.com/path", "needs an origin"],
    ["reverse:http://example.com:0", "0 is not a port"],
    ["reverse:http://example.com:70000", "70000 is not a port"],
    ["regular@", "[host:]port"],
    ["regular@host", "[host:]port"],
    ["regular@99999", "[host:]port"],
    ["regular@::1:80", "[host:]port"],
  ];
  for (const [spec, reason] of bad) {
    const { message } = assertThrows(() => parseMode(spec), SyntaxError, reason, spec);
    assertStringIncludes(message, JSON.stringify(spec));
  }
});
