/**
 * Connections that can be reset on demand, which `Deno.Conn` cannot: node:net sockets behind the same few methods.
 * @module
 */
import type net from "node:net";
import type { RawConn } from "./wire.ts";

/** A node:net socket as a {@linkcode RawConn}: the only kind that can send a TCP reset on demand. */
export class NetConn implements RawConn {
  readonly #socket: net.Socket;
  #rest: Uint8Array = new Uint8Array();
  #ended = false;
  #error: Error | null = null;
  #wake: () => void = () => {};

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("readable", () => this.#wake());
    socket.on("end", () => (this.#ended = true, this.#wake()));
    socket.on("error", (error) => (this.#error = error, this.#wake()));
    socket.on("close", () => (this.#error ??= new Deno.errors.BadResource("Closed."), this.#wake()));
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const data: Uint8Array | null = this.#socket.read();
      if (data !== null) this.#rest = data;
      else if (this.#ended) return null;
      else if (this.#error !== null) throw this.#error;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    // A copy: node:net keeps the buffer after the call.
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes.slice(), (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}
