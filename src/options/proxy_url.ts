/**
 * The address of a proxy to go on by, as options and environments write it (RFC 3986 §3.2):
 *
 *     [scheme://][user[:password]@]host[:port][/]
 *
 * Messages never have the user or the password in them: what stands before an `@` is not repeated.
 * @module
 */
import { isIPv6 } from "node:net";
import { shown } from "../shown.ts";

/** Who asks a proxy (RFC 7617, RFC 1929). */
export interface Credentials {
  /** Without a colon. */
  readonly username: string;
  /** May be empty. */
  readonly password: string;
}

/** A proxy, and how it is spoken to. */
export interface ProxyAddress {
  /** "https" is HTTP over TLS with the proxy itself. */
  readonly scheme: "http" | "https" | "socks5";
  /** Without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Null: nobody in particular. */
  readonly credentials: Credentials | null;
}

/** curl's second name says that names are not looked up here, which they never are. */
const SCHEMES: ReadonlyMap<string, ProxyAddress["scheme"]> = new Map([
  ["http", "http"],
  ["https", "https"],
  ["socks5", "socks5"],
  ["socks5h", "socks5"],
]);
const DEFAULT_PORTS = { http: 80, https: 443, socks5: 1080 };

const URL_PARTS = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:([^/?#@\s[\]]*)@)?([^/?#@\s]+?)\/?$/i;
const PLACE = /^([^:[\]]+|\[([0-9a-f:.]+)\])(?::(\d{1,5}))?$/i;

/**
 * Takes the address of a proxy apart, as `http://user:password@proxy.example:3128`; without a scheme it is http. `shownAs` is
 * what messages call it.
 * @throws {SyntaxError} that says what is wrong with it, and has no password in it.
 */
export function parseProxyUrl(text: string, shownAs: string = withoutCredentials(text)): ProxyAddress {
  const what = shown(shownAs);
  const [, name = "http", user, place = ""] = URL_PARTS.exec(text) ?? [];
  const scheme = SCHEMES.get(name.toLowerCase());
  if (scheme === undefined) throw new SyntaxError(`${what}: the scheme must be http, https or socks5`);
  const [, host, literal, digits] = PLACE.exec(place) ?? [];
  if (host === undefined || (literal !== undefined && !isIPv6(literal))) {
    throw new SyntaxError(`${what} is no address of a proxy, as in http://proxy.example:3128`);
  }
  const port = digits === undefined ? DEFAULT_PORTS[scheme] : Number(digits);
  if (port < 1 || port > 65535) throw new SyntaxError(`${what}: ${port} is not a port`);
  // A number alone is a port that was meant for something else.
  if (/^\d+$/.test(host)) throw new SyntaxError(`${what}: ${host} is not a host`);
  return { scheme, host: literal ?? host, port, credentials: user ? readUserinfo(user, what) : null };
}

/**
 * Credentials as `user:password`, just as they are.
 * @throws {SyntaxError} without a colon; the text is not repeated.
 */
export function parseCredentials(text: string): Credentials {
  const colon = text.indexOf(":");
  if (colon < 1) throw new SyntaxError("it must be user:password");
  return checked({ username: text.slice(0, colon), password: text.slice(colon + 1) });
}

/** The address without credentials, for people and for addons: `http://proxy.example:3128`. */
export function proxyUrl({ scheme, host, port }: Pick<ProxyAddress, "scheme" | "host" | "port">): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A text with the address of a proxy in it, fit to be shown: what may be credentials is `***`. */
export function withoutCredentials(text: string): string {
  return text.replace(/^((?:[a-z0-9]+:(?!\/\/))?(?:[a-z][a-z0-9+.-]*:\/\/)?).*@/is, "$1***@");
}

/** RFC 3986 §3.2.1: what means something elsewhere is percent-encoded. */
function readUserinfo(text: string, what: string): Credentials {
  const colon = text.indexOf(":");
  const [username, password] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
  try {
    return checked({ username: decodeURIComponent(username), password: decodeURIComponent(password) });
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new SyntaxError(`${what}: a % in the user or password begins an escape, and must be written %25`);
  }
}

/** RFC 7617 §2. */
function checked(credentials: Credentials): Credentials {
  const { username, password } = credentials;
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(username + password)) {
    throw new SyntaxError("the user or password has a control character");
  }
  if (username.includes(":")) throw new SyntaxError("a user's name cannot have a colon in it");
  return credentials;
}
