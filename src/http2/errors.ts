/**
 * Errors of HTTP/2 (RFC 9113 §5.4, §7) and how they become weir's, and back: RST_STREAM codes survive the way through
 * weir, so that a client learns that its request was cancelled or refused and not merely that something broke.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";

/** RFC 9113 §7. */
export const Code = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

/** The name of a code, or its number: unknown codes carry no meaning (§7). */
export function codeName(code: number): string {
  return Object.entries(Code).find(([, value]) => value === code)?.[0] ?? `code ${code}`;
}

/** §5.4.1: the connection cannot go on; GOAWAY with this code is the last thing sent. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** §5.4.2: one stream cannot go on; RST_STREAM with this code is sent. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** A stream that ended by RST_STREAM or GOAWAY. */
export class ResetError extends WeirError {
  constructor(
    side: Side,
    message: string,
    /** The code on the wire. */
    readonly h2Code: number,
    /** True when the peer says that it has not looked at the request (RFC 9113 §8.7). */
    readonly unprocessed = false,
  ) {
    super(side, "closed", message);
  }
}

/** The reset behind an error, also behind one that names the origin. */
function resetBehind(error: unknown): ResetError | null {
  if (error instanceof ResetError) return error;
  return error instanceof WeirError && error.cause instanceof ResetError ? error.cause : null;
}

/** Codes by which a server ends a request that it has not answered, and which mean the same to the client. */
const MEANINGFUL: ReadonlySet<number> = new Set([
  Code.REFUSED_STREAM,
  Code.CANCEL,
  Code.INTERNAL_ERROR,
  Code.HTTP_1_1_REQUIRED,
]);

/** True when a client can be told by RST_STREAM why its request was not answered. */
export function isPassedOn(error: unknown): boolean {
  const reset = resetBehind(error);
  return reset !== null && (reset.unprocessed || MEANINGFUL.has(reset.h2Code));
}

/** Which RST_STREAM code tells `peer` about `error`. */
export function resetCode(error: unknown, peer: Side): number {
  if (!(error instanceof WeirError)) return Code.INTERNAL_ERROR;
  const reset = resetBehind(error);
  if (reset !== null) {
    // weir could not send it again; the client may, in HTTP/1.1.
    if (reset.h2Code === Code.HTTP_1_1_REQUIRED && peer === "client") return reset.h2Code;
    if (reset.unprocessed && peer === "client") return Code.REFUSED_STREAM;
    if (reset.h2Code === Code.CANCEL || reset.h2Code === Code.INTERNAL_ERROR) return reset.h2Code;
    return peer === "server" ? Code.CANCEL : Code.INTERNAL_ERROR;
  }
  if (error.code === "protocol" && error.side === peer) return Code.PROTOCOL_ERROR;
  if (error.code === "killed" || error.code === "shutdown") return Code.CANCEL;
  // Towards a server: nobody wants the answer any more. Towards a client: the answer broke.
  if (peer === "server" && (error.code === "closed" || error.code === "timeout")) return Code.CANCEL;
  return Code.INTERNAL_ERROR;
}
