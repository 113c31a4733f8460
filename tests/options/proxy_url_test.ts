import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseCredentials, parseProxyUrl, proxyUrl, withoutCredentials } from "../../src/options/mod.ts";

const RUNS = { numRuns: Number(Deno.env.get("WEIR_TEST_RUNS") ?? 200) };

Deno.test("the address of a proxy is taken apart, with defaults for scheme and port", () => {
  const good: [string, string, [string, string] | null][] = [
    ["proxy", "http://proxy:80", null],
    ["http://proxy:3128/", "http://proxy:3128", null],
    ["HTTPS://proxy", "https://proxy:443", null],
    ["socks5://proxy", "socks5://proxy:1080", null],
    ["socks5h://proxy", "socks5://proxy:1080", null],
    ["[2001:db8::1]:8080", "http://[2001:db8::1]:8080", null],
    ["http://127.0.0.1", "http://127.0.0.1:80", null],
    ["http://u@proxy", "http://proxy:80", ["u", ""]],
    ["http://u:@proxy", "http://proxy:80", ["u", ""]],
    ["http://u:p:q@proxy:1", "http://proxy:1", ["u", "p:q"]],
    ["http://%c3%bc:%40%3A%25@proxy", "http://proxy:80", ["ü", "@:%"]],
  ];
  for (const [text, url, credentials] of good) {
    const parsed = parseProxyUrl(text);
    assertEquals([
      proxyUrl(parsed),
      parsed.credentials && [parsed.credentials.username, parsed.credentials.password],
    ], [
      url,
      credentials,
    ]);
  }
});

Deno.test("what is no address of a proxy is refused", () => {
  for (
    const text of [
      "",
      "http://",
      "ftp://proxy",
      "socks4://proxy",
      "http://proxy/path",
      "http://proxy?x",
      "http://proxy:0",
      "http://proxy:65536",
      "http://proxy:x",
      "http://a b",
      "http://[::1",
      "http://[x]",
      "http://[1.2.3.4]",
      "http://3128",
      "http://u:%@proxy",
      "http://u:%0d%0a@proxy",
      "http://u:p@",
      "http://u@v@proxy",
    ]
  ) assertThrows(() => parseProxyUrl(text), SyntaxError, undefined, text);
});

Deno.test("whatever the user and password are, no message and no address that is shown has them", () => {
  const word = fc.string({ minLength: 8, maxLength: 20, unit: "binary-ascii" }).filter((text) =>
    !/[\s]/.test(text)
  );
  const scheme = fc.constantFrom("http://", "https://", "socks5://", "ftp://", "");
  const place = fc.constantFrom("proxy", "proxy:1", "proxy:99999", "", "[::1]", "a b", "proxy/x");
  fc.assert(
    fc.property(scheme, word, word, place, fc.boolean(), (scheme, user, password, place, isEncoded) => {
      const [given, secret] = isEncoded ? [encodeURIComponent(password), password] : [password, password];
      const text = `${scheme}${encodeURIComponent(user)}:${given}@${place}`;
      assertEquals(withoutCredentials(text).includes(given), place.includes(given));
      try {
        assertEquals(proxyUrl(parseProxyUrl(text)).includes(secret), false);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        assertEquals(
          [error.message.includes(secret), error.message.includes(given)],
          [false, false],
          error.message,
        );
      }
    }),
    RUNS,
  );
});

Deno.test("an address is read as it is shown", () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  const scheme = fc.constantFrom("http" as const, "https" as const, "socks5" as const);
  fc.assert(
    fc.property(scheme, host, fc.integer({ min: 1, max: 65535 }), (scheme, host, port) => {
      const proxy = { scheme, host, port, credentials: null };
      assertEquals(parseProxyUrl(proxyUrl(proxy)), proxy);
    }),
    RUNS,
  );
});

Deno.test("credentials are a name, a colon and a password that may have more of them", () => {
  assertEquals(parseCredentials("u:p:w"), { username: "u", password: "p:w" });
  assertEquals(parseCredentials("u:"), { username: "u", password: "" });
  for (const text of ["", "secret", ":secret", "u:\n"]) {
    const { message } = assertThrows(() => parseCredentials(text), SyntaxError);
    assertEquals(message.includes("secret"), false);
  }
});
