/**
 * A connection to a proxy that takes requests to any origin, as one of those requests sees it.
 * @module
 */
import type { Address, TlsInfo } from "../../net/mod.ts";
import type { ServerConnection } from "../../flow/connection.ts";

/** All is the connection's own, but for where the request goes. */
export class ForwardedConnection implements ServerConnection {
  readonly address: Address;
  readonly connection: ServerConnection;

  constructor(connection: ServerConnection, address: Address) {
    this.connection = connection;
    this.address = address;
  }

  get id(): string {
    return this.connection.id;
  }

  get via(): string | null {
    return this.connection.via;
  }

  set via(value: string | null) {
    this.connection.via = value;
  }

  get peerAddress(): Address | null {
    return this.connection.peerAddress;
  }

  get localAddress(): Address | null {
    return this.connection.localAddress;
  }

  get tls(): TlsInfo | null {
    return this.connection.tls;
  }

  get alpnOffers(): readonly string[] {
    return this.connection.alpnOffers;
  }

  get timestampStart(): number {
    return this.connection.timestampStart;
  }

  get timestampTcpSetup(): number | null {
    return this.connection.timestampTcpSetup;
  }

  get timestampTlsSetup(): number | null {
    return this.connection.timestampTlsSetup;
  }

  get timestampEnd(): number | null {
    return this.connection.timestampEnd;
  }
}
