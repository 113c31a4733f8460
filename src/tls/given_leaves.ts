/**
 * Certificates that were given for hosts, in place of those that weir would make (mitmproxy `certs.py`, `CertStore`).
 * @module
 */
import type { KeyObject } from "node:crypto";
import tls from "node:tls";
import { namesOfCertificate } from "./identity.ts";
import { parseKeyPair, tlsKeyPem } from "./key_pair.ts";
import type { Leaf } from "./leaf.ts";

/** One given certificate. */
export interface GivenCertificate {
  /** A name, an IP address, `*.` with a name, or `*` for all hosts; lower case. */
  readonly domain: string;
  readonly pem: string;
}

/** What all of them have in common. */
export interface GivenOptions {
  readonly passphrase: string | null;
  /** The key of certificates that come without one. */
  readonly otherKey: KeyObject;
}

/** The given certificates, by the names that they are for. */
export class GivenLeaves {
  readonly #byName = new Map<string, Leaf>();

  /** Of two for one name the later counts. @throws {Error} with half a sentence when it cannot be used. */
  add({ domain, pem }: GivenCertificate, { passphrase, otherKey }: GivenOptions): void {
    const pair = parseKeyPair(pem, { passphrase, otherKey });
    const key = tlsKeyPem(pair), cert = pair.certificates.join("\n") + "\n";
    const names = namesOfCertificate(pair.certificate.raw);
    const notAfter = Date.parse(pair.certificate.validTo);
    const leaf: Leaf = { names, cert, key, notAfter, context: tls.createSecureContext({ key, cert }) };
    // As in mitmproxy, it is shown for the names in it, too.
    for (const name of [...names, domain]) this.#byName.set(name.toLowerCase(), leaf);
  }

  /** The one for the first of these names that has any: for itself, for all below a name that it is below, or for all. */
  find(names: readonly string[]): Leaf | null {
    for (const name of names) {
      for (const pattern of patternsFor(name)) {
        const leaf = this.#byName.get(pattern);
        if (leaf !== undefined) return leaf;
      }
    }
    return this.#byName.get("*") ?? null;
  }
}

/** `a.b.test`, `*.b.test`, `*.test`. */
function* patternsFor(name: string): Generator<string> {
  const plain = name.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
  yield plain;
  for (let at = plain.indexOf("."); at >= 0; at = plain.indexOf(".", at + 1)) yield `*${plain.slice(at)}`;
}
