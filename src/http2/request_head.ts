/**
 * Request heads (RFC 9113 §8.3.1): pseudo-header fields to a {@linkcode RequestHead} and back.
 * @module
 */
import {
  agrees,
  type Authority,
  authorityOf,
  defaultPort,
  FieldKind,
  Headers,
  isTarget,
  isToken,
  parseAuthority,
  type RequestHead,
} from "../http/mod.ts";
import { WeirError } from "../errors.ts";
import { shown } from "../shown.ts";
import { addFields, checkField, type LengthRule, throwMalformed } from "./field_rules.ts";

/**
 * Reads a decoded field list. The result's headers begin with `host` where the client did not send one, so that weir's
 * other parts and an HTTP/1 origin find it where they look for it.
 * @throws {StreamError} PROTOCOL_ERROR when the request is malformed (§8.1.1).
 */
export function readRequestHead(fields: readonly string[]): RequestHead {
  const pseudo = new Map<string, string>();
  let at = 0;
  // §8.3: all pseudo-header fields come first, each once, and no others than these.
  for (; at < fields.length && fields[at].startsWith(":"); at += 2) {
    const name = fields[at];
    if (!REQUEST_PSEUDO.has(name)) throwMalformed(`The pseudo-header field ${shown(name)} is not known.`);
    if (pseudo.has(name)) throwMalformed(`The pseudo-header field ${name} comes twice.`);
    pseudo.set(name, fields[at + 1]);
  }
  const raw: string[] = [];
  let hostField: string | null = null, cookieAt = -1, hasLength = false;
  for (; at < fields.length; at += 2) {
    const name = fields[at], value = fields[at + 1];
    checkField(name, value);
    if (name === "host") {
      if (hostField !== null) throwMalformed("There is more than one host field.");
      hostField = value;
    } else if (name === "cookie") {
      // §8.2.3: cookie crumbs are one field for HTTP/1.
      if (cookieAt !== -1) {
        raw[cookieAt] += `; ${value}`;
        continue;
      }
      cookieAt = raw.length + 1;
    } else if (name === "content-length") {
      // That several agree was checked; one is enough.
      if (hasLength) continue;
      hasLength = true;
    }
    raw.push(name, value);
  }
  const method = pseudo.get(":method"), scheme = pseudo.get(":scheme"), path = pseudo.get(":path");
  const authority = pseudo.get(":authority");
  if (method === undefined || !isToken(method)) throwMalformed("The :method is missing or no token.");
  if (authority === undefined && hostField === null) throwMalformed("There is neither :authority nor host.");
  const target = parseAuthority(authority ?? hostField ?? "");
  if (target === null) throwMalformed(`The authority ${shown(authority ?? hostField)} is malformed.`);
  if (method === "CONNECT") {
    // §8.5.
    if (scheme !== undefined || path !== undefined) throwMalformed("CONNECT has a :scheme or a :path.");
    if (authority === undefined || target.port === 0) {
      throwMalformed("CONNECT has no :authority with a port.");
    }
    addHost(raw, hostField, authority);
    return head(method, "authority", "", target, "", raw);
  }
  if (scheme !== "http" && scheme !== "https") throwMalformed(`The :scheme is ${shown(scheme ?? null)}.`);
  const asterisk = path === "*" && method === "OPTIONS";
  if (path === undefined || !(asterisk || (path.startsWith("/") && isTarget(path)))) {
    throwMalformed(`The :path is ${shown(path ?? null)}.`);
  }
  if (target.port === 0) target.port = defaultPort(scheme);
  if (authority !== undefined && hostField !== null) checkAgreement(target, hostField, scheme);
  if (authority !== undefined) addHost(raw, hostField, authority);
  return head(method, asterisk ? "asterisk" : "origin", scheme, target, path, raw);
}

const REQUEST_PSEUDO = new Set([":method", ":scheme", ":authority", ":path"]);

function head(
  method: string,
  form: RequestHead["form"],
  scheme: string,
  target: Authority,
  path: string,
  raw: string[],
): RequestHead {
  return { method, form, scheme, ...target, path, httpVersion: "HTTP/2.0", headers: Headers.fromRaw(raw) };
}

function addHost(raw: string[], hostField: string | null, authority: string): void {
  if (hostField === null) raw.unshift("host", authority);
}

/** §8.3.1: a host field that names another entity than :authority. */
function checkAgreement(target: Authority, hostField: string, scheme: string): void {
  const other = parseAuthority(hostField);
  if (other === null || !agrees(other, target, scheme)) {
    throwMalformed(`The host field ${shown(hostField)} does not agree with :authority.`);
  }
}

/** :authority stands in the place of Host; what is for weir itself is not for an origin (RFC 9110 §11.7.1). */
const NOT_AS_FIELD: ReadonlySet<FieldKind> = new Set<FieldKind>([
  FieldKind.host,
  FieldKind.proxyAuthorization,
]);

/**
 * The field list for a request. A `host` field decides over the route what :authority says.
 * @param secure whether the connection has TLS, for targets that name no scheme
 */
export function requestFields(head: RequestHead, secure: boolean, length: LengthRule): string[] {
  if (!isToken(head.method)) throw unsendable(`The method ${shown(head.method)} is not a token`);
  const fields = [":method", head.method];
  const scheme = head.scheme !== "" ? head.scheme : secure ? "https" : "http";
  if (head.form === "authority" || head.method === "CONNECT") {
    fields.push(":authority", authorityOf(head.host, head.port, ""));
  } else {
    const route = authorityOf(head.host, head.port, scheme);
    fields.push(":scheme", scheme, ":authority", head.headers.get("host") ?? route);
    fields.push(":path", head.path === "" ? "/" : head.path);
    if (head.path !== "" && !isTarget(head.path)) {
      throw unsendable(
        `The path ${
          shown(head.path)
        } has whitespace, a control character, a fragment (#) or a character beyond Latin-1`,
      );
    }
  }
  addFields(fields, head.headers.raw, NOT_AS_FIELD, length);
  return fields;
}

function unsendable(what: string): WeirError {
  return new WeirError("weir", "protocol", `${what}; nothing was sent.`);
}
