/**
 * Hosts with their ports, as URLs and Host fields write them (RFC 3986 §3.2, RFC 9110 §7.2).
 * @module
 */

/** The port that a scheme implies (RFC 9110 §4.2); 0 when it implies none. */
export function defaultPort(scheme: string): number {
  return scheme === "https" ? 443 : scheme === "http" ? 80 : 0;
}

/** `host:port`: an IPv6 address in brackets, no port where it is the scheme's own or not known (0). */
export function authorityOf(host: string, port: number, scheme: string): string {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return port <= 0 || port === defaultPort(scheme) ? name : `${name}:${port}`;
}
