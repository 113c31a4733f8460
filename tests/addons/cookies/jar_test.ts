/** The jar: its rules one by one, and beside tough-cookie, which others use. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { CookieJar as ToughJar } from "tough-cookie";
import { CookieJar, type CookieTarget } from "../../../addons/cookies/jar.ts";
import { parseCookieDate } from "../../../addons/cookies/date.ts";

const RUNS = { numRuns: Number(Deno.env.get("WEIR_TEST_RUNS") ?? 200) };
const NOW = Date.UTC(2026, 10, 28, 12);

function target(url: string): CookieTarget {
  const { protocol, hostname, port, pathname, search } = new URL(url);
  const scheme = protocol.slice(0, -1);
  return {
    scheme,
    host: hostname,
    port: Number(port) || (scheme === "https" ? 443 : 80),
    path: pathname + search,
  };
}

function sent(fields: readonly string[], from: string, to: string, now = NOW): string {
  const jar = new CookieJar();
  for (const field of fields) jar.set(field, target(from), NOW);
  return jar.get(target(to), now).map(({ name, value }) => `${name}=${value}`).join("; ");
}

const FROM = "http://www.a.example/docs/page?x=/y/";

const CASES: [what: string, fields: string[], to: string, expected: string][] = [
  ["the same host and folder", ["a=1"], "http://www.a.example/docs/other", "a=1"],
  ["the folder itself", ["a=1"], "http://www.a.example/docs", "a=1"],
  ["a folder whose name begins alike", ["a=1"], "http://www.a.example/docs2", ""],
  ["another folder", ["a=1"], "http://www.a.example/", ""],
  ["a path that is named", ["a=1; Path=/"], "http://www.a.example/x", "a=1"],
  ["a path that is none", ["a=1; Path=docs"], "http://www.a.example/docs/", "a=1"],
  ["the query is no path", ["a=1; Path=/x"], "http://www.a.example/?/x", ""],
  ["a host below", ["a=1; path=/"], "http://b.www.a.example/", ""],
  ["a host below, with a domain", ["a=1; path=/; domain=www.a.example"], "http://b.www.a.example/", "a=1"],
  ["a host beside, with a domain", ["a=1; path=/; DOMAIN=.a.example"], "http://b.A.example/", "a=1"],
  ["the domain itself", ["a=1; path=/; domain=a.example"], "http://a.example/", "a=1"],
  ["a domain that ends alike", ["a=1; path=/; domain=a.example"], "http://ba.example/", ""],
  ["a domain that is not the host's", ["a=1; path=/; domain=b.example"], "http://b.example/", ""],
  ["a domain below the host", ["a=1; path=/; domain=b.www.a.example"], "http://b.www.a.example/", ""],
  ["a domain without a dot", ["a=1; path=/; domain=example"], "http://www.a.example/", ""],
  ["another port", ["a=1; path=/"], "http://www.a.example:81/", ""],
  ["secure, to http", ["a=1; path=/; secure"], "http://www.a.example/", ""],
  ["secure, to https on the same port", ["a=1; path=/; secure"], "https://www.a.example:80/", "a=1"],
  ["no name", ["=1", "1", ";", ""], FROM, ""],
  ["blanks, and = in the value", [' a  = "b = c" ;x'], FROM, 'a="b = c"'],
  ["an empty value", ["a="], FROM, "a="],
  ["the last of the same name", ["a=1", "b=2", "a=3"], FROM, "a=3; b=2"],
  ["longer paths first", ["a=1; path=/", "b=2", "c=3; path=/docs/page"], FROM, "c=3; b=2; a=1"],
  ["expired", ["a=1; expires=Sat, 28 Nov 2026 11:59:59 GMT", "b=1; max-age=0", "c=1; max-age=-5"], FROM, ""],
  ["not yet", ["a=1; expires=Sat, 28 Nov 2026 12:00:01 GMT", "b=1; max-age=1"], FROM, "a=1; b=1"],
  ["max-age before expires", ["a=1; max-age=9; expires=Sat, 28 Nov 2020 12:00:01 GMT"], FROM, "a=1"],
  ["a date or age that is none", ["a=1; expires=soon", "b=1; max-age=1.5"], FROM, "a=1; b=1"],
  ["taken back", ["a=1", "a=2; max-age=0"], FROM, ""],
  ["taken back at another path", ["a=1", "a=2; path=/; max-age=0"], FROM, "a=1"],
  ["longer than what is kept", [`a=${"x".repeat(10_000)}`, "b=1"], FROM, "b=1"],
];

Deno.test("who is sent what: hosts, ports, paths, expiry, secure", () => {
  for (const [what, fields, to, expected] of CASES) assertEquals(sent(fields, FROM, to), expected, what);
});

Deno.test("an address is no domain", () => {
  const fields = ["a=1; domain=10.0.0.1", "b=1; domain=0.0.1", "c=1"];
  assertEquals(sent(fields, "http://10.0.0.1/", "http://10.0.0.1/"), "a=1; c=1");
  assertEquals(sent(fields, "http://10.0.0.1/", "http://11.10.0.0.1.example/"), "");
  assertEquals(sent(["a=1"], "http://[::1]/", "http://[::1]/"), "a=1");
});

Deno.test("what expires while it is kept is not sent, and no longer kept", () => {
  const jar = new CookieJar(), there = target(FROM);
  jar.set("a=1; max-age=10", there, NOW);
  jar.set("b=1", there, NOW);
  assertEquals(jar.get(there, NOW + 9_999).map(({ name }) => name), ["a", "b"]);
  assertEquals(jar.get(there, NOW + 10_000).map(({ name }) => name), ["b"]);
  assertEquals(jar.size, 1);
});

Deno.test("3000 cookies are kept, those that were set last", () => {
  const jar = new CookieJar();
  for (let i = 0; i < 10_000; i++) jar.set(`a${i % 5000}=${i}`, target(`http://h${i % 100}.example/`), NOW);
  assertEquals(jar.size, 3000);
  assertEquals(jar.get(target("http://h99.example/"), NOW).length, 30);
});

Deno.test("dates in every way that RFC 6265 reads, and none besides", () => {
  const expected = Date.UTC(2026, 10, 28, 9, 5, 7);
  const good = [
    "Sat, 28 Nov 2026 09:05:07 GMT",
    "Saturday, 28-Nov-26 09:05:07 GMT",
    "Sat Nov 28 09:05:07 2026",
    "28 nov 2026 9:5:7",
    "2026 28 november 09:05:07Z",
    "09:05:07 28th NOV 2026",
    "Sat, 28-Nov-2026 09:05:07 +0200",
  ];
  for (const text of good) assertEquals(parseCookieDate(text), expected, text);
  const bad = ["", "Sat, 28 Nov 2026", "28 Nov 1600 00:00:00", "31 Feb 2026 00:00:00", "0 Nov 2026 00:00:00"];
  bad.push(
    "32 Nov 2026 00:00:00",
    "28 Nov 2026 24:00:00",
    "28 Nov 2026 00:60:00",
    "28 Nov 2026 00:00:60",
    "28 Foo 2026 1:1:1",
  );
  for (const text of bad) assertEquals(parseCookieDate(text), null, text);
  assertEquals(parseCookieDate("1 Jan 69 00:00:00"), Date.UTC(2069, 0, 1));
  assertEquals(parseCookieDate("1 Jan 70 00:00:00"), 0);
});

Deno.test("the same as tough-cookie, whatever is set where", async () => {
  const host = fc.constantFrom("a.example", "b.a.example", "c.b.a.example", "z.example", "10.0.0.1");
  const path = fc.constantFrom("/", "/x", "/x/", "/x/y", "/xy", "/x/y/z?q=/a");
  const url = fc.tuple(fc.constantFrom("http", "https"), host, path).map(([scheme, host, path]) =>
    `${scheme}://${host}${path}`
  );
  const attribute = fc.oneof(
    host.map((domain) => `Domain=${domain}`),
    host.map((domain) => ` domain = .${domain}`),
    path.filter((path) => !path.includes("?")).map((path) => `Path=${path}`),
    fc.constantFrom(
      "Secure",
      "HttpOnly",
      "Max-Age=100",
      "max-age=-1",
      "Max-Age=x",
      "path=x",
      "domain",
      "SameSite=Lax",
    ),
    fc.constantFrom(
      "Expires=Wed, 01 Jan 2070 00:00:00 GMT",
      "expires=Thu, 01-Jan-70 00:00:00 GMT",
      "Expires=0",
    ),
  );
  const field = fc.tuple(
    fc.constantFrom("a", "b", "a b"),
    fc.constantFrom("1", " 2 ", "x=y"),
    fc.array(attribute, { maxLength: 4 }),
  )
    .map(([name, value, attributes]) => [`${name}=${value}`, ...attributes].join(";"));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(field, url), { maxLength: 12 }), fc.array(url), async (set, urls) => {
      const jar = new CookieJar(), tough = new ToughJar(null, { rejectPublicSuffixes: false });
      for (const [field, anyhow] of set) {
        // It takes secure cookies from https alone, as the draft that is to replace RFC 6265 says.
        const from = /;Secure/.test(field) ? anyhow.replace("http:", "https:") : anyhow;
        jar.set(field, { ...target(from), port: 1 });
        await tough.setCookie(field, from, { ignoreError: true });
      }
      // It lets expired ones hold the place of later ones: the order is compared by other tests.
      const sorted = (pairs: string) => pairs.split("; ").sort();
      for (const to of urls) {
        const ours = jar.get({ ...target(to), port: 1 }).map(({ name, value }) => `${name}=${value}`).join(
          "; ",
        );
        const theirs = await tough.getCookieString(to);
        assertEquals(sorted(ours), sorted(theirs), `${to} after ${JSON.stringify(set)}`);
      }
    }),
    RUNS,
  );
});
