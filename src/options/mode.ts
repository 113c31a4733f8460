/**
 * The option `mode`: what a listener does, and where it listens (mitmproxy `mode_specs.py`).
 *
 *     mode[:data][@[host:]port]
 * @module
 */
import { shown } from "../shown.ts";

/** A proxy that clients know of: absolute-form requests and CONNECT. */
export interface RegularMode {
  readonly kind: "regular";
}

/** A stand-in for one origin: origin-form requests go to it. */
export interface ReverseMode {
  readonly kind: "reverse";
  readonly scheme: "http" | "https";
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A mode with its place; null where the options `listen_host` and `listen_port` say it. */
export interface ModeSpec {
  /** As written. */
  readonly spec: string;
  readonly mode: RegularMode | ReverseMode;
  readonly listenHost: string | null;
  readonly listenPort: number | null;
}

/** `[scheme://]host[:port][/]`. */
const ORIGIN = /^(?:(\w+):\/\/)?([^:/?#@\s[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/?$/i;
/** `[host:]port`. */
const PLACE = /^(?:([^:/?#@\s[\]]+|\[[0-9a-f:.]+\]):)?(\d{1,5})$/i;
const MODES = "regular and reverse:http(s)://host[:port]";

/**
 * Takes a mode apart.
 * @throws {SyntaxError} that says what is wrong with it.
 */
export function parseMode(spec: string): ModeSpec {
  const at = spec.lastIndexOf("@");
  const what = at < 0 ? spec : spec.slice(0, at);
  const colon = what.indexOf(":");
  const name = colon < 0 ? what : what.slice(0, colon);
  const data = colon < 0 ? null : what.slice(colon + 1);
  return { spec, mode: parseKind(spec, name, data), ...parsePlace(spec, at < 0 ? null : spec.slice(at + 1)) };
}

function parseKind(spec: string, name: string, data: string | null): RegularMode | ReverseMode {
  if (name === "regular") {
    if (data !== null) throw new SyntaxError(`${shown(spec)}: regular takes nothing after a colon`);
    return { kind: "regular" };
  }
  if (name !== "reverse") throw new SyntaxError(`${shown(spec)} is not a mode (there are ${MODES})`);
  const match = ORIGIN.exec(data ?? "");
  const scheme = match?.[1]?.toLowerCase() ?? "https";
  if (match === null || (scheme !== "http" && scheme !== "https")) {
    throw new SyntaxError(`${shown(spec)}: reverse needs an origin, as in reverse:https://example.com:443`);
  }
  const port = match[3] === undefined ? (scheme === "https" ? 443 : 80) : Number(match[3]);
  if (port < 1 || port > 65535) throw new SyntaxError(`${shown(spec)}: ${port} is not a port`);
  return { kind: "reverse", scheme, host: bare(match[2]), port };
}

function parsePlace(spec: string, place: string | null): Pick<ModeSpec, "listenHost" | "listenPort"> {
  if (place === null) return { listenHost: null, listenPort: null };
  const match = PLACE.exec(place);
  if (match === null || Number(match[2]) > 65535) {
    throw new SyntaxError(`${shown(spec)}: what follows @ must be [host:]port`);
  }
  return { listenHost: match[1] === undefined ? null : bare(match[1]), listenPort: Number(match[2]) };
}

function bare(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
