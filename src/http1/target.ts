/**
 * Request targets (RFC 9112 §3.2) taken apart.
 * @module
 */
import { defaultPort, parseAuthority, type RequestHead, type TargetForm } from "../http/mod.ts";
import { malformed, quoted } from "./refusal.ts";

const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+\-.]*):\/\/([^/?#]*)(.*)$/;

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
  if (authority === null || authority.port === 0) {
    throw malformed("client", `CONNECT needs host and port, not ${quoted(target)}.`);
  }
  return { form: "authority", scheme: "", ...authority, path: "" };
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
    port: authority.port || defaultPort(scheme),
    path,
  };
}
