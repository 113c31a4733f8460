/**
 * Which hosts weir leaves alone (mitmproxy `ignore_hosts`, `allow_hosts`), and which it takes for raw bytes (`tcp_hosts`).
 * @module
 */
import type { Options } from "../options/mod.ts";

/** A name that a connection goes by: of the CONNECT, or of the ClientHello. */
interface Name {
  readonly host: string;
  readonly port: number;
}

/** Compiled once for as long as the option has that value. */
const compiled = new WeakMap<readonly string[], readonly RegExp[]>();

/** True when a pattern of `ignore_hosts` is found in the `host:port` of any of the names. */
export function isIgnored(options: Options, names: readonly Name[]): boolean {
  return isFound(options.ignore_hosts, names);
}

/** True when there are no `allow_hosts`, or one of them is found in the `host:port` of any of the names. */
export function isAllowed(options: Options, names: readonly Name[]): boolean {
  return options.allow_hosts.length === 0 || isFound(options.allow_hosts, names);
}

/** True when a pattern of `tcp_hosts` is found in one of the hosts, ports left out. */
export function isTcpHost({ tcp_hosts: patterns }: Options, hosts: readonly (string | null)[]): boolean {
  return patterns.length > 0 &&
    compile(patterns).some((expression) => hosts.some((host) => host !== null && expression.test(host)));
}

function isFound(patterns: readonly string[], names: readonly Name[]): boolean {
  const found = ({ host, port }: Name) => compile(patterns).some((one) => one.test(`${host}:${port}`));
  return patterns.length > 0 && names.some(found);
}

function compile(patterns: readonly string[]): readonly RegExp[] {
  let expressions = compiled.get(patterns);
  if (expressions === undefined) {
    expressions = patterns.map((pattern) => new RegExp(pattern, "i"));
    compiled.set(patterns, expressions);
  }
  return expressions;
}
