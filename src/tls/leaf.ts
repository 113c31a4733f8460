/**
 * Certificates for the hosts that clients ask for (RFC 5280, RFC 6125), made from the client's SNI and the
 * upstream certificate, signed by the {@linkcode CertificateAuthority}, and kept.
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import tls, { type SecureContext, type SecureVersion } from "node:tls";
import { WeirError } from "../errors.ts";
import { shown } from "../shown.ts";
import { type CertificateAuthority, CLOCK_SKEW_DAYS, DAY, serialNumber } from "./authority.ts";
import type { KeyType } from "./client_hello.ts";
import { certificateToPem } from "./pem.ts";

/** Certificates kept: a browser's day has some hundreds of hosts, and each entry is about 10 KiB. */
const LEAVES_MAX = 1024;
/** Clients refuse more than 397 days in all (CA/Browser Forum Baseline Requirements §6.3.2). */
const VALID_DAYS = 365;
/** Names taken from an upstream certificate at most: some list hundreds, and all go into each handshake. */
const NAMES_MAX = 100;
/** RFC 5280 appendix A.1, ub-common-name and ub-organization-name. */
const NAME_LENGTH_MAX = 64;

export interface LeafRequest {
  /** Where the client wants to go: a name or an IP address. */
  host: string;
  /** What the client asked for in its ClientHello. */
  sni?: string | null;
  /** DER of the certificate that the server showed; its names are taken over. */
  upstreamCertificate?: Uint8Array | null;
  /** What the client can use: "ecdsa" is the default. */
  keyType?: KeyType;
}

interface LeafKey {
  readonly pair: CryptoKeyPair;
  readonly pem: string;
}

export interface Leaf {
  /** DNS names and IP addresses that it is valid for. */
  readonly names: readonly string[];
  /** PEM: the leaf, then the CA. */
  readonly cert: string;
  /** PEM of the private key, the same one for all leaves of a kind in a process. */
  readonly key: string;
  readonly context: SecureContext;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** Makes and keeps leaf certificates. */
export class Leaves {
  readonly #authority: CertificateAuthority;
  readonly #cacheSize: number;
  readonly #cache = new Map<string, Promise<Leaf>>();
  /** Made when the first client wants one of that kind. */
  readonly #keys: Partial<Record<KeyType, Promise<LeafKey>>> = {};

  constructor(authority: CertificateAuthority, options: { cacheSize?: number } = {}) {
    this.#authority = authority;
    this.#cacheSize = options.cacheSize ?? LEAVES_MAX;
  }

  /** The certificate for a connection; rejects when the client's SNI is no host name. */
  async leafFor(request: LeafRequest): Promise<Leaf> {
    const own = ownNames(request);
    const upstream = request.upstreamCertificate ?? null;
    const keyType = request.keyType ?? "ecdsa";
    const hash = upstream && createHash("sha256").update(upstream).digest("base64");
    const key = `${keyType}|${own.join()}|${hash}`;
    let leaf = this.#cache.get(key);
    if (leaf !== undefined && (await leaf).notAfter < Date.now() + DAY) leaf = undefined;
    leaf ??= this.#make(own, upstream, keyType);
    // Put last: the first of the map is the one that was not asked for the longest.
    this.#cache.delete(key);
    this.#cache.set(key, leaf);
    if (this.#cache.size > this.#cacheSize) this.#cache.delete(this.#cache.keys().next().value!);
    try {
      return await leaf;
    } catch (thrown) {
      if (this.#cache.get(key) === leaf) this.#cache.delete(key);
      throw thrown;
    }
  }

  async #make(own: readonly string[], upstream: Uint8Array | null, keyType: KeyType): Promise<Leaf> {
    // Loading it takes a tenth of a second, which a proxy that intercepts nothing is spared.
    const x509 = await import("@peculiar/x509");
    const { pair, pem } = await (this.#keys[keyType] ??= generateKey(keyType));
    const authority = new x509.X509Certificate(this.#authority.certificate);
    const taken = upstream === null ? null : await namesOf(upstream);
    const names = [...new Set([...own, ...(taken?.names ?? [])])].slice(0, NAMES_MAX);
    const organization = taken?.organization ?? null;
    const subject: Record<string, string[]>[] = [
      ...(names[0].length <= NAME_LENGTH_MAX ? [{ CN: [names[0]] }] : []),
      ...(organization !== null ? [{ O: [organization] }] : []),
    ];
    const issuerKey = authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
    const now = Date.now();
    const notAfter = Math.min(now + VALID_DAYS * DAY, authority.notAfter.getTime());
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      issuer: authority.subjectName,
      notBefore: new Date(now - CLOCK_SKEW_DAYS * DAY),
      notAfter: new Date(notAfter),
      publicKey: pair.publicKey,
      signingKey: this.#authority.key,
      signingAlgorithm: this.#authority.algorithm as EcdsaParams,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        // RFC 5280 §4.2.1.6: critical when there is no subject.
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value })),
          subject.length === 0,
        ),
        await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
        issuerKey !== undefined
          ? new x509.AuthorityKeyIdentifierExtension(issuerKey)
          : await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      ],
    });
    // The CA goes along though clients have it: some pin any key of the chain.
    const cert = `${certificate.toString("pem")}\n${this.#authority.chainPem}`;
    return { names, cert, key: pem, notAfter, context: tls.createSecureContext({ key: pem, cert }) };
  }
}

/** The versions that a session may have, and what is sent behind the certificate. */
export interface LeafTerms {
  readonly min?: SecureVersion;
  readonly max?: SecureVersion;
  /** DER of certificates. */
  readonly chain?: readonly Uint8Array[];
}

/** By leaf, what was made of it last: clients of one origin get the same again and again. */
const onTerms = new WeakMap<Leaf, { readonly key: string; readonly leaf: Leaf }>();

/** The same certificate on these terms. */
export function leafOn(leaf: Leaf, { min, max, chain = [] }: LeafTerms): Leaf {
  const hash = createHash("sha256");
  for (const der of chain) hash.update(der);
  const key = `${min} ${max} ${hash.digest("base64")}`;
  const known = onTerms.get(leaf);
  if (known?.key === key) return known.leaf;
  const cert = leaf.cert + chain.map(certificateToPem).join("");
  const context = tls.createSecureContext({ key: leaf.key, cert, minVersion: min, maxVersion: max });
  const made: Leaf = { ...leaf, cert, context };
  onTerms.set(leaf, { key, leaf: made });
  return made;
}

/** SNI and host, checked and without the root's dot; an IP address among them is normalised. */
function ownNames({ host, sni }: LeafRequest): string[] {
  const names: string[] = [];
  for (const name of [sni ?? null, host]) {
    if (name === null || name === "") continue;
    const normal = normalName(name);
    if (normal === null) {
      throw new WeirError(
        "client",
        "tls",
        `The client asked for the server name ${shown(name)}, which is no host name.`,
      );
    }
    if (!names.includes(normal)) names.push(normal);
  }
  if (names.length === 0) {
    throw new WeirError("weir", "internal", "A certificate without any name was asked for.");
  }
  return names;
}

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const DNS_NAME = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);

/** Lower case, no trailing dot, no brackets; null for what can stand in no certificate. */
function normalName(name: string): string | null {
  const plain = name.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
  if (isIP(plain) !== 0) return plain.includes("%") ? null : plain;
  return plain.length <= 253 && DNS_NAME.test(plain) ? plain : null;
}

/** Names and organisation in a server's certificate; what is broken in it is left out. */
async function namesOf(der: Uint8Array): Promise<{ names: string[]; organization: string | null }> {
  const x509 = await import("@peculiar/x509");
  try {
    const certificate = new x509.X509Certificate(Uint8Array.from(der));
    const alternative = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const values = [
      ...certificate.subjectName.getField("CN"),
      ...alternative.filter(({ type }) => type === "dns" || type === "ip").map(({ value }) => value),
    ];
    const organization = certificate.subjectName.getField("O")[0] ?? null;
    return {
      names: values.flatMap((value) => normalName(value) ?? []),
      organization: organization !== null && organization.length <= NAME_LENGTH_MAX ? organization : null,
    };
  } catch {
    return { names: [], organization: null };
  }
}

/** RSA with 2048 bits: what clients that know nothing else are sure to know. */
const KEYS: Record<KeyType, EcKeyGenParams | RsaHashedKeyGenParams> = {
  ecdsa: { name: "ECDSA", namedCurve: "P-256" },
  rsa: {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  },
};

async function generateKey(keyType: KeyType): Promise<LeafKey> {
  const pair = await crypto.subtle.generateKey(KEYS[keyType], true, ["sign", "verify"]) as CryptoKeyPair;
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", pair.privateKey)).toString("base64");
  const lines = pkcs8.match(/.{1,64}/g)!.join("\n");
  return { pair, pem: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n` };
}
