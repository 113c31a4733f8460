/**
 * Which proxy the environment names for a request: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small letters or
 * capitals, as curl and most libraries read them.
 * @module
 */
import { BlockList, isIP } from "node:net";
import { parseProxyUrl } from "weir";

/** Where a request goes. */
export interface Place {
  readonly scheme: string;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What the variables said when they were read. */
export class ProxyEnvironment {
  readonly #http: string | null;
  readonly #https: string | null;
  readonly #exceptions: readonly ((place: Place) => boolean)[];

  /** @throws {SyntaxError} that names the variable whose value is no address of a proxy. */
  constructor(read: (name: string) => string | undefined) {
    this.#http = proxyIn(read, "http_proxy") ?? proxyIn(read, "all_proxy");
    this.#https = proxyIn(read, "https_proxy") ?? proxyIn(read, "all_proxy");
    const list = read("no_proxy") ?? read("NO_PROXY") ?? "";
    this.#exceptions = list.split(/[\s,]+/).filter((entry) => entry !== "").map(exceptionOf);
  }

  /** The address of the proxy for a place; null: none. What is no http is asked for in a tunnel, as https is. */
  proxyFor(place: Place): string | null {
    const proxy = place.scheme === "http" ? this.#http : this.#https;
    return proxy === null || this.#exceptions.some((isExcepted) => isExcepted(place)) ? null : proxy;
  }
}

function proxyIn(read: (name: string) => string | undefined, name: string): string | null {
  const variable = read(name) ? name : name.toUpperCase();
  const value = read(variable);
  if (!value) return null;
  try {
    parseProxyUrl(value);
  } catch (error) {
    throw new SyntaxError(`the variable ${variable}: ${(error as Error).message}`);
  }
  return value;
}

/** An entry of `no_proxy`: `*`, a domain and all below it, an address, or addresses as `10.0.0.0/8`; a port may follow. */
function exceptionOf(entry: string): (place: Place) => boolean {
  if (entry === "*") return () => true;
  const [, network, bits] = /^(.+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(network ?? "");
  if (family !== 0 && Number(bits) <= (family === 4 ? 32 : 128)) return isWithin(network, Number(bits));
  const bare = isIP(entry) !== 0 ? [entry, entry] : /^\[([^\]]+)\](?::(\d+))?$/.exec(entry);
  const [, host, digits] = bare ?? /^(.*?)(?::(\d+))?$/.exec(entry)!;
  const port = isIP(entry) !== 0 || digits === undefined ? null : Number(digits);
  const name = host.toLowerCase().replace(/^\*?\./, "").replace(/\.$/, "");
  return (place) => {
    if (port !== null && port !== place.port) return false;
    const asked = place.host.toLowerCase().replace(/\.$/, "");
    return asked === name || isIP(asked) === 0 && asked.endsWith(`.${name}`);
  };
}

function isWithin(network: string, bits: number): (place: Place) => boolean {
  const list = new BlockList();
  list.addSubnet(network, bits, network.includes(":") ? "ipv6" : "ipv4");
  return ({ host }) => isIP(host) !== 0 && list.check(host, host.includes(":") ? "ipv6" : "ipv4");
}
