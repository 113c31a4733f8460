/**
 * What goes wrong in weir is a value: which side failed, a code to act on, and the cause.
 *
 * A message is one sentence that says what happened, with what, and (where a user can act) what to do.
 * @module
 */

/** Who is at fault: the client's bytes, the server's bytes, or weir and its addons. */
export type Side = "client" | "server" | "weir";

/** The codes that weir acts on; every {@linkcode WeirError} carries one. */
export type ErrorCode =
  /** The peer broke the protocol (RFC 9112, 9113, 6455). */
  | "protocol"
  /** The peer closed or reset its connection in mid message. */
  | "closed"
  /** The peer could not be reached: refused, no route. */
  | "unreachable"
  /** The peer's name does not resolve. */
  | "dns"
  /** The TLS handshake failed or the certificate was not accepted. */
  | "tls"
  /** The peer took too long. */
  | "timeout"
  /** A limit of weir's was passed (`body_size_limit`, header size, …). */
  | "limit"
  /** The request would come back to weir's own listener. */
  | "loop"
  /** An addon's hook threw or gave something that is no body. */
  | "addon"
  /** A gate lets it not pass (`ctx.proxy.guard`). */
  | "policy"
  /** `flow.kill()` was called. */
  | "killed"
  /** weir is shutting down. */
  | "shutdown"
  /** A mistake in weir itself. */
  | "internal";

/** An error with a side, a code and a cause. */
export class WeirError extends Error {
  /** Always "WeirError". */
  override readonly name = "WeirError";
  /** Who is at fault. */
  readonly side: Side;
  /** What kind of failure it is, for programs; `message` is for people. */
  readonly code: ErrorCode;
  /** What the client is told if nothing was sent yet: 400 to 599. */
  readonly statusCode: number;

  /** `statusCode` follows from `side` and `code` unless it is given. */
  constructor(
    side: Side,
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; statusCode?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.side = side;
    this.code = code;
    this.statusCode = options.statusCode ?? defaultStatus(side, code);
  }

  /** Wraps whatever was thrown; a {@linkcode WeirError} stays as it is. */
  static from(thrown: unknown, side: Side, code: ErrorCode, what: string): WeirError {
    if (thrown instanceof WeirError) return thrown;
    return new WeirError(side, code, `${what}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** True when a server, or the way to it, ended the connection. */
export function isClosedByServer(error: unknown): boolean {
  return error instanceof WeirError && error.side === "server" && error.code === "closed";
}

/** The text of anything that can be thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function defaultStatus(side: Side, code: ErrorCode): number {
  if (side === "client") return 400;
  if (code === "timeout") return 504;
  if (code === "internal") return 500;
  return 502;
}
