/**
 * Request targets (RFC 9112 §3.2) and authorities (RFC 3986 §3.2) taken apart.
 * @module
 */
import { defaultPort } from "../flow/authority.ts";
import type { RequestHead, TargetForm } from "../flow/wire.ts";
import { malformed, quoted } from "./refusal.ts";

/** `host` without brackets; `port` -1 when not given. */
export interface Authority {
  host: string;
  port: number;
}

/** uri-host [ ":" port ]: an IP literal in brackets, or a name without delimiters that mean something elsewhere. */
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9\-._~%!$&'()*+;=]+))(?::([0-9]*))?$/;
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+\-.]*):\/\/([^/?#]*)(.*)$/;

/** Parses `uri-host [ ":" port ]`, or gives null when it is none (userinfo included). */
export function parseAuthority(text: string): Authority | null {
  const match = AUTHORITY.exec(text);
  if (match === null) return null;
  const host = match[1] ?? match[2];
  if (match[3] === undefined || match[3] === "") return { host, port: -1 };
  const port = match[3].length <= 5 ? Number(match[3]) : 0;
  return port >= 1 && port <= 65535 ? { host, port } : null;
}

/** What a request target says; `host` is empty when it does not name one. */
export type Target = Pick<RequestHead, "scheme" | "host" | "port" | "path"> & { form: TargetForm };

/** Takes the target of a request apart; throws a client-side error when it has none of the four forms. */
export function parseTarget(method: string, target: string): Target {
  if (method === "CONNECT") return authorityForm(target);
  if (target.charCodeAt(0) === 47) return { form: "origin", scheme: "", host: "", port: 0, path: target };
  if (target === "*") {
    if (method !== "OPTIONS") {
      throw malformed("client", `The target "*" is for OPTIONS alone, not for ${method}.`);
    }
    return { form: "asterisk", scheme: "", host: "", port: 0, path: "*" };
  }
  return absoluteForm(method, target);
}

function authorityForm(target: string): Target {
  const authority = parseAuthority(target);
  if (authority === null || authority.port === -1) {
    throw malformed("client", `CONNECT needs host and port, not ${quoted(target)}.`);
  }
  return { form: "authority", scheme: "", host: authority.host, port: authority.port, path: "" };
}

function absoluteForm(method: string, target: string): Target {
  const match = ABSOLUTE.exec(target);
  // RFC 6455 §3: the WebSocket schemes name resources that a GET asks for.
  const scheme = match?.[1].toLowerCase().replace(/^ws/, "http");
  if (match === null || (scheme !== "http" && scheme !== "https")) {
    throw malformed("client", `The request target ${quoted(target)} is neither a path nor an http(s) URL.`);
  }
  const authority = parseAuthority(match[2]);
  if (authority === null) {
    throw malformed("client", `The request target ${quoted(target)} has no valid host and port.`);
  }
  const rest = match[3];
  // RFC 9112 §3.2.4: OPTIONS without path or query is for the server as a whole.
  const path = rest === ""
    ? (method === "OPTIONS" ? "*" : "/")
    : rest.charCodeAt(0) === 47
    ? rest
    : `/${rest}`;
  return {
    form: "absolute",
    scheme,
    host: authority.host,
    port: authority.port === -1 ? defaultPort(scheme) : authority.port,
    path,
  };
}
