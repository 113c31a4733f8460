/**
 * Hosts with their ports, as URLs and Host fields write them (RFC 3986 §3.2, RFC 9110 §7.2).
 * @module
 */

/** `host` without brackets; `port` 0 when not given. */
export interface Authority {
  host: string;
  port: number;
}

/**
 * uri-host [ ":" port ]: an IPv6 address in brackets, or a name without delimiters that mean something elsewhere. Strict,
 * since whoever reads it differently sends the request somewhere else: a comma is a list's, userinfo is deprecated.
 */
const AUTHORITY = /^(?:\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]+)\]|([A-Za-z0-9\-._~%!$&'()*+;=]+))(?::([0-9]{0,5}))?$/;

/** Parses `uri-host [ ":" port ]`; null when it is none. The same for both HTTP versions, in targets and Host fields. */
export function parseAuthority(text: string): Authority | null {
  const match = AUTHORITY.exec(text);
  if (match === null) return null;
  const [, literal, name, digits] = match;
  const host = literal ?? name;
  if (!digits) return { host, port: 0 };
  const port = Number(digits);
  return port >= 1 && port <= 65535 ? { host, port } : null;
}

/** True when an authority names the host and port of a target with that scheme. */
export function agrees(authority: Authority, target: Authority, scheme: string): boolean {
  const port = authority.port || defaultPort(scheme);
  return port === target.port && authority.host.toLowerCase() === target.host.toLowerCase();
}

/** The port that a scheme implies (RFC 9110 §4.2); 0 when it implies none. */
export function defaultPort(scheme: string): number {
  return scheme === "https" ? 443 : scheme === "http" ? 80 : 0;
}

/** `host:port`: an IPv6 address in brackets, no port where it is the scheme's own or not known (0). */
export function authorityOf(host: string, port: number, scheme: string): string {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return port <= 0 || port === defaultPort(scheme) ? name : `${name}:${port}`;
}
