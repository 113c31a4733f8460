/**
 * A connection over another one: what a subclass does not change is passed on.
 * @module
 */
import type { Address, Conn, TlsInfo } from "./conn.ts";

/** The common part of connections whose reading or closing differs from that of the one below. */
export abstract class PassingConn implements Conn {
  protected readonly conn: Conn;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  get localAddr(): Address {
    return this.conn.localAddr;
  }

  get remoteAddr(): Address {
    return this.conn.remoteAddr;
  }

  get tls(): TlsInfo | null {
    return this.conn.tls;
  }

  get truncated(): boolean {
    return this.conn.truncated ?? false;
  }

  get moved(): number {
    return this.conn.moved ?? 0;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.conn.read(into);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.conn.closeWrite();
  }

  close(): void {
    this.conn.close();
  }

  reset(): void {
    this.conn.reset();
  }
}
