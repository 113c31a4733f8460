/**
 * Response heads (RFC 9113 §8.3.2): `:status` and fields to a {@linkcode ResponseHead} and back.
 * @module
 */
import { type FieldKind, Headers, type ResponseHead } from "../http/mod.ts";
import { addFields, checkField, type LengthRule, throwMalformed } from "./field_rules.ts";

/** @throws {StreamError} PROTOCOL_ERROR when the response is malformed (§8.1.1). */
export function readResponseHead(fields: readonly string[]): ResponseHead {
  const status = fields[1];
  if (fields[0] !== ":status" || !/^[1-9][0-9][0-9]$/.test(status)) {
    throwMalformed("The :status is missing or malformed.");
  }
  // §8.6: 101 has no meaning in HTTP/2.
  if (status === "101") throwMalformed("The :status is 101.");
  const raw: string[] = [];
  let hasLength = false;
  for (let i = 2; i < fields.length; i += 2) {
    const name = fields[i];
    checkField(name, fields[i + 1]);
    if (name === "content-length") {
      if (hasLength) continue;
      hasLength = true;
    }
    raw.push(name, fields[i + 1]);
  }
  return { statusCode: Number(status), reason: "", httpVersion: "HTTP/2.0", headers: Headers.fromRaw(raw) };
}

const NONE: ReadonlySet<FieldKind> = new Set();

/** The field list for a response. */
export function responseFields(head: ResponseHead, length: LengthRule): string[] {
  const fields = [":status", String(head.statusCode)];
  addFields(fields, head.headers.raw, NONE, length);
  return fields;
}
