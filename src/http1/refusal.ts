/**
 * The refusals of this codec as values: what a peer sent that RFC 9112 (or one of weir's bounds) forbids.
 *
 * A client is answered with the status code; a server's fault becomes a 502. Nothing of the message is passed on.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { shown } from "../shown.ts";

/** The peer broke the syntax; clients get 400 unless `statusCode` says otherwise. */
export function malformed(side: Side, message: string, statusCode?: number): WeirError {
  return new WeirError(side, "protocol", message, side === "client" ? { statusCode } : {});
}

/** The peer passed a bound; `statusCode` is for clients. */
export function tooLarge(side: Side, message: string, statusCode: number): WeirError {
  return new WeirError(side, "limit", message, side === "client" ? { statusCode } : {});
}

/** The peer ended or reset its connection in mid message. */
export function cut(side: Side, message: string, cause?: unknown): WeirError {
  return new WeirError(side, "closed", message, { cause });
}

/** Text from the network for a message: printable, quoted, short. */
export function quoted(text: string): string {
  return shown(text);
}
