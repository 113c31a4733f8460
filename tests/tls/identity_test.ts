import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isCertificateFor, namesText } from "../../src/tls/identity.ts";
import * as der from "../../src/tls/der.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const dns = (name: string) => der.element(0x82, ascii(name));
const ip = (...bytes: number[]) => der.element(0x87, Uint8Array.from(bytes));
const uri = (text: string) => der.element(0x86, ascii(text));

/** As much of a certificate as has names in it: a common name in its subject, and a subjectAltName unless it is null. */
function certificate(names: Uint8Array[] | null, commonName = "foo.a.test"): Uint8Array {
  const subject = der.sequence(
    der.set(der.sequence(der.oid("2.5.4.3"), der.element(0x0c, ascii(commonName)))),
  );
  const extensions = [
    der.sequence(der.oid("2.5.29.19"), der.element(0x01, Uint8Array.of(255)), der.octets(der.sequence())),
    ...names === null ? [] : [
      der.sequence(
        der.oid("2.5.29.17"),
        der.element(0x01, Uint8Array.of(255)),
        der.octets(der.sequence(...names)),
      ),
    ],
  ];
  return der.sequence(
    der.sequence(
      der.explicit0(der.integer(2)),
      der.integer(1),
      der.sequence(),
      subject,
      der.element(0xa3, der.sequence(...extensions)),
    ),
    der.sequence(),
  );
}

const LOOPBACK6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/** RFC 9525 §6, and what curl makes of wildcards right below the root. */
const CASES: [what: string, names: Uint8Array[] | null, host: string, accepted: boolean][] = [
  ["its name", [dns("foo.a.test")], "foo.a.test", true],
  ["one of its names", [dns("bar.a.test"), uri("https://b.test"), dns("foo.a.test")], "foo.a.test", true],
  ["another name", [dns("bar.a.test")], "foo.a.test", false],
  ["another case", [dns("FOO.a.TEST")], "foo.A.test", true],
  ["the root's dot in the host", [dns("foo.a.test")], "foo.a.test.", true],
  ["the root's dot in the name", [dns("foo.a.test.")], "foo.a.test", false],
  ["the common name alone", null, "foo.a.test", false],
  ["the common name beside another name", [dns("bar.a.test")], "foo.a.test", false],
  ["the common name beside a URI", [uri("https://b.test")], "foo.a.test", false],
  ["the common name beside an address", [ip(10, 0, 0, 1)], "foo.a.test", false],
  ["the common name beside no name at all", [], "foo.a.test", false],
  ["a host in a URI", [uri("https://foo.a.test")], "foo.a.test", false],
  ["a wildcard", [dns("*.a.test")], "foo.a.test", true],
  ["a wildcard in another case", [dns("*.A.test")], "foo.a.TEST", true],
  ["a wildcard and its own domain", [dns("*.a.test")], "a.test", false],
  ["a wildcard and an empty label", [dns("*.a.test")], ".a.test", false],
  ["a wildcard and two labels", [dns("*.a.test")], "x.foo.a.test", false],
  ["a wildcard behind letters", [dns("f*.a.test")], "foo.a.test", false],
  ["a wildcard before letters", [dns("*o.a.test")], "foo.a.test", false],
  ["a wildcard in the second label", [dns("foo.*.test")], "foo.a.test", false],
  ["two wildcards", [dns("*.*.test")], "foo.a.test", false],
  ["a wildcard alone", [dns("*")], "localhost", false],
  ["a wildcard below the root", [dns("*.test")], "a.test", false],
  ["a NUL in the name", [dns("foo.a.test\0.b.test")], "foo.a.test", false],
  ["an address", [ip(10, 0, 0, 1)], "10.0.0.1", true],
  ["another address", [ip(10, 0, 0, 1)], "10.0.0.2", false],
  ["an address as a name", [dns("10.0.0.1")], "10.0.0.1", false],
  ["an address and a wildcard", [dns("*.0.0.1")], "10.0.0.1", false],
  ["an IPv6 address", [ip(...LOOPBACK6)], "::1", true],
  ["an IPv6 address in full", [ip(...LOOPBACK6)], "0:0:0:0:0:0:0:1", true],
  ["another IPv6 address", [ip(...LOOPBACK6)], "::2", false],
  ["an address of three bytes", [ip(10, 0, 0)], "10.0.0.0", false],
];

for (const [what, names, host, accepted] of CASES) {
  Deno.test(`a certificate ${accepted ? "is" : "is not"} for a host by ${what}`, () => {
    assertEquals(isCertificateFor(certificate(names), host), accepted);
  });
}

Deno.test("what is cut or broken has no more names than are whole, and never throws", () => {
  const whole = certificate([dns("foo.a.test")]);
  for (let cut = 0; cut < whole.length; cut++) {
    assertEquals(isCertificateFor(whole.subarray(0, cut), "foo.a.test"), false, `cut at ${cut}`);
  }
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const broken = whole.slice();
      broken[at] = byte;
      isCertificateFor(broken, "foo.a.test");
      isCertificateFor(broken, "10.0.0.1");
    }),
    { seed: 9525 },
  );
  assertEquals(isCertificateFor(new Uint8Array(0), "foo.a.test"), false);
});

Deno.test("names in words", () => {
  const text = namesText(certificate([dns("*.a.test"), ip(10, 0, 0, 1), ip(...LOOPBACK6)]));
  assertEquals(text, "*.a.test, 10.0.0.1, 0:0:0:0:0:0:0:1");
});
