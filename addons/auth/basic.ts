/**
 * Credentials of the scheme Basic (RFC 7617), and comparing them without telling by the time how much was right.
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";

/** User name and password, as the bytes that were sent. */
export interface Credentials {
  readonly user: Uint8Array;
  readonly password: Uint8Array;
}

/** The value of `Authorization` or `Proxy-Authorization`; null for another scheme, and for what cannot be read. */
export function basicCredentials(field: string | null): Credentials | null {
  const token = /^[ \t]*basic[ \t]+([A-Za-z0-9+/]+={0,2})[ \t]*$/i.exec(field ?? "")?.[1];
  return token === undefined ? null : credentialsOf(Buffer.from(token, "base64"));
}

/** `user:password`, parted at the first colon: a password may have more of them (RFC 7617 §2). Null without one. */
export function credentialsOf(bytes: Uint8Array): Credentials | null {
  const colon = bytes.indexOf(0x3a);
  return colon < 0 ? null : { user: bytes.subarray(0, colon), password: bytes.subarray(colon + 1) };
}

/** The hash of some bytes, of one length whatever they are. */
function digestOf(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** Takes the same time whether, and where, they differ. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return timingSafeEqual(digestOf(a), digestOf(b));
}
