import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ipBytes, ipText } from "../../src/net/ip.ts";

Deno.test("any four or sixteen bytes come back from their text", () => {
  for (const length of [4, 16]) {
    // Zeros among them, so that there is something to shorten.
    const bytes = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: length, maxLength: length });
    fc.assert(fc.property(bytes, (all) => assertEquals([...ipBytes(ipText(Uint8Array.from(all)))!], all)));
  }
});

Deno.test("addresses are read in every spelling, and written in one", () => {
  const TEXTS = {
    "127.0.0.1": "127.0.0.1",
    "::": "::",
    "::1": "::1",
    "1::": "1::",
    "2001:DB8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "::ffff:1.2.3.4": "::ffff:102:304",
    "fe80::1%eth0": "fe80::1",
    "1:2:3:4:5:6:7:8": "1:2:3:4:5:6:7:8",
  };
  for (const [text, expected] of Object.entries(TEXTS)) assertEquals(ipText(ipBytes(text)!), expected, text);
});

Deno.test("names, and numbers that only C's inet_aton takes, are no addresses", () => {
  for (const text of ["", "localhost", "1.2.3", "0x7f.1", "1.2.3.4.5", "[::1]", "::g", "256.1.1.1"]) {
    assertEquals(ipBytes(text), null, text);
  }
  assertThrows(() => ipText(new Uint8Array(5)), RangeError);
});
