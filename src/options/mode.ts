/**
 * The option `mode`: what a listener does, and where it listens (mitmproxy `mode_specs.py`).
 *
 *     mode[:data][@[host:]port]
 * @module
 */
import { isIP } from "node:net";
import { shown } from "../shown.ts";
import { parseProxyUrl, type ProxyAddress, withoutCredentials } from "./proxy_url.ts";

/** A proxy that clients know of: absolute-form requests and CONNECT. */
export interface RegularMode {
  readonly kind: "regular";
}

/** A proxy that clients ask by SOCKS5 (RFC 1928). */
export interface Socks5Mode {
  readonly kind: "socks5";
}

/** Connections that the kernel has redirected; it knows where they were going. */
export interface TransparentMode {
  readonly kind: "transparent";
}

/** A stand-in for one origin: requests (http, https) or bytes (tcp, tls) go to it. */
export interface ReverseMode {
  readonly kind: "reverse";
  readonly scheme: "http" | "https" | "tcp" | "tls";
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A proxy that clients know of, which goes on by another one. */
export interface UpstreamMode {
  readonly kind: "upstream";
  readonly proxy: ProxyAddress;
}

/** What a listener does. */
export type ParsedMode = RegularMode | Socks5Mode | TransparentMode | ReverseMode | UpstreamMode;

/** A mode with its place; null where the options `listen_host` and `listen_port` say it. */
export interface ModeSpec {
  /** As written, but for credentials. */
  readonly spec: string;
  readonly mode: ParsedMode;
  readonly listenHost: string | null;
  readonly listenPort: number | null;
}

/** `[scheme://]host[:port][/]`. */
const ORIGIN = /^(?:(\w+):\/\/)?([^:/?#@\s[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/?$/i;
/** `[host:]port`. */
const PLACE = /^(?:([^:/?#@\s[\]]+|\[[0-9a-f:.]+\]):)?(\d{1,5})$/i;
const MODES = "regular, socks5, transparent, reverse:http(s)|tcp|tls://host[:port] and " +
  "upstream:http(s)|socks5://host[:port]";
/** Ports that a scheme implies; the others' must be given. */
const PORTS: Readonly<Record<string, number | null>> = { http: 80, https: 443, tcp: null, tls: null };

/**
 * Takes a mode apart.
 * @throws {SyntaxError} that says what is wrong with it, and has no password in it.
 */
export function parseMode(spec: string): ModeSpec {
  const at = spec.lastIndexOf("@");
  if (at < 0) return { spec, mode: parseKind(spec, spec), ...NO_PLACE };
  const shownAs = fitToBeShown(spec);
  // What stands behind the last @ is the place, or it parts a proxy from its credentials.
  const before = spec.slice(0, at), place = spec.slice(at + 1);
  const placed = attempt(() => ({ mode: parseKind(before, shownAs), ...parsePlace(shownAs, place) }));
  const whole = attempt(() => ({ mode: parseKind(spec, shownAs), ...NO_PLACE }));
  if (placed instanceof SyntaxError) {
    if (whole instanceof SyntaxError) throw /^upstream:/i.test(spec) ? whole : placed;
    return { spec: shownAs, ...whole };
  }
  // With another @ before it, the one that was meant to part them may be a password's.
  const isInPassword = before.includes("@") && !before.endsWith("/") && isHostName(placed.listenHost);
  if (whole instanceof SyntaxError && !isInPassword) {
    return { spec: `${fitToBeShown(before)}@${place}`, ...placed };
  }
  throw new SyntaxError(
    `${
      shown(shownAs)
    } can be read in two ways: what follows the last @ is a proxy, or the place to listen. ` +
      "Give user and password with the option upstream_auth, or write a slash before that @",
  );
}

/** The spec without what may be a password. */
function fitToBeShown(spec: string): string {
  return /^(?:reverse:|\w+@)/i.test(spec) ? spec : withoutCredentials(spec);
}

/** weir listens on addresses; names that lead to them are few. */
function isHostName(host: string | null): boolean {
  return host !== null && isIP(host) === 0 && host.toLowerCase() !== "localhost";
}

const NO_PLACE = { listenHost: null, listenPort: null };

function attempt<T>(parse: () => T): T | SyntaxError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) return error;
    throw error;
  }
}

/** `shownAs` is what messages call it. */
function parseKind(text: string, shownAs: string): ParsedMode {
  const colon = text.indexOf(":");
  const name = (colon < 0 ? text : text.slice(0, colon)).toLowerCase();
  const data = colon < 0 ? null : text.slice(colon + 1);
  if (name === "regular" || name === "socks5" || name === "transparent") {
    if (data !== null) throw new SyntaxError(`${shown(shownAs)}: ${name} takes nothing after a colon`);
    return { kind: name };
  }
  if (name === "upstream") return parseUpstream(shownAs, data);
  if (name === "reverse") return parseReverse(shownAs, data);
  throw new SyntaxError(`${shown(shownAs)} is not a mode (there are ${MODES})`);
}

function parseUpstream(spec: string, data: string | null): UpstreamMode {
  if (!data) {
    throw new SyntaxError(`${shown(spec)}: upstream needs a proxy, as in upstream:http://proxy.example:3128`);
  }
  return { kind: "upstream", proxy: parseProxyUrl(data, spec) };
}

function parseReverse(spec: string, data: string | null): ReverseMode {
  const match = ORIGIN.exec(data ?? "");
  if (match === null) {
    throw new SyntaxError(`${shown(spec)}: reverse needs an origin, as in reverse:https://example.com:443`);
  }
  const scheme = match[1]?.toLowerCase() ?? "https";
  if (!isReverseScheme(scheme)) {
    const known = Object.keys(PORTS).join(", ");
    throw new SyntaxError(`${shown(spec)}: reverse needs an origin of ${known}, and not of ${scheme}`);
  }
  const port = match[3] === undefined ? PORTS[scheme] : Number(match[3]);
  if (port === null) {
    throw new SyntaxError(`${shown(spec)}: reverse needs a port, as in reverse:${scheme}://example.com:5432`);
  }
  if (port < 1 || port > 65535) throw new SyntaxError(`${shown(spec)}: ${port} is not a port`);
  return { kind: "reverse", scheme, host: bare(match[2]), port };
}

function isReverseScheme(scheme: string): scheme is ReverseMode["scheme"] {
  return Object.hasOwn(PORTS, scheme);
}

function parsePlace(spec: string, place: string): Pick<ModeSpec, "listenHost" | "listenPort"> {
  const match = PLACE.exec(place);
  if (match === null || Number(match[2]) > 65535) {
    throw new SyntaxError(`${shown(spec)}: what follows @ must be [host:]port`);
  }
  return { listenHost: match[1] === undefined ? null : bare(match[1]), listenPort: Number(match[2]) };
}

function bare(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
