/**
 * What protocol a connection speaks, from its first bytes.
 * @module
 */

import { PREFACE } from "../http2/mod.ts";

/** What a client says first. */
export type Protocol = "tls" | "http" | "raw";

/** RFC 8446 §5.1: a handshake record; its version is 3.x. */
export const TLS_HANDSHAKE = 0x16;
/** A request line that has not ended after so many bytes is a long URL, not another protocol. */
const MAX_METHOD = 32;
/** Longer than what other text protocols send in a line (RFC 5321 §4.5.3.1: 512). */
const MAX_LINE = 1024;

/** Decides as soon as the bytes allow; undefined while more are needed. */
export function protocolOf(bytes: Uint8Array): Protocol | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === TLS_HANDSHAKE) {
    if (bytes.length < 2) return undefined;
    return bytes[1] === 3 ? "tls" : "raw";
  }
  const space = bytes.indexOf(0x20);
  const method = bytes.subarray(0, space < 0 ? bytes.length : space);
  if (method.length > MAX_METHOD || !method.every(isMethodByte) || space === 0) return "raw";
  if (space < 0) return undefined;
  // "HELP me" and "EHLO host" begin like a method, too: only the end of a request line settles it.
  const end = bytes.indexOf(0x0a);
  if (end < 0) return bytes.length > MAX_LINE ? "http" : undefined;
  const line = String.fromCharCode(...bytes.subarray(Math.max(0, end - 10), end));
  return / HTTP\/\d\.\d\r?$/.test(line) ? "http" : "raw";
}

/** The value of the Host field of an HTTP/1 request; empty when its head has none; undefined while more bytes are needed. */
export function hostIn(bytes: Uint8Array): string | undefined {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  const end = text.search(/\r?\n\r?\n/);
  const head = end < 0 ? text : text.slice(0, end + 1);
  const found = /\nhost:[ \t]*([^\r\n]*?)[ \t]*\r?\n/i.exec(end < 0 ? text : `${head}\n`);
  return found?.[1] ?? (end < 0 ? undefined : "");
}

/** RFC 9110 §9.1: methods are tokens; all that are in use are capitals, digits aside. */
function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
}

/** RFC 7301 §6: what weir speaks, in versions that it knows or sniffs. */
const SPOKEN = new Set(["h2", "http/1.1", "http/1.0", "http/0.9"]);
/** RFC 8701 §2: reserved so that servers learn to ignore what they do not know. */
// deno-lint-ignore no-control-regex -- these are its bytes
const GREASE = /^([\x0a\x1a\x2a\x3a\x4a\x5a\x6a\x7a\x8a\x9a\xaa\xba\xca\xda\xea\xfa])\1$/;

/** True for a protocol in a client's offer that weir does not speak. */
export function isUnknown(alpn: string): boolean {
  return !SPOKEN.has(alpn) && !GREASE.test(alpn);
}

/**
 * The protocols to answer a client's offer with (RFC 7301), best first; empty: none is negotiated. HTTP/2 when it is
 * `preferred`, or when the client knows nothing else that weir speaks (gRPC's do not): weir translates. A client with
 * other protocols alone gets no answer rather than an alert, and may go on without.
 */
export function alpnFor(
  offered: readonly string[],
  http2: { readonly enabled: boolean; readonly preferred: boolean },
): readonly string[] {
  if (offered.length > 0 && !offered.includes("http/1.1")) {
    if (!offered.includes("h2")) return [];
    // Only HTTP/2, and that is turned off: HTTP/1.1 is the truth, and refused.
    return http2.enabled ? ["h2"] : ["http/1.1"];
  }
  return http2.enabled && http2.preferred ? ["h2", "http/1.1"] : ["http/1.1"];
}

/** True for the preface of HTTP/2 (RFC 9113 §3.4), false for anything else; undefined while more bytes are needed. */
export function startsHttp2(bytes: Uint8Array): boolean | undefined {
  if (bytes.length === 0) return undefined;
  const length = Math.min(bytes.length, PREFACE.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== PREFACE[i]) return false;
  return length === PREFACE.length ? true : undefined;
}
