/**
 * The same exchange in every combination of versions: an origin and a client that speak HTTP/1.1 or HTTP/2 over TLS, and
 * differ in nothing else. They are weir's own codecs; what is on the wire is shown frame by frame in `http2.ts`.
 * @module
 */
import tls from "node:tls";
import type {
  HttpVersion,
  IncomingExchange,
  OutgoingExchange,
  RequestHead,
  ResponseHead,
  UpstreamResponse,
} from "../../../src/http/wire.ts";
import { Headers } from "../../../src/http/headers.ts";
import { Http1Connection, serveHttp1 } from "../../../src/http1/mod.ts";
import { Http2Connection, serveHttp2 } from "../../../src/http2/mod.ts";
import { type Conn, dial, listen } from "../../../src/net/mod.ts";
import type { Body } from "../../../src/streams/body.ts";
import { clientHandshake, serverHandshake } from "../../../src/tls/mod.ts";
import { serverCertificate } from "./certs.ts";
import type { TrustedProxy } from "./http2.ts";

export type Version = Extract<HttpVersion, "HTTP/1.1" | "HTTP/2.0">;
export const VERSIONS: readonly Version[] = ["HTTP/1.1", "HTTP/2.0"];
/** Client's and origin's version. */
export const COMBINATIONS: readonly (readonly [Version, Version])[] = VERSIONS.flatMap((client) =>
  VERSIONS.map((origin) => [client, origin] as const)
);

const ALPN: Record<Version, string> = { "HTTP/1.1": "http/1.1", "HTTP/2.0": "h2" };

/** An origin of one version. */
export class VersionOrigin implements AsyncDisposable {
  /** Connections so far. */
  connections = 0;
  /** What the handler threw. */
  readonly errors: unknown[] = [];
  readonly #shutdown = new AbortController();
  readonly #served = new Set<Promise<void>>();
  readonly #conns = new Set<Conn>();
  readonly #listener = listen({ hostname: "127.0.0.1", port: 0 });
  readonly #accepting: Promise<void>;

  constructor(
    readonly version: Version,
    handler: (incoming: IncomingExchange) => Promise<void>,
  ) {
    this.#accepting = this.#accept(handler);
  }

  get authority(): string {
    return `localhost:${this.#listener.addr.port}`;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #accept(handler: (incoming: IncomingExchange) => Promise<void>): Promise<void> {
    const secureContext = tls.createSecureContext({ ...await serverCertificate() });
    const signal = this.#shutdown.signal;
    const checked = (incoming: IncomingExchange) =>
      handler(incoming).catch((error) => {
        this.errors.push(error);
        throw error;
      });
    for await (const plain of this.#listener) {
      this.connections++;
      const serve = async () => {
        const conn = await serverHandshake(plain, { secureContext, alpn: [ALPN[this.version]] });
        this.#conns.add(conn);
        if (this.version === "HTTP/2.0") await serveHttp2(conn, checked, { signal });
        else await serveHttp1(conn, checked, { signal });
        conn.close();
      };
      const served = serve().catch(() => {}).finally(() => this.#served.delete(served));
      this.#served.add(served);
    }
  }

  /** Tells connections to end in order (GOAWAY). */
  drain(): void {
    this.#shutdown.abort();
  }

  /** Cuts all connections. */
  reset(): void {
    for (const conn of this.#conns) conn.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    this.#shutdown.abort();
    this.reset();
    await Promise.all(this.#served);
  }
}

/** A client of one version, inside CONNECT and TLS. */
export class VersionClient implements AsyncDisposable {
  readonly #connection: Http1Connection | Http2Connection;

  private constructor(readonly version: Version, readonly conn: Conn, readonly authority: string) {
    this.#connection = version === "HTTP/2.0" ? new Http2Connection(conn) : new Http1Connection(conn);
  }

  static async connect(
    version: Version,
    proxy: TrustedProxy,
    { authority }: { authority: string },
  ): Promise<VersionClient> {
    const plain = await dial("127.0.0.1", proxy.port, { side: "server" });
    const [host, port] = authority.split(":");
    const connect = new Http1Connection(plain).exchange();
    const { upgraded } = await connect.send(
      { ...head("CONNECT", "", []), form: "authority", host, port: Number(port), httpVersion: "HTTP/1.1" },
      null,
      () => {},
    );
    const conn = await clientHandshake(upgraded!, {
      servername: host,
      alpn: [ALPN[version]],
      verify: true,
      ca: [await proxy.ca()],
    });
    if (conn.tls!.alpn !== ALPN[version]) throw new Error(`weir chose ${conn.tls!.alpn}.`);
    return new VersionClient(version, conn, authority);
  }

  exchange(): OutgoingExchange {
    return this.#connection.exchange();
  }

  /** Sends a request; with HTTP/1.1 one at a time. */
  send(
    method: string,
    path = "/",
    { fields = [], body = null, onInformational = () => {} }: {
      fields?: [string, string][];
      body?: Body | null;
      onInformational?: (head: ResponseHead) => void;
    } = {},
    exchange: OutgoingExchange = this.exchange(),
  ): Promise<UpstreamResponse> {
    const host: [string, string][] = this.version === "HTTP/1.1" ? [["Host", this.authority]] : [];
    const [name, port] = this.authority.split(":");
    return exchange.send(
      { ...head(method, path, [...host, ...fields]), host: name, port: Number(port), scheme: "https" },
      body,
      onInformational,
    );
  }

  /** Cuts the connection. */
  reset(): void {
    this.conn.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    if (this.#connection instanceof Http2Connection) await this.#connection.done;
    // What close() interrupted settles in a later turn; the leak check must not see it.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function head(method: string, path: string, fields: [string, string][]): RequestHead {
  return {
    method,
    form: "origin",
    scheme: "",
    host: "",
    port: 0,
    path,
    httpVersion: "HTTP/1.1",
    headers: new Headers(fields),
  };
}

export function response(statusCode: number, fields: [string, string][] = []): ResponseHead {
  return { statusCode, reason: "", httpVersion: "HTTP/1.1", headers: new Headers(fields) };
}

/** A body to its end; `cut` says whether it ended by an error. */
export async function read(body: Body | null): Promise<{ text: string; pieces: number[]; cut: boolean }> {
  const pieces: Uint8Array[] = [];
  let cut = false;
  try {
    for (let piece; body !== null && (piece = body.take()) !== null;) {
      if (piece === undefined) await body.fill();
      else pieces.push(piece.slice());
    }
  } catch {
    cut = true;
  }
  const text = pieces.map((piece) => new TextDecoder("latin1").decode(piece)).join("");
  return { text, pieces: pieces.map((piece) => piece.length), cut };
}
