/** Certificates in PEM. @module */
import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { certificateFromPem, certificateToPem } from "../../src/tls/mod.ts";
import { serverCertificate } from "../e2e/support/certs.ts";

Deno.test("a certificate comes back from PEM as it went in, in lines of 64 characters", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), (der) => {
    const pem = certificateToPem(der);
    assertEquals(certificateFromPem(pem), der);
    assertMatch(pem, /^-----BEGIN CERTIFICATE-----\n(?:.{64}\n)*.{1,64}\n-----END CERTIFICATE-----\n$/);
  }));
});

Deno.test("what other programs write is read, the first of several; anything else is none", async () => {
  const { cert } = await serverCertificate();
  const der = certificateFromPem(`text before\n${cert}${certificateToPem(Uint8Array.of(1))}`);
  assertEquals(der?.[0], 0x30);
  for (
    const text of [
      "",
      "-----BEGIN CERTIFICATE-----",
      "-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----",
    ]
  ) {
    assertEquals(certificateFromPem(text), null);
  }
});
