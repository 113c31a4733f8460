/**
 * What fields mean to one leg of a connection, whatever its version (RFC 9110 §7.6.1, §6.5.1; RFC 9112 §6): looked up once
 * per field, whole names at a time.
 * @module
 */
import { isToken } from "./headers.ts";
import { listElements } from "../http_grammar.ts";

/** What a field name means to one leg. */
export const FieldKind = {
  /** Passed on as it is, unless `Connection` names it. */
  endToEnd: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** Keep-Alive, Proxy-Connection: never passed on. */
  hopByHop: 5,
  te: 6,
  upgrade: 7,
  /** For weir itself, not for the origin. */
  proxyAuthorization: 8,
  expect: 9,
  /** Passed on even when `Connection` names it: losing it would change what the message means. */
  protected: 10,
  /** No token (RFC 9110 §5.6.2). */
  invalid: 11,
  /** Trailer: passed on in a head. */
  trailer: 12,
} as const;
export type FieldKind = typeof FieldKind[keyof typeof FieldKind];

const KNOWN = new Map<string, FieldKind>([
  ["host", FieldKind.host],
  ["content-length", FieldKind.contentLength],
  ["transfer-encoding", FieldKind.transferEncoding],
  ["connection", FieldKind.connection],
  ["keep-alive", FieldKind.hopByHop],
  ["proxy-connection", FieldKind.hopByHop],
  ["te", FieldKind.te],
  ["upgrade", FieldKind.upgrade],
  ["proxy-authorization", FieldKind.proxyAuthorization],
  ["expect", FieldKind.expect],
  ["trailer", FieldKind.trailer],
  ["authorization", FieldKind.protected],
  ["cookie", FieldKind.protected],
  ["set-cookie", FieldKind.protected],
  ["content-type", FieldKind.protected],
  ["content-encoding", FieldKind.protected],
  ["content-range", FieldKind.protected],
  ["cache-control", FieldKind.protected],
]);

/** Names as they were spelled, remembered so that the usual ones cost one lookup; bounded, since peers choose names. */
const MAX_REMEMBERED = 1024;
const remembered = new Map<string, FieldKind>();

/** Kind of a field name in any case. */
export function fieldKind(name: string): FieldKind {
  return remembered.get(name) ?? classify(name);
}

function classify(name: string): FieldKind {
  const kind = isToken(name) ? KNOWN.get(name.toLowerCase()) ?? FieldKind.endToEnd : FieldKind.invalid;
  if (remembered.size < MAX_REMEMBERED && name.length <= 64) remembered.set(name, kind);
  return kind;
}

/**
 * Lower-case names that a `Connection` field lists, whose fields are for one leg alone; null when it lists none but the usual
 * options. Only fields of the kind `endToEnd` can be named.
 */
export function nominated(connection: string | null): string[] | null {
  const list = connection?.toLowerCase();
  if (list === undefined || list === "keep-alive" || list === "close" || list === "upgrade") return null;
  return listElements(list);
}

/** RFC 9110 §6.5.1: fields that frame, route, authenticate or say how content is coded are in no trailer section. */
export function mayBeTrailer(kind: FieldKind): boolean {
  return kind === FieldKind.endToEnd;
}
