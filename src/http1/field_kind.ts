/**
 * Which fields this codec has to know (RFC 9110 §7.6.1, RFC 9112 §6): looked up once per field, whole names at a time.
 * @module
 */
import { isToken } from "../http/headers.ts";

/** What a field name means to one leg of an HTTP/1 connection. */
export const FieldKind = {
  /** Passed on as it is. */
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

/** True when `token` (lower case) is an element of a comma-separated list (RFC 9110 §5.6.1). */
export function hasToken(list: string | null, token: string): boolean {
  if (list === null) return false;
  const lower = list.toLowerCase();
  if (lower === token) return true;
  if (!lower.includes(token)) return false;
  for (const element of lower.split(",")) if (element.trim() === token) return true;
  return false;
}

/** The fields of one head that this leg acts on, lists joined by ", ". */
export class FieldSummary {
  hosts = 0;
  host = "";
  contentLength: string | null = null;
  transferEncoding: string | null = null;
  connection: string | null = null;
  upgrade: string | null = null;
  expectsContinue = false;

  constructor(raw: readonly string[]) {
    for (let i = 0; i < raw.length; i += 2) {
      const value = raw[i + 1];
      switch (fieldKind(raw[i])) {
        case FieldKind.host:
          this.hosts++;
          this.host = value;
          break;
        case FieldKind.contentLength:
          this.contentLength = joined(this.contentLength, value);
          break;
        case FieldKind.transferEncoding:
          this.transferEncoding = joined(this.transferEncoding, value);
          break;
        case FieldKind.connection:
          this.connection = joined(this.connection, value);
          break;
        case FieldKind.upgrade:
          this.upgrade = joined(this.upgrade, value);
          break;
        case FieldKind.expect:
          this.expectsContinue ||= value.toLowerCase() === "100-continue";
          break;
      }
    }
  }

  /** Lower-case names of the fields that `Connection` says are for this leg alone; null when it names none. */
  get named(): string[] | null {
    const list = this.connection?.toLowerCase();
    if (list === undefined || list === "keep-alive" || list === "close" || list === "upgrade") return null;
    return list.split(",").map((option) => option.trim());
  }

  /** An upgrade that was really asked for or agreed to: the field, and `Connection` says so (RFC 9110 §7.8). */
  get upgrades(): boolean {
    return this.upgrade !== null && hasToken(this.connection, "upgrade");
  }
}

function joined(list: string | null, value: string): string {
  return list === null ? value : `${list}, ${value}`;
}
