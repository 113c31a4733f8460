/**
 * The parts of a URL as a request has them. Nothing is normalised but the host: the path goes out as it is written.
 * @module
 */

/** Where a request goes, and what it asks for. */
export interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Null for what is no absolute http or https URL that can be sent. */
export function parseUrl(text: string): UrlParts | null {
  const match = /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(text);
  if (match === null || /[\0-\x20\x7f]/.test(text) || !URL.canParse(text)) return null;
  const [, scheme, , path] = match;
  const { protocol, hostname, port } = new URL(text);
  return {
    scheme: scheme.toLowerCase(),
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (protocol === "https:" ? 443 : 80),
    path: `${path.startsWith("/") ? "" : "/"}${asciiOnly(path)}`,
  };
}

/** What is beyond ASCII is percent-encoded (RFC 3986 §2.5). */
function asciiOnly(text: string): string {
  return text.replace(/[^\0-\x7f]+/gu, (part) => encodeURIComponent(part.toWellFormed()));
}
