/**
 * What became of a SOCKS5 request (RFC 1928 §6): the code for an error, and the error of a code.
 * @module
 */
import { type ErrorCode, WeirError } from "../errors.ts";

/** RFC 1928 §6. */
export const ReplyCode = {
  succeeded: 0,
  failed: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  expired: 6,
  commandNotSupported: 7,
  addressNotSupported: 8,
} as const;

/** What a code says, and what that means in weir. */
const REPLIES: readonly (readonly [text: string, code: ErrorCode])[] = [
  ["succeeded", "internal"],
  ["general failure", "unreachable"],
  ["not allowed by its rules", "unreachable"],
  ["network unreachable", "unreachable"],
  ["host unreachable", "unreachable"],
  ["connection refused", "unreachable"],
  ["TTL expired", "timeout"],
  ["command not supported", "protocol"],
  ["address type not supported", "protocol"],
];

/** The code for what kept a connection from being made. */
export function replyCodeOf(error: unknown): number {
  if (!(error instanceof WeirError)) return ReplyCode.failed;
  const { side, code } = error;
  // An addon has refused it, or it leads back to weir.
  if ((side === "weir" && code === "unreachable") || code === "loop") return ReplyCode.notAllowed;
  if (code === "timeout") return ReplyCode.expired;
  if (code === "dns") return ReplyCode.hostUnreachable;
  return code === "unreachable" ? byCause(error.cause) : ReplyCode.failed;
}

function byCause(cause: unknown): number {
  if (cause instanceof Deno.errors.ConnectionRefused) return ReplyCode.refused;
  const code: unknown = cause instanceof Error && "code" in cause ? cause.code : null;
  return code === "ENETUNREACH" ? ReplyCode.networkUnreachable : ReplyCode.hostUnreachable;
}

/** The error for a code other than 0 that a proxy has replied with; `proxy` is what the message calls it. */
export function errorOfReply(reply: number, proxy: string, target: string): WeirError {
  const [text, code] = REPLIES[reply] ?? ["a reason without a name", "unreachable"];
  return new WeirError("server", code, `${proxy} did not connect to ${target}: ${text} (reply ${reply}).`);
}
