/**
 * What a load task asks for, and through whom.
 * @module
 */

/** Whom a client connects to. */
export interface Via {
  /** A proxy gets absolute-form requests and CONNECT, a server (an origin, a reverse proxy) neither. */
  readonly kind: "proxy" | "server";
  readonly port: number;
}

/** An origin as a client reaches it. */
export interface Target {
  readonly via: Via;
  /** `host:port`. */
  readonly origin: string;
  readonly secure: boolean;
}

/** The request target as it goes on the wire (RFC 9112 section 3.2). */
export function requestTarget({ via, origin, secure }: Target, path: string): string {
  return via.kind === "proxy" && !secure ? `http://${origin}${path}` : path;
}
