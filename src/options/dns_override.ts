/**
 * The option `dns_override`: where a host is, whatever its name resolves to.
 *
 *     host=address[:port]
 * @module
 */
import { isIP, isIPv6 } from "node:net";
import { shown } from "../shown.ts";

/** Where to connect in place of a host. */
export interface DnsOverride {
  /** In lower case, without brackets. */
  readonly host: string;
  /** An address without brackets, or another name. */
  readonly address: string;
  /** Null: the port that was asked for. */
  readonly port: number | null;
}

const HOST = /^(?:\[([0-9a-f:.]+)\]|([^/?#@\s[\]:]+))$/i;
const ADDRESS = /^(?:\[([0-9a-f:.]+)\]|([^/?#@\s[\]:]+))(?::(\d{1,5}))?$/i;

/** Takes one apart. @throws {SyntaxError} that says what is wrong with it. */
export function parseDnsOverride(text: string): DnsOverride {
  const equals = text.indexOf("=");
  if (equals < 0) {
    throw new SyntaxError(
      `${shown(text)}: host=address[:port] is expected, as in example.com=127.0.0.1:8443`,
    );
  }
  const [, literal, name] = HOST.exec(text.slice(0, equals)) ?? [];
  if ((literal ?? name) === undefined || (literal !== undefined && !isIPv6(literal))) {
    throw new SyntaxError(`${shown(text)}: what stands before the = must be a host`);
  }
  return { host: (literal ?? name).toLowerCase(), ...parseAddress(text, text.slice(equals + 1)) };
}

function parseAddress(text: string, place: string): Pick<DnsOverride, "address" | "port"> {
  // An IPv6 address may go without brackets where no port follows.
  if (isIPv6(place)) return { address: place, port: null };
  const [, literal, name, digits] = ADDRESS.exec(place) ?? [];
  const address = literal ?? name;
  const isNumber = address !== undefined && /^[\d.]+$/.test(address);
  if (
    address === undefined || (literal !== undefined && !isIPv6(literal)) || isNumber && isIP(address) === 0
  ) {
    throw new SyntaxError(`${shown(text)}: what follows the = must be address[:port]`);
  }
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (port < 1 || port > 65535)) {
    throw new SyntaxError(`${shown(text)}: ${port} is not a port`);
  }
  return { address, port };
}
