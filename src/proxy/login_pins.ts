/**
 * Logins that hold for a connection and not for a request (NTLM; Negotiate, RFC 4559 §6): once a client has begun one, its
 * connection to weir and weir's connection to the origin belong together until the client's is closed.
 *
 * The requests behind the login carry no credentials any more. On another connection they would be refused; and the one that
 * was logged in must never serve anybody else.
 * @module
 */
import type { ClientConnection } from "../flow/connection.ts";
import type { HttpFlow } from "../flow/flow.ts";

/** Origins that one client's connection may be bound to at a time; a browser's tunnel leads to one. */
const MAX_ORIGINS = 64;
/** The schemes, at the beginning of `Authorization`. */
const BOUND_SCHEME = /^(?:ntlm|negotiate)(?:[ ,]|$)/i;

/** Which clients' connections are bound to which origins. */
export class LoginPins {
  readonly #origins = new Map<string, Set<string>>();

  /** Takes note of what the request says; true when its client's connection is bound to `origin`. */
  isBound({ request, clientConn }: HttpFlow, origin: () => string): boolean {
    const authorization = request.headers.get("authorization");
    const begins = authorization !== null && BOUND_SCHEME.test(authorization);
    if (!begins && this.#origins.size === 0) return false;
    const known = this.#origins.get(clientConn.id);
    if (!begins) return known !== undefined && known.has(origin());
    const origins = known ?? new Set<string>();
    origins.add(origin());
    if (origins.size > MAX_ORIGINS) origins.delete(origins.values().next().value!);
    this.#origins.set(clientConn.id, origins);
    return true;
  }

  /** True until `release`, for clients that are bound to anything. */
  has(clientId: string): boolean {
    return this.#origins.has(clientId);
  }

  /** The client's connection is closed. True when it was bound to anything. */
  release({ id }: ClientConnection): boolean {
    return this.#origins.delete(id);
  }
}
