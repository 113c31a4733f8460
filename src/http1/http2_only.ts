/**
 * Recognises an origin without TLS that speaks HTTP/2 alone: whatever is said to it, it begins with SETTINGS (RFC 9113
 * §3.4). It has not looked at a request in HTTP/1.
 * @module
 */
import { WeirError } from "../errors.ts";

/** §4.1: length, type and flags, stream. */
const FRAME_HEADER = 9;
const SETTINGS = 4;
/** §6.5.1: of one setting. */
const SETTING_SIZE = 6;

/** The origin cannot be spoken to in HTTP/1. */
export class Http2OnlyError extends WeirError {
  constructor() {
    super("server", "protocol", "The server speaks HTTP/2 and not HTTP/1.1.");
  }
}

/** True when the bytes begin with a SETTINGS frame, false when they cannot; undefined while more are needed. */
export function beginsWithSettings(bytes: Uint8Array, start: number, end: number): boolean | undefined {
  // No response in HTTP/1 begins with NUL, and no SETTINGS is so long that its frame does not.
  if (bytes[start] !== 0) return false;
  if (end - start < FRAME_HEADER) return undefined;
  const length = bytes[start + 1] << 8 | bytes[start + 2];
  if (length % SETTING_SIZE !== 0 || bytes[start + 3] !== SETTINGS) return false;
  return bytes.subarray(start + 4, start + FRAME_HEADER).every((byte) => byte === 0);
}
