/**
 * A PKCS#12 file that holds one certificate and no key (RFC 7292), with the empty password: the form in which
 * Windows, iOS and Java like to be given a CA.
 * @module
 */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { bmpString, explicit0, integer, nothing, octets, oid, sequence, set } from "./der.ts";

const OID = {
  data: "1.2.840.113549.1.7.1",
  certBag: "1.2.840.113549.1.12.10.1.3",
  x509Certificate: "1.2.840.113549.1.9.22.1",
  friendlyName: "1.2.840.113549.1.9.20",
  // Java takes a certificate for a trusted one only with this attribute of Oracle's.
  trustedKeyUsage: "2.16.840.1.113894.746875.1.1",
  anyExtendedKeyUsage: "2.5.29.37.0",
  sha1: "1.3.14.3.2.26",
};
/** What OpenSSL takes; there is no secret in the file. */
const ITERATIONS = 2048;

/** Wraps a DER certificate. */
export function pkcs12(certificate: Uint8Array, friendlyName: string): Uint8Array<ArrayBuffer> {
  const bag = sequence(
    oid(OID.certBag),
    explicit0(sequence(oid(OID.x509Certificate), explicit0(octets(certificate)))),
    set(
      sequence(oid(OID.friendlyName), set(bmpString(friendlyName))),
      sequence(oid(OID.trustedKeyUsage), set(oid(OID.anyExtendedKeyUsage))),
    ),
  );
  const safe = sequence(contentInfo(sequence(bag)));
  // SHA-1, since older macOS and Windows know no other here; it guards against damage, not against people.
  const salt = randomBytes(20);
  const mac = createHmac("sha1", macKey(salt)).update(safe).digest();
  return sequence(
    integer(3),
    contentInfo(safe),
    sequence(sequence(sequence(oid(OID.sha1), nothing()), octets(mac)), octets(salt), integer(ITERATIONS)),
  );
}

function contentInfo(data: Uint8Array): Uint8Array {
  return sequence(oid(OID.data), explicit0(octets(data)));
}

/** The key derivation of RFC 7292 appendix B.2 for SHA-1, purpose 3 (MAC), and the empty password. */
function macKey(salt: Uint8Array): Uint8Array {
  const BLOCK = 64;
  // The empty password is one terminating zero character in UTF-16 (appendix B.1).
  const password = new Uint8Array(BLOCK);
  const salted = Uint8Array.from({ length: BLOCK }, (_, i) => salt[i % salt.length]);
  let hash: Uint8Array = createHash("sha1").update(new Uint8Array(BLOCK).fill(3)).update(salted).update(
    password,
  )
    .digest();
  for (let i = 1; i < ITERATIONS; i++) hash = createHash("sha1").update(hash).digest();
  return hash;
}
