/**
 * A connection with bytes put back in front: what was peeked at is read again.
 * @module
 */
import type { Address, Conn, TlsInfo } from "./conn.ts";

/** `bytes` are read first, then `conn`. The bytes are not copied. */
export function prefixed(conn: Conn, bytes: Uint8Array): Conn {
  return bytes.length === 0 ? conn : new PrefixedConn(conn, bytes);
}

class PrefixedConn implements Conn {
  readonly #conn: Conn;
  #bytes: Uint8Array | null;

  constructor(conn: Conn, bytes: Uint8Array) {
    this.#conn = conn;
    this.#bytes = bytes;
  }

  get localAddr(): Address {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Address {
    return this.#conn.remoteAddr;
  }

  get tls(): TlsInfo | null {
    return this.#conn.tls;
  }

  get truncated(): boolean {
    return this.#conn.truncated ?? false;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#bytes === null) return this.#conn.read(into);
    const count = Math.min(into.length, this.#bytes.length);
    into.set(this.#bytes.subarray(0, count));
    this.#bytes = count === this.#bytes.length ? null : this.#bytes.subarray(count);
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }

  reset(): void {
    this.#conn.reset();
  }
}
