/**
 * Names of TLS versions, as the options `tls_version_*` have them (mitmproxy `net/tls.py`).
 * @module
 */
import { shown } from "../shown.ts";

/** A version that weir can speak, by node:tls's name. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

const KNOWN: Readonly<Record<string, TlsVersion | null>> = {
  UNBOUNDED: null,
  TLS1_2: "TLSv1.2",
  TLS1_3: "TLSv1.3",
};
const TOO_OLD: ReadonlySet<string> = new Set(["SSL3", "TLS1", "TLS1_1"]);

/** The version that a value of `tls_version_*` names; null for UNBOUNDED, which is no bound. @throws {Error} */
export function parseTlsVersion(text: string): TlsVersion | null {
  if (Object.hasOwn(KNOWN, text)) return KNOWN[text];
  throw new Error(
    TOO_OLD.has(text)
      ? `${text} is not possible, as Deno's TLS speaks nothing below TLS 1.2: expected TLS1_2, TLS1_3 or UNBOUNDED`
      : `${shown(text)} is none of TLS1_2, TLS1_3 and UNBOUNDED`,
  );
}

/** The lowest and the highest version to speak; what is left out is not bounded. */
export interface TlsVersions {
  readonly min?: TlsVersion;
  readonly max?: TlsVersion;
}

/** The bounds that a pair of options sets; null where they leave out nothing that Deno's TLS speaks. */
export function tlsVersions(min: string, max: string): TlsVersions | null {
  const lowest = parseTlsVersion(min), highest = parseTlsVersion(max);
  if (lowest !== "TLSv1.3" && highest !== "TLSv1.2") return null;
  return { ...lowest !== null && { min: lowest }, ...highest !== null && { max: highest } };
}
