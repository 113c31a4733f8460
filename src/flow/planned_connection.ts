/**
 * Connections to origins that are still to be made, for an HTTP flow or a tunnel: where to is known, and by which proxy can be
 * chosen.
 * @module
 */
import type { Address, TlsInfo } from "../net/mod.ts";
import { parseProxyUrl, type ProxyAddress, proxyUrl } from "../options/mod.ts";
import { messageOf } from "../errors.ts";
import { type ClientConnection, newId, type ServerConnection } from "./connection.ts";
import type { Request } from "./request.ts";

/** What is to become of a connection that is not made yet. */
export interface Plan {
  /** The proxy by which it is to go; null: none. */
  proxy: ProxyAddress | null;
}

/** What addons see of a flow's connection before there is one. */
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
    return viaOf(this.#plan);
  }

  set via(value: string | null) {
    this.#plan.proxy = proxyIn(value, "flow.serverConn.via");
  }
}

/** What addons see of a tunnel before there is a connection (`TunnelData` of the hook `tunnel_start`). */
export class PlannedTunnel {
  readonly clientConn: ClientConnection;
  readonly address: Address;
  readonly #plan: Plan;

  constructor(clientConn: ClientConnection, address: Address, plan: Plan) {
    this.clientConn = clientConn;
    this.address = address;
    this.#plan = plan;
  }

  get via(): string | null {
    return viaOf(this.#plan);
  }

  set via(value: string | null) {
    this.#plan.proxy = proxyIn(value, "tunnel.via");
  }

  /** The function that is returned puts back what addons may change. */
  remember(): () => void {
    const { proxy } = this.#plan;
    return () => void (this.#plan.proxy = proxy);
  }
}

function viaOf({ proxy }: Plan): string | null {
  return proxy && proxyUrl(proxy);
}

function proxyIn(value: string | null, name: string): ProxyAddress | null {
  if (value !== null && typeof value !== "string") {
    throw new TypeError(`${name} is the address of a proxy as text, or null.`);
  }
  try {
    return value === null ? null : parseProxyUrl(value);
  } catch (error) {
    throw new TypeError(`${name}: ${messageOf(error)}.`);
  }
}

/** The connection that a flow has or had; null where there was none. */
export function madeConnection(
  { serverConn }: { serverConn: ServerConnection | null },
): ServerConnection | null {
  return serverConn instanceof PlannedConnection ? null : serverConn;
}
