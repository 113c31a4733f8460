/**
 * Whom upstream certificates are verified against, and what a refusal means in words.
 * @module
 */
import { X509Certificate } from "node:crypto";
import tls from "node:tls";
import { messageOf, WeirError } from "../errors.ts";
import { shortened } from "../shown.ts";
import { namesText } from "./identity.ts";

/** node has it since 22.19, the types that come with Deno 2.9.6 have not. */
const { setDefaultCACertificates } = tls as unknown as {
  setDefaultCACertificates(pem: readonly string[]): void;
};

/** The runtime's own defaults (its bundled roots and `NODE_EXTRA_CA_CERTS`), before anything was set here. */
let originals: readonly string[] | null = null;
/** The system's; looked up once, as they are files. */
let system: readonly string[] | null = null;
/** The added issuers that are set now. */
let current: string | null = null;

/**
 * Makes node's next `tls.connect` verify against the system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others),
 * those that come with the runtime, `NODE_EXTRA_CA_CERTS`, and `ca` (PEM, each with one certificate or more).
 *
 * node reads the process-wide default within that call, so set and call go together in one turn. A secure context
 * with its own list would be neater, but Deno then parses the list again for each handshake (2.9.6: 8 ms for 164
 * roots, against 0.6 ms); and where nothing is to be added, its native default is used (no cost at all).
 */
export function trustNext(ca: readonly string[]): void {
  const key = ca.join("\n");
  if (key === current) return;
  const all = issuers(ca);
  if (all.length > new Set(originals).size || current !== null) setDefaultCACertificates(all);
  current = key;
}

/** PEM of all those issuers, one certificate each, for clients that take a list. */
export function issuers(ca: readonly string[]): string[] {
  originals ??= tls.getCACertificates("default").map(normal);
  system ??= tls.getCACertificates("system").map(normal);
  return [...new Set([...originals, ...system, ...ca.flatMap(certificatesIn).map(normal)])];
}

/** The certificates of a PEM text; throws when there is none or one is broken (node would ignore it silently). */
export function certificatesIn(pem: string): string[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    if (found.length === 0) throw new Error("no certificate in it");
    for (const one of found) new X509Certificate(one);
  } catch (thrown) {
    throw new WeirError(
      "weir",
      "tls",
      `The added trusted certificates are not usable PEM: ${messageOf(thrown)}.`,
      {
        cause: thrown,
      },
    );
  }
  return found;
}

function normal(pem: string): string {
  return pem.replaceAll("\r", "").trim();
}

const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet (or the clock here is wrong)",
  CERT_REVOKED: "it was revoked",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "it comes from an unknown issuer (its chain ends in a root that is not trusted)",
  UNABLE_TO_GET_ISSUER_CERT: "it comes from an unknown issuer",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "it comes from an unknown issuer",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "it comes from an unknown issuer",
  INVALID_PURPOSE: "it is not for servers",
};

/** True for what Deno's own client throws when it does not accept a certificate. */
export function isNativeRefusal(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.InvalidData && /invalid peer certificate/.test(thrown.message);
}

/** Why a certificate (DER; null: none was shown) is not for a host, with the names that it has. */
export function wrongHost(der: Uint8Array | null): string {
  const names = der === null ? "" : namesText(der);
  return `it is for the wrong host (${
    names === "" ? "no name in its subjectAltName" : `its names: ${shortened(names)}`
  })`;
}

/** Why node did not accept a certificate, from its code (`authorizationError`) and the certificate's DER. */
export function refusalReason(code: string, der: Uint8Array | null): string {
  const certificate = der === null ? null : new X509Certificate(der);
  // Deno's node:tls calls it an unknown issuer when a certificate is out of date (2.9.6).
  const real = code !== "UNABLE_TO_VERIFY_LEAF_SIGNATURE" || certificate === null
    ? code
    : Date.parse(certificate.validTo) < Date.now()
    ? "CERT_HAS_EXPIRED"
    : Date.parse(certificate.validFrom) > Date.now()
    ? "CERT_NOT_YET_VALID"
    : code;
  const reason = REASONS[real];
  return reason === undefined ? real : `${reason} (${real})`;
}
