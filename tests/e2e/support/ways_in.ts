/**
 * Ways by which a client gets to an origin through weir: one for each mode, and for each way to speak to a
 * proxy.
 * @module
 */
import http2 from "node:http2";
import type { Duplex } from "node:stream";
import type { Address, Conn, TlsInfo } from "../../../src/net/mod.ts";
import { dial } from "../../../src/net/mod.ts";
import { socksConnect } from "../../../src/socks/mod.ts";
import { clientHandshake } from "../../../src/tls/mod.ts";
import { Client } from "./client.ts";
import type { Origin } from "./origin.ts";
import type { RawConn } from "./wire.ts";

/** A running weir. */
export interface Entrance {
  readonly port: number;
  ca(): Promise<string>;
}

/** A way to an origin. */
export interface Way {
  readonly name: string;
  /** Value of the option `mode`. */
  mode(server: Origin): string;
  /** Where the origin listens in place of 127.0.0.1. */
  readonly originHost?: string;
  /** Requests are written with their whole URL, where the origin speaks no TLS. */
  readonly isAbsolute?: boolean;
  /** A connection on which the origin is spoken to; TLS with it comes on top. */
  open(weir: Entrance, server: Origin): Promise<Conn>;
}

export const WAYS: readonly Way[] = [
  {
    name: "regular, absolute URLs or CONNECT",
    mode: () => "regular",
    isAbsolute: true,
    open: plainOrConnect,
  },
  { name: "regular, by SOCKS5", mode: () => "regular", open: socks },
  { name: "socks5", mode: () => "socks5", open: socks },
  {
    name: "an HTTPS proxy, absolute URLs or CONNECT",
    mode: () => "regular",
    isAbsolute: true,
    open: async (weir, server) => {
      const conn = await secured(weir, await toWeir(weir), "127.0.0.1", ["http/1.1"]);
      return server.scheme === "http" ? conn : await connect(conn, server);
    },
  },
  {
    name: "an HTTPS proxy, CONNECT of HTTP/2",
    mode: () => "regular",
    open: http2Connect,
  },
  { name: "reverse", mode: (server) => `reverse:${server.url().slice(0, -1)}`, open: toWeir },
  {
    name: "reverse to bytes",
    mode: ({ scheme, authority }) => `reverse:${scheme === "http" ? "tcp" : "tls"}://${authority}`,
    open: toWeir,
  },
];

function toWeir({ port }: Entrance): Promise<Conn> {
  return dial("127.0.0.1", port, { side: "server" });
}

async function plainOrConnect(weir: Entrance, server: Origin): Promise<Conn> {
  const conn = await toWeir(weir);
  return server.scheme === "http" ? conn : await connect(conn, server);
}

async function socks(weir: Entrance, { authority }: Origin): Promise<Conn> {
  const [hostname, port] = authority.split(":");
  return await socksConnect(await toWeir(weir), { hostname, port: Number(port) }, { login: null });
}

async function connect(conn: Conn, { authority }: Origin): Promise<Conn> {
  await conn.write(new TextEncoder().encode(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`));
  const into = new Uint8Array(1);
  let head = "";
  while (!head.endsWith("\r\n\r\n") && await conn.read(into) !== null) head += String.fromCharCode(into[0]);
  if (!head.startsWith("HTTP/1.1 200 ")) throw new Error(`CONNECT was answered ${JSON.stringify(head)}`);
  return conn;
}

async function http2Connect(weir: Entrance, { authority }: Origin): Promise<Conn> {
  const session = http2.connect(`https://127.0.0.1:${weir.port}`, { ca: await weir.ca() });
  session.on("error", () => {});
  return await connectStream(session, authority, () => session.close());
}

/** CONNECT by a stream of an HTTP/2 session (RFC 9113 §8.5). */
export async function connectStream(
  session: http2.ClientHttp2Session,
  authority: string,
  onClosed: () => void = () => {},
): Promise<Conn> {
  const stream = session.request({ ":method": "CONNECT", ":authority": authority }, { endStream: false });
  const status = await new Promise<number>((resolve, reject) => {
    stream.once("error", reject);
    stream.once("response", (fields) => resolve(Number(fields[":status"])));
  });
  if (status !== 200) throw new Error(`CONNECT was answered ${status}`);
  stream.once("close", onClosed);
  return new DuplexConn(stream);
}

async function secured(weir: Entrance, conn: Conn, servername: string, alpn: string[]): Promise<Conn> {
  return await clientHandshake(conn, { servername, alpn, verify: true, ca: [await weir.ca()] });
}

/** A connection by that way on which requests to the origin can be sent, and what was chosen by ALPN. */
export async function openWay(
  way: Way,
  weir: Entrance,
  server: Origin,
  alpn: string[] = ["http/1.1"],
): Promise<WayClient> {
  const conn = await way.open(weir, server);
  if (server.scheme === "http") return new WayClient(conn);
  return new WayClient(await secured(weir, conn, "localhost", alpn));
}

/** {@linkcode Client} over any connection of weir's own. */
export class WayClient extends Client {
  readonly tls: TlsInfo | null;

  constructor(conn: Conn) {
    super(new ConnAdapter(conn));
    this.tls = conn.tls;
  }
}

class ConnAdapter implements RawConn {
  constructor(readonly conn: Conn) {}

  read(into: Uint8Array): Promise<number | null> {
    return this.conn.read(into);
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.conn.write(bytes);
    return bytes.length;
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

/** A stream of node's as a connection. */
class DuplexConn implements Conn {
  readonly localAddr: Address = { hostname: "", port: 0 };
  readonly remoteAddr: Address = { hostname: "", port: 0 };
  readonly tls = null;
  readonly #stream: Duplex;
  #rest: Uint8Array = new Uint8Array();
  #isEnded = false;
  #error: Error | null = null;
  #wake: () => void = () => {};

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("readable", () => this.#wake());
    stream.on("end", () => (this.#isEnded = true, this.#wake()));
    stream.on("error", (error) => (this.#error = error, this.#wake()));
    stream.on("close", () => (this.#error ??= new Deno.errors.ConnectionReset("Closed."), this.#wake()));
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const data: Uint8Array | null = this.#stream.read();
      if (data !== null) this.#rest = data;
      else if (this.#isEnded) return null;
      else if (this.#error !== null) throw this.#error;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): Promise<void> {
    // A copy: node keeps the buffer after the call.
    return new Promise((resolve, reject) =>
      void this.#stream.write(bytes.slice(), (error) => error ? reject(error) : resolve())
    );
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => void this.#stream.end(() => resolve()));
  }

  close(): void {
    this.#stream.end();
    this.#stream.destroy();
  }

  reset(): void {
    this.#stream.destroy();
  }
}
