import { assertEquals, assertThrows } from "@std/assert";
import { parseDnsOverride } from "../../src/options/mod.ts";

Deno.test("host=address[:port] is taken apart", () => {
  const good: [string, string, string, number | null][] = [
    ["Example.com=127.0.0.1", "example.com", "127.0.0.1", null],
    ["example.com=127.0.0.1:8443", "example.com", "127.0.0.1", 8443],
    ["example.com=::1", "example.com", "::1", null],
    ["example.com=[::1]:8443", "example.com", "::1", 8443],
    ["[2001:DB8::1]=10.0.0.1", "2001:db8::1", "10.0.0.1", null],
    ["10.0.0.1=10.0.0.2", "10.0.0.1", "10.0.0.2", null],
    ["example.com=other.example:80", "example.com", "other.example", 80],
  ];
  for (const [text, host, address, port] of good) {
    assertEquals(parseDnsOverride(text), { host, address, port });
  }
});

Deno.test("anything else is refused", () => {
  const bad = [
    "",
    "example.com",
    "=127.0.0.1",
    "example.com=",
    "example.com=:80",
    "example.com:443=127.0.0.1",
    "http://example.com=127.0.0.1",
    "example.com=http://127.0.0.1",
    "example.com=1.2.3",
    "example.com=1.2.3.4:0",
    "example.com=1.2.3.4:65536",
    "example.com=[::1",
    "example.com=[1.2.3.4]",
    "[x]=1.2.3.4",
    "a b=1.2.3.4",
  ];
  for (const text of bad) assertThrows(() => parseDnsOverride(text), SyntaxError, undefined, text);
});
