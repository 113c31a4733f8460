/**
 * Upstream: from a host and a port to a TCP connection. What `dns_override` says, then the addresses of the name, then the
 * first of them that answers: no name is looked up twice, so what was found out about an address is true of the connection.
 * @module
 */
import { isIP } from "node:net";
import { WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import { type Address, dialAny, type DialOptions, resolve, type TcpConn } from "../net/mod.ts";
import { type DnsOverride, parseDnsOverride } from "../options/mod.ts";

/** How to connect. */
export interface ReachOptions extends Required<Pick<DialOptions, "timeout" | "signal">> {
  /** The value of the option. */
  readonly dnsOverride: readonly string[];
  /** Those of a host's addresses that may be connected to. @throws {WeirError} when there is none. */
  readonly choose?: (addresses: readonly string[]) => readonly string[];
  /** The addresses of a name; the system's by default. */
  readonly resolve?: typeof resolve;
}

/** Connects to a place upstream. @throws {WeirError} "dns", "unreachable", "timeout", or what `signal` was aborted with. */
export async function reach(
  asked: Address,
  { dnsOverride, choose, ...options }: ReachOptions,
): Promise<TcpConn> {
  const { hostname, port } = overridden(asked, dnsOverride);
  const found = await resolved(hostname, options);
  const addresses = choose?.(found) ?? found;
  return await dialAny(addresses, port, { ...options, side: "server", name: hostname });
}

async function resolved(
  hostname: string,
  { timeout, signal, resolve: lookUp = resolve }: Omit<ReachOptions, "dnsOverride">,
): Promise<readonly string[]> {
  if (isIP(hostname.replace(/%.*$/, "")) !== 0) return [hostname];
  const givenUp = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const text = `The name ${hostname} was not resolved within ${timeout / 1000} s.`;
    givenUp.reject(new WeirError("server", "timeout", text));
  }, timeout);
  const ignoreSignal = onAbort(signal, () => givenUp.reject(signal.reason));
  try {
    return await Promise.race([lookUp(hostname, "server"), givenUp.promise]);
  } finally {
    clearTimeout(timer);
    ignoreSignal();
  }
}

/** The option is read for each connection, and parsed once. */
const parsed = new WeakMap<readonly string[], ReadonlyMap<string, DnsOverride>>();

function overridden({ hostname, port }: Address, option: readonly string[]): Address {
  const name = hostname.replace(/^\[(.*)\]$/, "$1");
  if (option.length === 0) return { hostname: name, port };
  let byHost = parsed.get(option);
  if (byHost === undefined) {
    // As with curl's --resolve, the last one for a host counts.
    byHost = new Map(option.map(parseDnsOverride).map((override) => [override.host, override]));
    parsed.set(option, byHost);
  }
  const override = byHost.get(name.toLowerCase().replace(/\.$/, ""));
  return override === undefined
    ? { hostname: name, port }
    : { hostname: override.address, port: override.port ?? port };
}
