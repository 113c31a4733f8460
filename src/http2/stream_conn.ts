/**
 * A stream as a byte connection, for tunnels by CONNECT (RFC 9113 §8.5): DATA both ways, END_STREAM as the end.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Address, Conn, TlsInfo } from "../net/mod.ts";
import { Code } from "./errors.ts";
import type { Stream } from "./stream.ts";

/** One end of a tunnel over HTTP/2. */
export class StreamConn implements Conn {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly tls: TlsInfo | null;
  readonly #stream: Stream;
  #rest: Uint8Array | null = null;

  /** @param conn what carries the stream, for the addresses */
  constructor(stream: Stream, conn: Conn) {
    this.#stream = stream;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
    this.tls = conn.tls;
  }

  get moved(): number {
    return this.#stream.moved;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const { body } = this.#stream;
    while (this.#rest === null) {
      const piece = body.take();
      if (piece === null) return null;
      if (piece === undefined) await body.fill();
      else this.#rest = piece;
    }
    const count = Math.min(this.#rest.length, into.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = count === this.#rest.length ? null : this.#rest.subarray(count);
    return count;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) await this.#stream.sendData(bytes);
  }

  async closeWrite(): Promise<void> {
    if (!this.#stream.localEnded) this.#stream.sendEnd();
    await this.#stream.owner.flushed();
  }

  close(): void {
    const stream = this.#stream;
    if (stream.closed) return;
    // What still waits to be written would come behind the end.
    if (!stream.localEnded && stream.pendingData === null) stream.sendEnd();
    if (stream.localEnded) stream.endEarly(closedHere());
    else this.#reset(Code.CANCEL);
  }

  reset(): void {
    // §8.5: a reset of the connection behind the tunnel.
    this.#reset(Code.CONNECT_ERROR);
  }

  #reset(code: number): void {
    this.#stream.reset(code, closedHere());
  }
}

function closedHere(): WeirError {
  return new WeirError("weir", "closed", "The tunnel was closed here.");
}
