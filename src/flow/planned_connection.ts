/**
 * The connection to an origin that an HTTP flow will have: where it is to go is known, and can be changed.
 * @module
 */
import type { Address, TlsInfo } from "../net/mod.ts";
import { parseProxyUrl, type ProxyAddress, proxyUrl } from "../options/mod.ts";
import { messageOf } from "../errors.ts";
import { newId, type ServerConnection } from "./connection.ts";
import type { Request } from "./request.ts";

/** What is to become of a connection that is not made yet. */
export interface Plan {
  /** The proxy by which it is to go; null: none. */
  proxy: ProxyAddress | null;
}

/** What addons see before there is a connection. */
export class PlannedConnection implements ServerConnection {
  readonly peerAddress = null;
  readonly localAddress = null;
  readonly tls: TlsInfo | null = null;
  readonly alpnOffers: readonly string[] = [];
  readonly timestampStart = 0;
  readonly timestampTcpSetup = null;
  readonly timestampTlsSetup = null;
  readonly timestampEnd = null;
  readonly #request: Request;
  readonly #plan: Plan;
  #id: string | null = null;

  constructor(request: Request, plan: Plan) {
    this.#request = request;
    this.#plan = plan;
  }

  get id(): string {
    return this.#id ??= newId();
  }

  /** What the request says now. */
  get address(): Address {
    const { host, port } = this.#request;
    return { hostname: host, port };
  }

  get via(): string | null {
    return this.#plan.proxy && proxyUrl(this.#plan.proxy);
  }

  set via(value: string | null) {
    if (value !== null && typeof value !== "string") {
      throw new TypeError("flow.serverConn.via is the address of a proxy as text, or null.");
    }
    try {
      this.#plan.proxy = value === null ? null : parseProxyUrl(value);
    } catch (error) {
      throw new TypeError(`flow.serverConn.via: ${messageOf(error)}.`);
    }
  }
}

/** The connection that a flow has or had; null where there was none. */
export function madeConnection(
  { serverConn }: { serverConn: ServerConnection | null },
): ServerConnection | null {
  return serverConn instanceof PlannedConnection ? null : serverConn;
}
