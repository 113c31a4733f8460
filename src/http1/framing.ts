/**
 * How long a body is: RFC 9112 §6.3 as a table. Where the RFC lets a recipient choose between repair and refusal, this
 * refuses, because two readers who repair differently are a request smuggled.
 * @module
 */
import { hasNoBody, type HttpVersion, listElements } from "../http/mod.ts";
import type { Side } from "../errors.ts";
import type { FieldSummary } from "./field_summary.ts";
import { malformed, quoted } from "./refusal.ts";

/** Bytes of the body (0: there is none), or how its end is found. */
export type BodyLength = number | "chunked" | "close";

/** Length of a request's body. */
export function requestBodyLength(method: string, version: HttpVersion, fields: FieldSummary): BodyLength {
  const declared = declaredLength("client", version, fields);
  // RFC 9110 §9.3.6: CONNECT has no content; bytes after its head are the tunnel's.
  if (method === "CONNECT" && declared !== null && declared !== 0) {
    throw malformed("client", "A CONNECT request declares a body.");
  }
  // §6.3 rule 7: no framing field, no body.
  return declared ?? 0;
}

/** Length of a response's body. */
export function responseBodyLength(
  requestMethod: string,
  statusCode: number,
  version: HttpVersion,
  fields: FieldSummary,
): BodyLength {
  // §6.3 rule 2: after a 2xx to CONNECT comes the tunnel, and framing fields are ignored.
  if (becomesTunnel(requestMethod, statusCode)) return 0;
  const declared = declaredLength("server", version, fields);
  // §6.3 rule 1.
  if (hasNoBody(requestMethod, statusCode)) return 0;
  // §6.3 rule 8: neither field, so the end of the connection is the end of the body.
  return declared ?? "close";
}

/** RFC 9110 §7.8, §9.3.6: after this head the connection carries something else. */
export function becomesTunnel(requestMethod: string, statusCode: number): boolean {
  return statusCode === 101 || (requestMethod === "CONNECT" && statusCode >= 200 && statusCode < 300);
}

/** What the framing fields say; null when there are none. */
function declaredLength(side: Side, version: HttpVersion, fields: FieldSummary): BodyLength | null {
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding !== null) {
    // §6.3 rule 3: both fields are an attack or a bug.
    if (contentLength !== null) {
      throw malformed(side, "The message has both Content-Length and Transfer-Encoding.");
    }
    // §6.1: HTTP/1.0 does not know transfer codings.
    if (version === "HTTP/1.0") throw malformed(side, "An HTTP/1.0 message has Transfer-Encoding.");
    // §6.3 rule 4, narrowed: weir codes and decodes `chunked`, once, and nothing else.
    if (transferEncoding.toLowerCase() !== "chunked") {
      throw malformed(side, `The transfer coding ${quoted(transferEncoding)} is not a single "chunked".`);
    }
    return "chunked";
  }
  return contentLength === null ? null : parseContentLength(contentLength, side);
}

/** §6.3 rule 5: digits alone; a list counts when all its members are the same digits. */
function parseContentLength(text: string, side: Side): number {
  let value = text;
  if (text.includes(",")) {
    const members = listElements(text);
    if (members.some((member) => member !== members[0])) {
      throw malformed(side, `The message has differing Content-Length values: ${quoted(text)}.`);
    }
    value = members[0];
  }
  // Sixteen digits hold every safe integer, so no rounding can happen before the check.
  const length = /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(length)) {
    throw malformed(side, `The Content-Length ${quoted(text)} is not a number of bytes.`);
  }
  return length;
}
