/**
 * What a field may look like in HTTP/2 (RFC 9113 §8.2), both ways. Whatever passes here can be written into an HTTP/1
 * message without changing its meaning (§10.3).
 * @module
 */
import { WeirError } from "../errors.ts";
import { shortened, shown } from "../shown.ts";
import { Code, StreamError } from "./errors.ts";
import type { DecodedFields } from "./hpack/decoder.ts";

/** RFC 9110 §5.6.2 token without upper case (RFC 9113 §8.2). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** §8.2.1: neither NUL, CR nor LF, and no space or tab around. Other control characters pass, as in HTTP/1. */
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/;
/** The same for what weir sends, where a character beyond one byte would be cut to another. */
const UNSENDABLE = /[\0\r\n\u0100-\uffff]/;

/** §8.2.2: these belong to an HTTP/1 connection. */
const CONNECTION_SPECIFIC = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/** @throws {StreamError} when a received field makes its message malformed. */
export function checkField(name: string, value: string): void {
  if (!NAME.test(name)) malformed(`The field name ${shown(name)} is not allowed.`);
  if (BAD_VALUE.test(value)) {
    malformed(`The value of ${shortened(name)} has a character that is not allowed.`);
  }
  if (CONNECTION_SPECIFIC.has(name)) malformed(`The field ${name} belongs to a connection.`);
  // §8.2.2: TE may be there and say nothing but "trailers".
  if (name === "te" && value.toLowerCase() !== "trailers") {
    malformed(`The field te says ${shown(value)}.`);
  }
}

/** §8.1: trailers have no pseudo-header fields. @throws {StreamError} */
export function checkTrailers(fields: DecodedFields): string[] {
  if (fields === null) malformed("The trailers are larger than allowed.");
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
      malformed(`The content-length ${shown(fields[i + 1])} is malformed or differs from another.`);
    }
    length = value;
  }
  return length;
}

/** A message that breaks the rules of §8. */
export function malformed(message: string): never {
  throw new StreamError(Code.PROTOCOL_ERROR, message);
}

/** What content-length shall say: what the fields say, nothing, or this number in its place (else at the end). */
export type LengthRule = "keep" | "none" | number;

/**
 * Adds an HTTP/1 or HTTP/2 field list to `into` as HTTP/2 sends it: lower case, without what belongs to a connection
 * (RFC 9110 §7.6.1), without `except`.
 * @throws {WeirError} when a field cannot be sent.
 */
export function addFields(
  into: string[],
  raw: readonly string[],
  except: ReadonlySet<string>,
  length: LengthRule,
): void {
  const nominated = nominatedBy(raw);
  let lengthDone = typeof length !== "number";
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase(), value = raw[i + 1];
    if (except.has(name)) continue;
    if (name === "te") {
      // HTTP/1 has to nominate it in Connection; here it is allowed, with this value only.
      if (TE_TRAILERS.test(value)) into.push("te", "trailers");
      continue;
    }
    if (CONNECTION_SPECIFIC.has(name) || nominated?.has(name)) continue;
    if (name === "content-length" && length !== "keep") {
      if (!lengthDone) into.push(name, String(length));
      lengthDone = true;
      continue;
    }
    if (!NAME.test(name) || UNSENDABLE.test(value)) {
      throw new WeirError(
        "weir",
        "internal",
        `The field ${shown(name)} cannot be sent over HTTP/2.`,
      );
    }
    into.push(name, BAD_VALUE.test(value) ? value.replace(/^[ \t]+|[ \t]+$/g, "") : value);
  }
  if (!lengthDone) into.push("content-length", String(length));
}

const TE_TRAILERS = /(^|,)[ \t]*trailers[ \t]*(,|;|$)/i;

/** Lower-case names that Connection fields list. */
function nominatedBy(raw: readonly string[]): Set<string> | null {
  let names: Set<string> | null = null;
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i].length !== 10 || raw[i].toLowerCase() !== "connection") continue;
    names ??= new Set();
    for (const name of raw[i + 1].split(",")) names.add(name.trim().toLowerCase());
  }
  return names;
}

/** Trailers as HTTP/2 sends them: without the fields that RFC 9110 §6.5.1 keeps out of trailers for framing's sake. */
export function trailerFields(raw: readonly string[]): string[] {
  const fields: string[] = [];
  addFields(fields, raw, NOT_IN_TRAILERS, "none");
  return fields;
}

const NOT_IN_TRAILERS = new Set(["host", "te", "trailer"]);
