/**
 * What the runtime throws for sockets, in weir's words.
 * @module
 */
import { type ErrorCode, messageOf, type Side, WeirError } from "../errors.ts";

/** A {@linkcode WeirError} for what reading, writing or connecting threw; `what` opens the message. */
export function socketError(thrown: unknown, side: Side, what: string): WeirError {
  if (thrown instanceof WeirError) return thrown;
  const [code, reason] = explain(thrown);
  return new WeirError(side, code, `${what}: ${reason}.`, { cause: thrown });
}

function explain(thrown: unknown): [ErrorCode, string] {
  const { errors } = Deno;
  if (thrown instanceof errors.ConnectionRefused) return ["unreachable", "connection refused"];
  if (thrown instanceof errors.ConnectionReset) return ["closed", "connection reset by peer"];
  if (thrown instanceof errors.BrokenPipe) return ["closed", "the peer has closed the connection"];
  if (thrown instanceof errors.BadResource || thrown instanceof errors.Interrupted) {
    return ["closed", "the connection was closed here"];
  }
  if (thrown instanceof errors.TimedOut) return ["timeout", "timed out"];
  const reason = messageOf(thrown).replace(/ \(os error \d+\)/, "").replace(/\.$/, "");
  // getaddrinfo's failures have no class of their own; neither have names that cannot be looked up at all.
  if (/failed to lookup address|No address associated/i.test(reason)) {
    return ["dns", reason.replace(/^failed to lookup address information: /, "")];
  }
  if (thrown instanceof URIError) return ["dns", reason];
  if (/unreachable|no route/i.test(reason) || thrown instanceof RangeError) {
    return ["unreachable", lower(reason)];
  }
  if (thrown instanceof errors.AddrNotAvailable || thrown instanceof errors.AddrInUse) {
    return ["unreachable", lower(reason)];
  }
  if (thrown instanceof errors.PermissionDenied || thrown instanceof errors.NotCapable) {
    return ["unreachable", lower(reason)];
  }
  return ["closed", lower(reason)];
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
