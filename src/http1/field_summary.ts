/**
 * The fields of one head that an HTTP/1 leg acts on (RFC 9110 §7.6.1, RFC 9112 §6).
 * @module
 */
import { FieldKind, fieldKind, hasToken, nominated } from "../http/mod.ts";

/** Lists are joined by ", ". */
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
    return nominated(this.connection);
  }

  /** An upgrade that was really asked for or agreed to: the field, and `Connection` says so (RFC 9110 §7.8). */
  get upgrades(): boolean {
    return this.upgrade !== null && hasToken(this.connection, "upgrade");
  }
}

function joined(list: string | null, value: string): string {
  return list === null ? value : `${list}, ${value}`;
}
