/**
 * Request and response heads from bytes (RFC 9112 §3, §4): one way to write each, everything else is refused.
 * @module
 */
import {
  agrees,
  authorityOf,
  FieldKind,
  fieldKind,
  Headers,
  type HttpVersion,
  isTarget,
  isToken,
  parseAuthority,
  type RequestHead,
  type ResponseHead,
} from "../http/mod.ts";
import type { Side } from "../errors.ts";
import { latin1 } from "../latin1.ts";
import { FieldSummary } from "./field_summary.ts";
import { mended, parseFields } from "./fields.ts";
import { malformed, quoted } from "./refusal.ts";
import { parseTarget, type Target } from "./target.ts";

/** A head and what its fields mean to this leg. */
export interface Parsed<Head> {
  head: Head;
  fields: FieldSummary;
}

/** Parses `bytes[start..end)`, which a `HeadScanner` found to be a whole head with fields from `fieldsStart` on. */
export function parseRequestHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  fieldsStart: number,
): Parsed<RequestHead> {
  const text = latin1(bytes, start, end);
  const line = text.slice(0, fieldsStart - 2);
  const first = line.indexOf(" "), last = line.lastIndexOf(" ");
  const method = line.slice(0, Math.max(first, 0));
  if (!isToken(method)) throw malformed("client", `The request line has no valid method: ${quoted(line)}.`);
  if (last === first) throw malformed("client", `The request line has no version: ${quoted(line)}.`);
  const target = line.slice(first + 1, last);
  // RFC 9112 §3.2: repairing a target is how requests get smuggled.
  if (!isTarget(target)) {
    throw malformed(
      "client",
      `The request target has whitespace, a control character or a fragment (#): ${quoted(line)}.`,
    );
  }
  const httpVersion = parseVersion(line.slice(last + 1), "client");
  const raw = parseFields(text, fieldsStart, "client");
  const fields = new FieldSummary(raw);
  const parts = parseTarget(method, target);
  const otherHost = checkHost(parts, fields, raw, httpVersion);
  const head: RequestHead = {
    method,
    form: parts.form,
    scheme: parts.scheme,
    host: parts.host,
    port: parts.port,
    path: parts.path,
    httpVersion,
    headers: Headers.fromRaw(raw),
  };
  if (otherHost !== null) head.otherHost = otherHost;
  return { head, fields };
}

/** Parses a response head; positions as for {@linkcode parseRequestHead}. `lenient` as its scanner was. */
export function parseResponseHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  fieldsStart: number,
  { lenient = false } = {},
): Parsed<ResponseHead> {
  let text = latin1(bytes, start, end);
  if (lenient) {
    text = mended(text, true);
    fieldsStart = text.indexOf("\r\n") + 2;
  }
  const line = text.slice(0, fieldsStart - 2);
  // RFC 9112 §4: the space before an empty reason is often forgotten, and harmless.
  const match = /^(\S*) ([1-9][0-9][0-9])(?: (.*))?$/.exec(line);
  if (match === null) throw malformed("server", `The server sent no valid status line: ${quoted(line)}.`);
  const httpVersion = parseVersion(match[1], "server");
  const raw = parseFields(text, fieldsStart, "server");
  const head: ResponseHead = {
    statusCode: Number(match[2]),
    reason: match[3] ?? "",
    httpVersion,
    headers: Headers.fromRaw(raw),
  };
  return { head, fields: new FieldSummary(raw) };
}

function parseVersion(text: string, side: Side): HttpVersion {
  if (text === "HTTP/1.1" || text === "HTTP/1.0") return text;
  // A text line cannot be HTTP/2 (contract §5); other versions are real, but not spoken here (RFC 9110 §15.6.6).
  const other = /^HTTP\/[0-9]\.[0-9]$/.test(text) && !text.startsWith("HTTP/2");
  throw malformed(side, `${quoted(text)} is not HTTP/1.1 or HTTP/1.0.`, other ? 505 : 400);
}

/** RFC 9112 §3.2: exactly one Host in HTTP/1.1; what an absolute target says beats it (§3.2.2), and what it said is returned. */
function checkHost(
  target: Target,
  fields: FieldSummary,
  raw: string[],
  version: HttpVersion,
): string | null {
  if (fields.hosts > 1) throw malformed("client", `The request has ${fields.hosts} Host fields.`);
  if (fields.hosts === 0) {
    // CONNECT names its host in the target, and clients that leave Host out of it are common.
    if (version === "HTTP/1.0" || target.form === "authority") return null;
    throw malformed("client", "The request has no Host field.");
  }
  const host = fields.host === "" ? null : parseAuthority(fields.host);
  if (host === null && fields.host !== "") {
    throw malformed("client", `The Host field ${quoted(fields.host)} is no host with an optional port.`);
  }
  if (target.form === "origin" || target.form === "asterisk") {
    if (host !== null) Object.assign(target, host);
  } else if (target.form === "absolute" && (host === null || !agrees(host, target, target.scheme))) {
    const at = raw.findIndex((name, i) => i % 2 === 0 && fieldKind(name) === FieldKind.host);
    raw[at + 1] = authorityOf(target.host, target.port, target.scheme);
    return host?.host ?? null;
  }
  return null;
}
