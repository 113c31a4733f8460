/**
 * Where a request goes when its target does not say: by the mode of the listener, or by the tunnel it came through.
 * @module
 */
import type { ClientConnection } from "../flow/connection.ts";
import { authorityOf, defaultPort, parseAuthority, type RequestHead } from "../http/mod.ts";
import type { ProxyAddress } from "../options/mod.ts";

/** An origin (RFC 6454 §4): that of a reverse proxy, or the one that a CONNECT named. */
export interface Origin {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** The proxy by which it is reached; null, or left out: none. */
  readonly via?: ProxyAddress | null;
}

/** An origin to connect to. */
export interface Destination extends Origin {
  /** Name for SNI and for verifying the certificate; null when that is `host`. */
  readonly sni: string | null;
  /** What goes there is no HTTP, or will be none for long: a proxy on the way is asked for a tunnel without TLS, too. */
  readonly isRaw?: boolean;
}

/** What else is known of the way. */
export interface RouteOptions {
  /** The Host field is made the origin's. */
  readonly rewriteHost?: boolean;
  /** SNI of the client inside a tunnel, used upstream as well. */
  readonly sni?: string | null;
  /** The proxy by which requests go that say themselves where to. */
  readonly via?: ProxyAddress | null;
  /** The hosts that its client has named before: in a CONNECT, in TLS inside of it; left out where the listener's mode leads there. */
  readonly names?: readonly string[];
}

/** What the requests of one connection have in common. */
export class Route {
  readonly clientConn: ClientConnection;
  /** The proxy by which its requests go, if nobody says otherwise. */
  readonly via: ProxyAddress | null;
  readonly #origin: Origin | null;
  readonly #rewriteHost: boolean;
  readonly #sni: string | null;
  readonly #names: readonly string[] | null;

  constructor(
    clientConn: ClientConnection,
    origin: Origin | null,
    options: RouteOptions = {},
  ) {
    this.clientConn = clientConn;
    this.via = origin?.via ?? options.via ?? null;
    this.#origin = origin;
    this.#rewriteHost = options.rewriteHost ?? false;
    this.#sni = options.sni ?? null;
    this.#names = options.names ?? null;
  }

  /** True when a request in origin-form has somewhere to go. */
  get hasOrigin(): boolean {
    return this.#origin !== null;
  }

  /** The head with scheme, host and port filled in. */
  resolve(head: RequestHead): RequestHead {
    const origin = this.#origin;
    if (origin === null) {
      const scheme = head.scheme || "http";
      return { ...head, scheme, port: head.port || defaultPort(scheme) };
    }
    // The connection decides where the request goes, whatever the request says of it.
    if (this.#rewriteHost) head.headers.set("Host", authorityOf(origin.host, origin.port, origin.scheme));
    return { ...head, scheme: origin.scheme, host: origin.host, port: origin.port };
  }

  /** The hosts by which a request with this head was addressed, each as it was written. */
  namesOf({ host, headers, otherHost }: RequestHead): readonly string[] {
    if (this.#origin !== null && this.#names === null) return [];
    const field = otherHost ?? parseAuthority(headers.get("host") ?? "")?.host;
    const names = this.#names ?? [host];
    return field === undefined ? names : [...names, field];
  }

  /** Where to connect for a request that the addons have seen; `via` and `isRaw` as in {@linkcode Destination}. */
  destination(
    { scheme, host, port }: Pick<RequestHead, "scheme" | "host" | "port">,
    via: ProxyAddress | null,
    isRaw: boolean,
  ): Destination {
    const origin = this.#origin;
    const same = origin !== null && origin.host === host && origin.port === port;
    const sni = same ? this.#sni : null;
    return { scheme: scheme === "https" ? "https" : "http", host, port, sni, via, isRaw };
  }
}
