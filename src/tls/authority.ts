/**
 * The certificate authority (RFC 5280): made on first use, kept in `confdir`, trusted by whoever uses weir.
 *
 * Its key is ECDSA P-256: everything that speaks TLS 1.2 accepts it, it signs a leaf about twenty times as fast as
 * RSA 2048, and keeps handshakes small. A CA of mitmproxy's or OpenSSL's, RSA or EC, put in as `weir-ca.pem` is
 * used as it is; so is mitmproxy's under its own name, in a directory without one of weir's.
 * @module
 */
import type { KeyObject } from "node:crypto";
import { messageOf, WeirError } from "../errors.ts";
import { type KeyPair, parseKeyPair } from "./key_pair.ts";
import { pkcs12 } from "./pkcs12.ts";

/** What signs leaf certificates. */
export interface CertificateAuthority {
  /** PEM of the CA's certificate, and of those above it if the file has any. */
  readonly chainPem: string;
  /** DER of the CA's certificate. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  readonly key: CryptoKey;
  readonly algorithm: EcdsaParams | AlgorithmIdentifier;
  /** The same key, for certificates that were made with it by others. */
  readonly privateKey: KeyObject;
  /** The file with the key, or the variable. */
  readonly path: string;
  /** Where `weir-ca-cert.pem` is. */
  readonly certificatePath: string;
}

const NAME = "weir";
/** Ten years: long enough that nobody has to install it twice on a device. */
const VALID_DAYS = 3650;
/** Days before now from which it is valid: clients' clocks are off. */
export const CLOCK_SKEW_DAYS = 2;
export const DAY = 86_400_000;

/** A CA's certificate and key, and where they are from, for messages. */
export interface GivenAuthority {
  readonly path: string;
  readonly pem: string;
}

/**
 * Loads the CA in `confdir`, or makes it; several processes that do so at once end up with the same one. `passphrase` is for
 * one whose key is encrypted. One that is `given` counts more, and then `confdir` need not be writable.
 */
export async function loadAuthority(
  confdir: string,
  passphrase: string | null = null,
  given: GivenAuthority | null = null,
): Promise<CertificateAuthority> {
  const { path, pem } = given ?? await find(confdir);
  const authority = await parse(pem, path, `${confdir}/weir-ca-cert.pem`, passphrase);
  if (given === null) await publish(confdir, authority);
  else {
    await Deno.mkdir(confdir, { recursive: true, mode: 0o700 }).catch(() => {});
    await publish(confdir, authority).catch(() => {});
  }
  return authority;
}

/** A sentence when others than its owner may read or write the CA's key: they can pose as any host. Else null. */
export async function warningOfKey({ path }: CertificateAuthority): Promise<string | null> {
  // One out of a variable is no file, and there are no modes on Windows.
  const mode = await Deno.stat(path).then((file) => file.mode, () => null);
  if (mode === null || (mode & 0o077) === 0) return null;
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  return `The CA's private key is open to others on this machine (${path} has mode ${octal}): chmod 600 ${path}`;
}

async function find(confdir: string): Promise<{ path: string; pem: string }> {
  const own = `${confdir}/weir-ca.pem`;
  // In mitmproxy's own directory its CA counts: clients trust it already.
  for (const path of [own, `${confdir}/mitmproxy-ca.pem`]) {
    const pem = await readIfThere(path);
    if (pem !== null) return { path, pem };
  }
  return { path: own, pem: await create(confdir, own) };
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw unusable(path, messageOf(thrown), thrown);
  }
}

async function create(confdir: string, path: string): Promise<string> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    await Deno.mkdir(confdir, { recursive: true, mode: 0o700 });
    const pem = await generate();
    await Deno.writeTextFile(temporary, pem, { createNew: true, mode: 0o600 });
    try {
      // Fails when another process was first; whoever sees the name sees a whole file.
      await Deno.link(temporary, path);
      return pem;
    } catch (thrown) {
      if (thrown instanceof Deno.errors.AlreadyExists) return await Deno.readTextFile(path);
      // A file system without links: the name is still taken only once.
      await Deno.writeTextFile(path, pem, { createNew: true, mode: 0o600 });
      return pem;
    } finally {
      await Deno.remove(temporary);
    }
  } catch (thrown) {
    throw new WeirError("weir", "tls", `The CA could not be made at ${path}: ${messageOf(thrown)}.`, {
      cause: thrown,
    });
  }
}

async function generate(): Promise<string> {
  const x509 = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [NAME] }, { O: [NAME] }],
    notBefore: new Date(now - CLOCK_SKEW_DAYS * DAY),
    notAfter: new Date(now + VALID_DAYS * DAY),
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n${certificate.toString("pem")}\n`;
}

/** 127 random bits as hex (RFC 5280 §4.1.2.2: positive, at most 20 bytes). */
export function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = bytes[0] & 0x7f | 0x40;
  return bytes.toHex();
}

async function parse(
  pem: string,
  path: string,
  certificatePath: string,
  passphrase: string | null,
): Promise<CertificateAuthority> {
  let pair: KeyPair;
  try {
    pair = parseKeyPair(pem, { passphrase });
  } catch (thrown) {
    throw unusable(path, messageOf(thrown), thrown);
  }
  const { certificate, certificates, key } = pair;
  if (!certificate.ca) throw unusable(path, "its certificate is not one of a CA");
  if (Date.parse(certificate.validTo) < Date.now()) {
    throw unusable(path, `it has expired (${certificate.validTo})`);
  }
  try {
    return {
      chainPem: certificates.join("\n") + "\n",
      certificate: Uint8Array.from(certificate.raw),
      privateKey: key,
      path,
      certificatePath,
      ...await importKey(key),
    };
  } catch (thrown) {
    throw unusable(path, messageOf(thrown), thrown);
  }
}

async function importKey(key: KeyObject): Promise<Pick<CertificateAuthority, "key" | "algorithm">> {
  const pkcs8 = Uint8Array.from(key.export({ type: "pkcs8", format: "der" }));
  if (key.asymmetricKeyType === "rsa") {
    const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    return { key: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]), algorithm };
  }
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const known = curve === "prime256v1"
    ? ["P-256", "SHA-256"]
    : curve === "secp384r1"
    ? ["P-384", "SHA-384"]
    : null;
  if (known === null) {
    throw new Error(`its key is of no kind that can be used (${curve ?? key.asymmetricKeyType})`);
  }
  const [namedCurve, hash] = known;
  return {
    key: await crypto.subtle.importKey("pkcs8", pkcs8, { name: "ECDSA", namedCurve }, false, ["sign"]),
    algorithm: { name: "ECDSA", hash },
  };
}

/** The certificate of a CA alone, without its key, in a form that clients take. */
export function certificateOf(
  authority: CertificateAuthority,
  format: "pem" | "cer" | "p12",
): Uint8Array<ArrayBuffer> {
  if (format === "pem") return new TextEncoder().encode(pemOf(authority));
  return format === "cer" ? authority.certificate : pkcs12(authority.certificate, NAME);
}

function pemOf({ chainPem }: CertificateAuthority): string {
  return /^[^]*?-----END CERTIFICATE-----/.exec(chainPem)![0] + "\n";
}

/** Writes the certificate alone in the forms that clients take, where they are missing or of another CA. */
async function publish(confdir: string, authority: CertificateAuthority): Promise<void> {
  const pemPath = `${confdir}/weir-ca-cert.pem`;
  const fresh = await readIfThere(pemPath) === pemOf(authority);
  // PEM last: when it is right, all are.
  for (const format of ["cer", "p12", "pem"] as const) {
    const path = `${confdir}/weir-ca-cert.${format}`;
    if (fresh && await exists(path)) continue;
    const temporary = `${path}.${crypto.randomUUID()}.tmp`;
    try {
      await Deno.writeFile(temporary, certificateOf(authority, format), { createNew: true, mode: 0o644 });
      await Deno.rename(temporary, path);
    } catch (thrown) {
      throw new WeirError(
        "weir",
        "tls",
        `The CA's certificate could not be written to ${path}: ${messageOf(thrown)}.`,
        {
          cause: thrown,
        },
      );
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function unusable(path: string, reason: string, cause?: unknown): WeirError {
  return new WeirError("weir", "tls", `The CA file ${path} cannot be used: ${reason.replace(/\.$/, "")}.`, {
    cause,
  });
}
