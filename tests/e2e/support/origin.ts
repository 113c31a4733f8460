/**
 * Raw origins: every byte that they send, and when, is the test's choice.
 *
 * ```ts
 * await using server = await origin((wire) => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
 * ```
 * @module
 */
import net from "node:net";
import { type ServerCertificate, serverCertificate } from "./certs.ts";
import { BodyReader, chunks, Head } from "./http.ts";
import { NetConn } from "./net_conn.ts";
import { bytesOf, Cut, type RawConn, textOf, Wire } from "./wire.ts";
import { within } from "./within.ts";

/** Answers one request; the body, if any, is still to be read. */
export type Script = (wire: Wire, request: Head) => Promise<unknown> | unknown;

export interface OriginOptions {
  /** Speaks TLS with this certificate, or with one for localhost and 127.0.0.1. */
  tls?: ServerCertificate | true;
  /** Protocols that it speaks over TLS (default: none is negotiated). */
  alpn?: string[];
  /** Connections can be reset (`wire.reset()`). Not with TLS. */
  resettable?: boolean;
  /** Where to listen in place of 127.0.0.1. Not where connections can be reset. */
  hostname?: string;
}

/** A listener on 127.0.0.1. */
export class Origin implements AsyncDisposable {
  /** Connections that were accepted so far. */
  connections = 0;
  /** Heads of all requests so far. */
  readonly requests: Head[] = [];
  /** What scripts threw, connections that end in mid read aside. */
  readonly errors: unknown[] = [];
  readonly #wires = new Set<Wire>();
  readonly #running = new Set<Promise<void>>();
  #stop: () => Promise<void> = async () => {};
  #closing = false;

  private constructor(readonly port: number, readonly scheme: string) {}

  /** `host:port` */
  get authority(): string {
    return `${this.scheme === "https" ? "localhost" : "127.0.0.1"}:${this.port}`;
  }

  url(path = "/"): string {
    return `${this.scheme}://${this.authority}${path}`;
  }

  /** Open connections now. */
  get open(): number {
    return [...this.#wires].filter((wire) => !wire.closed).length;
  }

  static async listen(
    serve: (wire: Wire, origin: Origin) => Promise<void>,
    options: OriginOptions = {},
  ): Promise<Origin> {
    if (options.resettable) return await Origin.#listenNet(serve);
    const tls = options.tls === true ? await serverCertificate() : options.tls;
    const address = { hostname: options.hostname ?? "127.0.0.1", port: 0 };
    const listener = tls
      ? Deno.listenTls({ ...address, ...tls, alpnProtocols: options.alpn })
      : Deno.listen(address);
    const origin = new Origin((listener.addr as Deno.NetAddr).port, tls ? "https" : "http");
    const accepting = (async () => {
      for (;;) {
        try {
          const conn = await listener.accept();
          if ("setNoDelay" in conn) conn.setNoDelay(true);
          origin.#take(conn, serve);
        } catch {
          // A failed handshake is one connection's matter; a closed listener ends the loop.
          if (origin.#closing) return;
        }
      }
    })();
    origin.#stop = () => (listener.close(), accepting);
    return origin;
  }

  static async #listenNet(serve: (wire: Wire, origin: Origin) => Promise<void>): Promise<Origin> {
    const server = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = new Origin((server.address() as net.AddressInfo).port, "http");
    server.on("connection", (socket) => origin.#take(new NetConn(socket), serve));
    origin.#stop = () => new Promise((resolve) => server.close(() => resolve()));
    return origin;
  }

  #take(conn: RawConn, serve: (wire: Wire, origin: Origin) => Promise<void>): void {
    this.connections++;
    const wire = new Wire(conn);
    this.#wires.add(wire);
    const running = serve(wire, this).catch((error) => {
      if (!this.#closing && !isConnectionError(error)) this.errors.push(error);
    }).finally(() => {
      wire.close();
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    for (const wire of this.#wires) wire.close();
    await this.#stop();
    // Scripts that wait for a gate which a failed test never opened hold no resource: they are left behind.
    await within(300, Promise.all(this.#running), "scripts").catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    if (this.errors.length > 0) throw this.errors[0];
  }
}

/** An origin that runs `script` for each request of each connection. */
export function origin(script: Script, options?: OriginOptions): Promise<Origin> {
  return Origin.listen(async (wire, self) => {
    while (!wire.closed) {
      let raw: string;
      try {
        raw = await wire.readUntil("\r\n\r\n");
      } catch (error) {
        if (error instanceof Cut && error.rest === "") return;
        throw error;
      }
      const request = new Head(raw);
      self.requests.push(request);
      await script(wire, request);
    }
  }, options);
}

/** An origin that gets the bare connection. */
export function tcpOrigin(serve: (wire: Wire) => Promise<void>, options?: OriginOptions): Promise<Origin> {
  return Origin.listen(serve, options);
}

/** A whole response with content-length. */
export function withLength(body: string | Uint8Array, fields = ""): Script {
  const text = typeof body === "string" ? body : textOf(body);
  return sends(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`);
}

/** A whole chunked response with the given boundaries. */
export function withChunks(data: readonly string[], fields = "", trailers = ""): Script {
  return sends(`HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunks(data, trailers)}`);
}

/** A response that ends with the connection. */
export function untilClose(body: string, fields = ""): Script {
  return async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${body}`);
    wire.close();
  };
}

/** Sends `text` as it is. */
export function sends(text: string): Script {
  const bytes = bytesOf(text);
  return (wire) => wire.send(bytes);
}

/** Reads the whole request body and sends it back with content-length. */
export const echo: Script = async (wire, request) => {
  const body = await BodyReader.ofRequest(wire, request).text();
  await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
};

/** Sends `total` bytes with content-length, for as long as somebody takes them. */
export function bulk(total: number, fields = ""): Script {
  const block = new Uint8Array(64 * 1024).fill(0x78);
  return async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${total}\r\n\r\n`);
    for (let left = total; left > 0; left -= block.length) await wire.send(block.subarray(0, left));
  };
}

function isConnectionError(error: unknown): boolean {
  return error instanceof Cut || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.NotConnected ||
    (error instanceof Error && "code" in error && /^(ECONNRESET|EPIPE|ERR_STREAM)/.test(String(error.code)));
}
