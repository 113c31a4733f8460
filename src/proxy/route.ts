/**
 * Where a request goes when its target does not say: by the mode of the listener, or by the tunnel it came through.
 * @module
 */
import type { ClientConnection } from "../flow/connection.ts";
import { authorityOf, defaultPort, type RequestHead } from "../http/mod.ts";

/** An origin to connect to. */
export interface Destination {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** Name for SNI and for verifying the certificate; null when that is `host`. */
  readonly sni: string | null;
}

/** A fixed origin: that of a reverse proxy, or the one that a CONNECT named. */
export interface Target {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
}

/** What the requests of one connection have in common. */
export class Route {
  readonly clientConn: ClientConnection;
  readonly #target: Target | null;
  readonly #rewriteHost: boolean;
  /** SNI of the client inside a tunnel, used upstream as well. */
  readonly #sni: string | null;

  constructor(
    clientConn: ClientConnection,
    target: Target | null,
    options: { rewriteHost?: boolean; sni?: string | null } = {},
  ) {
    this.clientConn = clientConn;
    this.#target = target;
    this.#rewriteHost = options.rewriteHost ?? false;
    this.#sni = options.sni ?? null;
  }

  /** True when a request in origin-form has somewhere to go. */
  get hasTarget(): boolean {
    return this.#target !== null;
  }

  /** The head with scheme, host and port filled in. */
  resolve(head: RequestHead): RequestHead {
    const target = this.#target;
    if (target === null) {
      const scheme = head.scheme || "http";
      return { ...head, scheme, port: head.port || defaultPort(scheme) };
    }
    // The connection decides where the request goes, whatever the request says of it.
    if (this.#rewriteHost) head.headers.set("Host", authorityOf(target.host, target.port, target.scheme));
    return { ...head, scheme: target.scheme, host: target.host, port: target.port };
  }

  /** Where to connect for a request that the addons have seen. */
  destination(scheme: string, host: string, port: number): Destination {
    const target = this.#target;
    const same = target !== null && target.host === host && target.port === port;
    return { scheme: scheme === "https" ? "https" : "http", host, port, sni: same ? this.#sni : null };
  }
}
