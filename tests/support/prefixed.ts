import type { Conn } from "../../src/net/conn.ts";
import { PassingConn } from "../../src/net/passing.ts";

/** `bytes` are read first, then `conn`. */
export function prefixed(conn: Conn, bytes: Uint8Array): Conn {
  return new Prefixed(conn, bytes);
}

class Prefixed extends PassingConn {
  #bytes: Uint8Array;

  constructor(conn: Conn, bytes: Uint8Array) {
    super(conn);
    this.#bytes = bytes;
  }

  override read(into: Uint8Array): Promise<number | null> {
    if (this.#bytes.length === 0) return super.read(into);
    const count = Math.min(into.length, this.#bytes.length);
    into.set(this.#bytes.subarray(0, count));
    this.#bytes = this.#bytes.subarray(count);
    return Promise.resolve(count);
  }
}
