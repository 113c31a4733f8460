import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { agrees, authorityOf, defaultPort, parseAuthority } from "../../src/http/authority.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

Deno.test("ports that a scheme implies, and authorities without them", () => {
  assertEquals([defaultPort("http"), defaultPort("https"), defaultPort("")], [80, 443, 0]);
  assertEquals(
    [
      authorityOf("a", 0, ""),
      authorityOf("a", 80, "http"),
      authorityOf("a", 80, ""),
      authorityOf("::1", 1, "http"),
      authorityOf("[::1]", 80, "http"),
    ],
    ["a", "a", "a:80", "[::1]:1", "[::1]"],
  );
});

Deno.test("an authority is a host with or without a port, which may be empty", () => {
  const cases: [string, string, number][] = [
    ["a.example", "a.example", 0],
    ["A.example:", "A.example", 0],
    ["a_b.example:08080", "a_b.example", 8080],
    ["[::1]", "::1", 0],
    ["[::ffff:127.0.0.1]:65535", "::ffff:127.0.0.1", 65535],
  ];
  for (const [text, host, port] of cases) assertEquals(parseAuthority(text), { host, port }, text);
});

// deno-fmt-ignore
const NONE = [
  "", ":", ":80", "a:0", "a:00000", "a:65536", "a:000080", "a:-1", "a:+80", "a:8e1", "a:0x50", "a: 80", "a:80:81", "a b",
  "a,b", "a, b", "me@a", "me:secret@a", "a/b", "a?b", "a#b", "a\\b", "a\tb", "a\r\nb", "a\0", "\u{e9}.example", "::1", "[::1", "::1]",
  "[]", "[a]", "[127.0.0.1]", "[::1]x", "[::1%eth0]", "x[::1]", "<a>", '"a"', "{a}", "a|b", "a^b", "a`b",
];
Deno.test("whatever else is no authority", () => {
  for (const text of NONE) assertEquals(parseAuthority(text), null, JSON.stringify(text));
});

/** Text in which the characters that matter come often. */
const authorityLike = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.array(fc.constantFrom(..."aB1.-_~%!,:@[]/\\?# \t0"), { maxLength: 12 }).map((all) => all.join("")),
  fc.tuple(
    fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6().map((ip) => `[${ip}]`)),
    fc.integer({ min: -1, max: 70_000 }),
  ).map(([host, port]) => `${host}:${port}`),
);

Deno.test("what is taken for an authority says the same to a URL parser, and when it is written again", () => {
  fc.assert(fc.property(authorityLike, (text) => {
    const authority = parseAuthority(text);
    if (authority === null) return;
    const { host, port } = authority;
    assertEquals(parseAuthority(authorityOf(host, port, "")), authority);
    if (!URL.canParse(`http://${text}/`)) return;
    const url = new URL(`http://${text}/`);
    assertEquals([url.username, url.password, url.pathname, url.search, url.hash], ["", "", "/", "", ""]);
    assertEquals(Number(url.port) || 80, port || 80);
    assertEquals(url.hostname, new URL(`http://${authorityOf(host, 0, "")}/`).hostname);
  }));
});

Deno.test("every host and port that is written is read as what it was", () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
    assertEquals(parseAuthority(authorityOf(host, port, "")), { host, port });
  }));
});

Deno.test("authorities agree when host and port are the same, the scheme's own port left out or not", () => {
  const target = { host: "A.example", port: 443 };
  assertEquals(
    ["a.EXAMPLE", "a.example:443", "a.example:80", "b.example"].map((text) =>
      agrees(parseAuthority(text)!, target, "https")
    ),
    [true, true, false, false],
  );
});
