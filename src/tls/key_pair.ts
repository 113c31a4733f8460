/**
 * Certificates with their private key in one PEM text (RFC 7468), as people keep them: the key in front or behind, plain or
 * encrypted (RFC 5958, RFC 1421), the chain in any order.
 * @module
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { messageOf } from "../errors.ts";

/** What a PEM text holds. */
export interface KeyPair {
  /** PEM of the certificates, that of the key first. */
  readonly certificates: readonly string[];
  /** The first of them. */
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** What {@linkcode parseKeyPair} is told besides. */
export interface KeyPairOptions {
  /** Opens an encrypted key. */
  readonly passphrase?: string | null;
  /** The key where there is none in the text. */
  readonly otherKey?: KeyObject;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PEM_KEY = /-----BEGIN (?:RSA |EC |ENCRYPTED |)PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/;

/** Takes a PEM text apart. @throws {Error} with half a sentence about it; never with anything of the key or passphrase. */
export function parseKeyPair(pem: string, { passphrase, otherKey }: KeyPairOptions = {}): KeyPair {
  const keyPem = PEM_KEY.exec(pem)?.[0];
  const certificates: string[] = pem.match(PEM_CERTIFICATE) ?? [];
  if (keyPem === undefined && otherKey === undefined) throw new Error("there is no private key in it");
  if (certificates.length === 0) throw new Error("there is no certificate in it");
  const key = keyPem === undefined ? otherKey! : openKey(keyPem, passphrase ?? null);
  const parsed = certificates.map((certificate) => new X509Certificate(certificate));
  const spki = spkiOf(createPublicKey(key));
  const at = parsed.findIndex(({ publicKey }) => spkiOf(publicKey) === spki);
  if (at < 0) {
    throw new Error(
      keyPem === undefined
        ? "there is no private key in it, and weir's CA's is not that of its certificate"
        : "its key does not belong to its certificate",
    );
  }
  return {
    certificates: [certificates[at], ...certificates.filter((_, i) => i !== at)],
    certificate: parsed[at],
    key,
  };
}

function openKey(pem: string, passphrase: string | null): KeyObject {
  if (!pem.includes("ENCRYPTED")) return createPrivateKey(pem);
  if (passphrase === null) throw new Error("its key is encrypted: set cert_passphrase");
  try {
    return createPrivateKey({ key: pem, format: "pem", passphrase });
  } catch (thrown) {
    throw new Error(
      /unsupported/.test(messageOf(thrown))
        ? "its key is encrypted in a way that Deno does not know (openssl pkcs8 -topk8 encrypts it with AES)"
        : "cert_passphrase does not open its key",
    );
  }
}

function spkiOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}

/** Curves that Deno's TLS can sign with. */
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
/** Bits of an RSA key that it accepts at least. */
const MIN_RSA_BITS = 2048;

/** The key as PEM, not encrypted, for a TLS session. @throws {Error} with half a sentence when Deno's TLS cannot use it. */
export function tlsKeyPem({ key }: KeyPair): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType ?? "none";
  const isUsable = type === "ed25519" || (type === "rsa" && (modulusLength ?? 0) >= MIN_RSA_BITS) ||
    (type === "ec" && CURVES.has(namedCurve ?? ""));
  if (!isUsable) {
    const kind = type === "rsa" ? `RSA with ${modulusLength} bits` : namedCurve ?? type;
    throw new Error(
      `its key (${kind}) cannot be used: Deno's TLS takes RSA from ${MIN_RSA_BITS} bits, P-256, P-384, P-521 and Ed25519`,
    );
  }
  return String(key.export({ type: "pkcs8", format: "pem" }));
}
