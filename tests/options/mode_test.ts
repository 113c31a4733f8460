import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ModeSpec, parseMode, type ReverseMode } from "../../src/options/mode.ts";

const reverse = (scheme: ReverseMode["scheme"], host: string, port: number) => ({
  kind: "reverse" as const,
  scheme,
  host,
  port,
});

Deno.test("a mode is taken apart", () => {
  const good: [string, ModeSpec["mode"], string | null, number | null][] = [
    ["regular", { kind: "regular" }, null, null],
    ["regular@8081", { kind: "regular" }, null, 8081],
    ["regular@0.0.0.0:0", { kind: "regular" }, "0.0.0.0", 0],
    ["regular@[::1]:80", { kind: "regular" }, "::1", 80],
    ["reverse:http://example.com", reverse("http", "example.com", 80), null, null],
    ["reverse:https://example.com/", reverse("https", "example.com", 443), null, null],
    ["reverse:HTTPS://example.com:8443@127.0.0.1:9", reverse("https", "example.com", 8443), "127.0.0.1", 9],
    ["reverse:example.com:8443", reverse("https", "example.com", 8443), null, null],
    ["socks5@1081", { kind: "socks5" }, null, 1081],
    ["transparent@[::]:8082", { kind: "transparent" }, "::", 8082],
    ["reverse:tcp://db.example:5432@9000", reverse("tcp", "db.example", 5432), null, 9000],
    ["reverse:TLS://[::1]:993", reverse("tls", "::1", 993), null, null],
    ["reverse:http://[::1]:8000@9000", reverse("http", "::1", 8000), null, 9000],
  ];
  for (const [spec, mode, listenHost, listenPort] of good) {
    assertEquals(parseMode(spec), { spec, mode, listenHost, listenPort }, spec);
  }
});

Deno.test("what is no mode is refused with the reason", () => {
  const bad: [string, string][] = [
    ["", "is not a mode"],
    ["socks4@1080", "is not a mode"],
    ["socks5:x", "socks5 takes nothing after a colon"],
    ["transparent:x", "transparent takes nothing after a colon"],
    ["regular:x", "takes nothing after a colon"],
    ["reverse", "needs an origin"],
    ["reverse:", "needs an origin"],
    ["reverse:ftp://example.com", "an origin of http, https, tcp, tls, and not of ftp"],
    ["reverse:tcp://example.com", "needs a port, as in reverse:tcp://example.com:5432"],
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

const upstream = (
  scheme: "http" | "https" | "socks5",
  host: string,
  port: number,
  credentials: [string, string] | null = null,
) => ({
  kind: "upstream" as const,
  proxy: {
    scheme,
    host,
    port,
    credentials: credentials && { username: credentials[0], password: credentials[1] },
  },
});

Deno.test("an upstream proxy, its credentials, and the place to listen are told apart", () => {
  const good: [string, ReturnType<typeof upstream>, string | null, number | null, string?][] = [
    ["upstream:proxy", upstream("http", "proxy", 80), null, null],
    ["upstream:proxy.example:3128", upstream("http", "proxy.example", 3128), null, null],
    ["UPSTREAM:HTTPS://proxy/", upstream("https", "proxy", 443), null, null],
    ["upstream:socks5://[::1]", upstream("socks5", "::1", 1080), null, null],
    ["upstream:socks5h://tor:9050", upstream("socks5", "tor", 9050), null, null],
    ["upstream:http://proxy:3128@8081", upstream("http", "proxy", 3128), null, 8081],
    ["upstream:http://proxy:3128/@127.0.0.1:8081", upstream("http", "proxy", 3128), "127.0.0.1", 8081],
    ["upstream:http://[::1]:3128@[::1]:8080", upstream("http", "::1", 3128), "::1", 8080],
    [
      "upstream:http://u:p@host:3128",
      upstream("http", "host", 3128, ["u", "p"]),
      null,
      null,
      "upstream:http://***@host:3128",
    ],
    [
      "upstream:u:p@host:3128",
      upstream("http", "host", 3128, ["u", "p"]),
      null,
      null,
      "upstream:***@host:3128",
    ],
    [
      "upstream:http://u%40x:p%2Fq%25:r@host",
      upstream("http", "host", 80, ["u@x", "p/q%:r"]),
      null,
      null,
      "upstream:http://***@host",
    ],
    [
      "upstream:http://u:p@host:3128@8081",
      upstream("http", "host", 3128, ["u", "p"]),
      null,
      8081,
      "upstream:http://***@host:3128@8081",
    ],
    [
      "upstream:http://u:p@host:3128@[::]:0",
      upstream("http", "host", 3128, ["u", "p"]),
      "::",
      0,
      "upstream:http://***@host:3128@[::]:0",
    ],
    ["upstream:http://@host:1", upstream("http", "host", 1), null, null, "upstream:http://***@host:1"],
  ];
  for (const [spec, mode, listenHost, listenPort, shown = spec] of good) {
    assertEquals(parseMode(spec), { spec: shown, mode, listenHost, listenPort }, spec);
  }
});

Deno.test("what could be a proxy with credentials or a place to listen is refused, and the message has no password", () => {
  const bad: [string, string][] = [
    ["upstream:http://u:80@host:3128", "upstream_auth"],
    ["upstream:http://secret@host:3128", "upstream_auth"],
    ["upstream:http://proxy:3128@127.0.0.1:8081", "upstream_auth"],
    ["upstream:http://u:secret@host:3128@lan.example:8081", "upstream_auth"],
    ["upstream:http://u:p@secret@host:3128", "upstream_auth"],
    ["upstream:", "needs a proxy"],
    ["upstream", "needs a proxy"],
    ["upstream:ftp://u:secret@host", "http, https or socks5"],
    ["upstream:http://u:secret@host:99999", "99999 is not a port"],
    ["upstream:http://u:secret@host:0", "0 is not a port"],
    ["upstream:http://u:secret%zz@host", "%25"],
    ["upstream:http://u:secret%0a@host", "control character"],
    ["upstream:http://u%3a:secret@host", "colon"],
    ["upstream:http://u:secret/x@host", "is no address of a proxy"],
    ["upstream:http://host/path", "is no address of a proxy"],
    ["upstream:http://[::1", "is no address of a proxy"],
    ["upstream:http://[1::2::3]", "is no address of a proxy"],
    ["upstream:http://8081", "is not a host"],
    ["upsteam:http://u:secret@host", "is not a mode"],
  ];
  for (const [spec, reason] of bad) {
    const { message } = assertThrows(() => parseMode(spec), SyntaxError, reason, spec);
    assertEquals(message.includes("secret"), false, message);
  }
});
