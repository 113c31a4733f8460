/**
 * A certificate authority for the tests' own origins, made once per test file, and leaf certificates from it.
 * @module
 */
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 24 * 60 * 60 * 1000;

/** What a TLS listener needs. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

interface Authority {
  readonly pem: string;
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

let authority: Promise<Authority> | null = null;

/** PEM of the tests' authority. */
export async function originCa(): Promise<string> {
  return (await (authority ??= makeAuthority())).pem;
}

/** A certificate for `names` from {@linkcode originCa}, valid now unless `expired`. */
export async function serverCertificate(
  names: string[] = ["localhost", "127.0.0.1"],
  { expired = false } = {},
): Promise<ServerCertificate> {
  const { certificate, keys: signer } = await (authority ??= makeAuthority());
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair;
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=${names[0]}, O=Origin of the tests`,
    issuer: certificate.subject,
    notBefore: new Date(Date.now() - 30 * DAY),
    notAfter: new Date(Date.now() + (expired ? -DAY : DAY)),
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: /^[\d.]+$/.test(value) ? "ip" as const : "dns" as const, value })),
      ),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ],
  });
  return { cert: leaf.toString("pem"), key: await keyPem(keys) };
}

async function makeAuthority(): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: "CN=Origins of weir's tests",
    notBefore: new Date(Date.now() - 30 * DAY),
    notAfter: new Date(Date.now() + DAY),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return { pem: certificate.toString("pem"), certificate, keys };
}

function serial(): string {
  return "01" + crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

async function keyPem(keys: CryptoKeyPair): Promise<string> {
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const base64 = btoa(String.fromCharCode(...der)).replace(/.{64}/g, "$&\n");
  return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
}
