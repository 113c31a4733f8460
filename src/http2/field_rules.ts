/**
 * What a field may look like in HTTP/2 (RFC 9113 §8.2), both ways. Whatever passes here can be written into an HTTP/1
 * message without changing its meaning (§10.3).
 * @module
 */
import { WeirError } from "../errors.ts";
import {
  FieldKind,
  fieldKind,
  hasToken,
  isBlank,
  isFieldValue,
  mayBeTrailer,
  nominated,
  trimBlanks,
} from "../http/mod.ts";
import { shortened, shown } from "../shown.ts";
import { Code, StreamError } from "./errors.ts";
import type { DecodedFields } from "./hpack/decoder.ts";

/** RFC 9110 §5.6.2 token without upper case (RFC 9113 §8.2). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** §8.2.2: these belong to an HTTP/1 connection. */
const CONNECTION_SPECIFIC: ReadonlySet<FieldKind> = new Set<FieldKind>([
  FieldKind.connection,
  FieldKind.hopByHop,
  FieldKind.transferEncoding,
  FieldKind.upgrade,
]);

/** @throws {StreamError} when a received field makes its message malformed. */
export function checkField(name: string, value: string): void {
  if (!NAME.test(name)) throwMalformed(`The field name ${shown(name)} is not allowed.`);
  // §8.2.1, and the control characters that HTTP/1 has in no value either.
  if (!isFieldValue(value)) {
    throwMalformed(`The value of ${shortened(name)} has a character that is not allowed.`);
  }
  if (hasBlanksAround(value)) throwMalformed(`The value of ${shortened(name)} has blanks around it.`);
  if (CONNECTION_SPECIFIC.has(fieldKind(name))) throwMalformed(`The field ${name} belongs to a connection.`);
  // §8.2.2: TE may be there and say nothing but "trailers".
  if (name === "te" && value.toLowerCase() !== "trailers") {
    throwMalformed(`The field te says ${shown(value)}.`);
  }
}

function hasBlanksAround(value: string): boolean {
  return value !== "" && (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1)));
}

/**
 * Takes blanks around values away, which §8.2.1 forbids and clients in the field accept from servers. Gives the name of a
 * field that had some, or null.
 */
export function repairBlanks(fields: string[]): string | null {
  let repaired: string | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    if (!hasBlanksAround(fields[i + 1]) || fields[i].startsWith(":")) continue;
    fields[i + 1] = trimBlanks(fields[i + 1]);
    repaired ??= fields[i];
  }
  return repaired;
}

/** §8.1: trailers have no pseudo-header fields. @throws {StreamError} */
export function checkTrailers(fields: DecodedFields): string[] {
  if (fields === null) throwMalformed("The trailers are larger than allowed.");
  for (let i = 0; i < fields.length; i += 2) {
    checkField(fields[i], fields[i + 1]);
  }
  return fields;
}

/** The length that content-length fields promise, or null without any. @throws {StreamError} on differing or malformed ones. */
export function contentLength(fields: readonly string[]): number | null {
  let length: number | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "content-length") continue;
    const value = Number(fields[i + 1]);
    if (
      !/^[0-9]+$/.test(fields[i + 1]) || !Number.isSafeInteger(value) || (length !== null && length !== value)
    ) {
      throwMalformed(`The content-length ${shown(fields[i + 1])} is malformed or differs from another.`);
    }
    length = value;
  }
  return length;
}

/** A message that breaks the rules of §8. */
export function throwMalformed(message: string): never {
  throw new StreamError(Code.PROTOCOL_ERROR, message);
}

/** What content-length shall say: what the fields say, nothing, or this number in its place (else at the end). */
export type LengthRule = "keep" | "none" | number;

/**
 * Adds an HTTP/1 or HTTP/2 field list to `into` as HTTP/2 sends it: lower case, without what belongs to a connection
 * (RFC 9110 §7.6.1), without the kinds in `except`.
 * @throws {WeirError} when a field cannot be sent.
 */
export function addFields(
  into: string[],
  raw: readonly string[],
  except: ReadonlySet<FieldKind>,
  length: LengthRule,
): void {
  const named = namedBy(raw);
  let lengthDone = typeof length !== "number";
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase(), value = raw[i + 1], kind = fieldKind(name);
    if (except.has(kind) || CONNECTION_SPECIFIC.has(kind)) continue;
    if (kind === FieldKind.endToEnd && named?.includes(name)) continue;
    if (kind === FieldKind.te) {
      // HTTP/1 has to nominate it in Connection; here it is allowed, with this value only.
      if (hasToken(value.replaceAll(";", ","), "trailers")) into.push("te", "trailers");
    } else if (kind === FieldKind.contentLength && length !== "keep") {
      if (!lengthDone) into.push(name, String(length));
      lengthDone = true;
    } else addField(into, name, value);
  }
  if (!lengthDone) into.push("content-length", String(length));
}

function addField(into: string[], name: string, value: string): void {
  if (!NAME.test(name) || !isFieldValue(value)) {
    throw new WeirError("weir", "protocol", `The field ${shown(name)} cannot be sent over HTTP/2.`);
  }
  into.push(name, hasBlanksAround(value) ? trimBlanks(value) : value);
}

/** Lower-case names that Connection fields list. */
function namedBy(raw: readonly string[]): string[] | null {
  let connection: string | null = null;
  for (let i = 0; i < raw.length; i += 2) {
    if (fieldKind(raw[i]) !== FieldKind.connection) continue;
    connection = connection === null ? raw[i + 1] : `${connection},${raw[i + 1]}`;
  }
  return nominated(connection);
}

/** Trailers as HTTP/2 sends them: without the fields that may not be in them. */
export function trailerFields(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (mayBeTrailer(fieldKind(raw[i]))) addField(fields, raw[i].toLowerCase(), raw[i + 1]);
  }
  return fields;
}
