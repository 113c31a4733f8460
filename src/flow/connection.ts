/**
 * What addons see of the two connections of a flow (mitmproxy `connection.Client`, `connection.Server`).
 * @module
 */
import type { Address, TlsInfo } from "../net/conn.ts";

/** The client's connection to weir. */
export interface ClientConnection {
  /** Unique in this process. */
  readonly id: string;
  /** The client's end. */
  readonly address: Address;
  /** weir's end. */
  readonly localAddress: Address;
  /** Null while (or when) the connection is not TLS. */
  readonly tls: TlsInfo | null;
  /** Which mode's listener took it: "regular", "reverse:http://…". */
  readonly mode: string;
  /** When it was accepted, in milliseconds since the epoch. */
  readonly timestampStart: number;
}

/** weir's connection to an origin. */
export interface ServerConnection {
  /** Unique in this process. */
  readonly id: string;
  /** Where it goes, by the name that was asked for. */
  readonly address: Address;
  /** The resolved far end; null before it is connected. */
  readonly peerAddress: Address | null;
  /** Null while (or when) the connection is not TLS. */
  readonly tls: TlsInfo | null;
  /** When connecting began, in milliseconds since the epoch. */
  readonly timestampStart: number;
}

let counter = 0;
const prefix = crypto.randomUUID().slice(0, 8);

/** A name for a flow or a connection, unique among running processes. */
export function newId(): string {
  return `${prefix}-${(++counter).toString(36)}`;
}
