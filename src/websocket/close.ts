/**
 * How a WebSocket connection ends: Close frames (RFC 6455 §5.5.1), their codes (§7.4), and errors that carry one.
 * @module
 */
import { isUtf8 } from "node:buffer";
import { type Side, WeirError } from "../errors.ts";
import { isCloseCode } from "./conversation.ts";

/** The codes that weir itself sends or records (RFC 6455 §7.4.1). */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  /** Recorded when a Close frame had no code; never on the wire. */
  noStatus: 1005,
  /** Recorded when the connection was lost; never on the wire. */
  abnormal: 1006,
  invalidPayload: 1007,
  tooBig: 1009,
  internalError: 1011,
} as const;

/** What a Close frame says. */
export interface Close {
  /** 1005 when the frame gave none. */
  readonly code: number;
  readonly reason: string;
}

/** A peer broke RFC 6455 or RFC 7692, or passed a limit: it is told with `closeCode`. */
export class WebSocketError extends WeirError {
  readonly closeCode: number;

  constructor(side: Side, closeCode: number, message: string) {
    super(side, closeCode === CloseCode.tooBig ? "limit" : "protocol", message);
    this.closeCode = closeCode;
  }
}

/** Most bytes of a reason: a control frame's 125 less the code. */
const MAX_REASON = 123;

/** Reads a Close frame's payload. Throws {@linkcode WebSocketError}: 1002 for a bad code, 1007 for a bad reason. */
export function parseClose(payload: Uint8Array, side: Side): Close {
  if (payload.length === 0) return { code: CloseCode.noStatus, reason: "" };
  if (payload.length === 1) {
    throw new WebSocketError(
      side,
      CloseCode.protocolError,
      `The ${side} sent a Close frame with half a code.`,
    );
  }
  const code = payload[0] << 8 | payload[1];
  if (!isCloseCode(code)) {
    throw new WebSocketError(
      side,
      CloseCode.protocolError,
      `The ${side} sent the invalid close code ${code}.`,
    );
  }
  const reason = payload.subarray(2);
  if (!isUtf8(reason)) {
    throw new WebSocketError(
      side,
      CloseCode.invalidPayload,
      `The ${side} sent a close reason that is not UTF-8.`,
    );
  }
  return { code, reason: new TextDecoder().decode(reason) };
}

/** The payload of a Close frame; a reason that is too long is cut between two characters. */
export function closePayload({ code, reason }: Close): Uint8Array<ArrayBuffer> {
  if (code === CloseCode.noStatus) return new Uint8Array(0);
  const payload = new Uint8Array(2 + MAX_REASON);
  payload[0] = code >> 8;
  payload[1] = code;
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}
