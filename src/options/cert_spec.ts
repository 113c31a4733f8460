/**
 * The option `certs`: `[domain=]path`, a certificate to show for a domain (mitmproxy `addons/tlsconfig.py`).
 * @module
 */
import { shown } from "../shown.ts";

/** One certificate that was given. */
export interface CertSpec {
  /** A name, an IP address, `*.` with a name for all below it, or `*` for all; lower case. */
  readonly domain: string;
  /** The PEM file, as written. */
  readonly path: string;
}

const DOMAIN = /^(?:\*|(?:\*\.)?[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*|[\da-f:.]*:[\da-f:.]*)$/iu;

/** The first `=` ends the domain. @throws {SyntaxError} that says what is wrong. */
export function parseCertSpec(text: string): CertSpec {
  const at = text.indexOf("=");
  const domain = at < 0 ? "*" : text.slice(0, at).toLowerCase();
  const path = text.slice(at + 1);
  if (!DOMAIN.test(domain)) {
    throw new SyntaxError(
      `${shown(text)} is not [domain=]path: ${shown(domain)} is no domain (example.com, *.example.com or *)`,
    );
  }
  if (path === "") throw new SyntaxError(`${shown(text)} is not [domain=]path: there is no path`);
  return { domain, path };
}
