/**
 * A raw client: sends bytes as they are given, reads responses piece by piece, and says how the connection ended.
 * @module
 */
import net from "node:net";
import { concat } from "@std/bytes";
import { BodyReader, Head, readHead } from "./http.ts";
import { NetConn } from "./net_conn.ts";
import { Cut, type End, type RawConn, textOf, Wire } from "./wire.ts";

/** A response that was read as far as it went. */
export interface Seen {
  /** Interim (1xx) heads that came before. */
  readonly interim: Head[];
  readonly head: Head;
  /** Wire chunks when chunked, else what came in each read. */
  readonly pieces: string[];
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly trailers: [string, string][] | null;
  /** "complete" when the framing says so (until close: FIN), else how the connection ended in mid body. */
  readonly end: "complete" | End;
}

/** Where to connect. */
export interface Target {
  readonly port: number;
}

/** A client connection; close it with `await using`. */
export class Client extends Wire {
  /** Connects to `target.port` on 127.0.0.1, or (where it is not to be resettable) on `hostname`. */
  static async connect(
    target: Target,
    options: { resettable?: boolean; hostname?: string } = {},
  ): Promise<Client> {
    if (options.resettable) {
      const socket = net.connect({ port: target.port, host: "127.0.0.1", allowHalfOpen: true });
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      });
      return new Client(new NetConn(socket));
    }
    const conn = await Deno.connect({ port: target.port, hostname: options.hostname ?? "127.0.0.1" });
    conn.setNoDelay(true);
    return new Client(conn);
  }

  /** The next head, interim ones included. */
  head(): Promise<Head> {
    return readHead(this);
  }

  body(head: Head, method = "GET"): BodyReader {
    return BodyReader.ofResponse(this, head, method);
  }

  /** One response to its end, or to the connection's. */
  async response(method = "GET"): Promise<Seen> {
    const interim: Head[] = [];
    let head = await this.head();
    for (; head.statusCode < 200 && head.statusCode !== 101; head = await this.head()) interim.push(head);
    const reader = this.body(head, method);
    const pieces: Uint8Array[] = [];
    let end: Seen["end"] = "complete";
    try {
      for (let piece; (piece = await reader.next()) !== null;) pieces.push(piece);
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      end = error.end;
    }
    const bytes = concat(pieces);
    return {
      interim,
      head,
      pieces: pieces.map(textOf),
      text: textOf(bytes),
      bytes,
      trailers: reader.trailers,
      end,
    };
  }

  /** CONNECT to `authority`; throws unless the answer is 200. */
  async tunnel(authority: string): Promise<void> {
    await this.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const head = await this.head();
    if (head.statusCode !== 200) throw new Error(`CONNECT was answered ${JSON.stringify(head.raw)}`);
  }

  /** SOCKS5 CONNECT (RFC 1928) to `authority`, without a login; throws unless the reply is 0. */
  async socks(authority: string): Promise<void> {
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(authority)!;
    await this.send(`\x05\x01\x00\x05\x01\x00\x03${String.fromCharCode(host.length)}${host}`);
    await this.send(Uint8Array.of(Number(port) >> 8, Number(port) & 255));
    const replies = await this.readExactly(12);
    if (replies[3] !== 0) throw new Error(`SOCKS5 was answered ${[...replies]}`);
  }

  /** Starts TLS, trusting `ca` alone beside the system's roots. */
  async startTls(hostname: string, ca: string, alpnProtocols?: string[]): Promise<Deno.TlsHandshakeInfo> {
    let plain: RawConn | null = null;
    this.replace((conn) => plain = conn);
    const tls = await Deno.startTls(plain as unknown as Deno.TcpConn, {
      hostname,
      caCerts: [ca],
      alpnProtocols,
    });
    this.replace(() => tls);
    return await tls.handshake();
  }
}

/** What {@linkcode exchange} may be told. */
export interface RequestInit {
  method?: string;
  /** Lines, each with its CRLF. */
  fields?: string;
  body?: string;
  version?: "HTTP/1.1" | "HTTP/1.0";
}

/** The text of an absolute-form request; `body` gets a content-length. */
export function absolute(url: string, init: RequestInit = {}): string {
  const { method = "GET", fields = "", body, version = "HTTP/1.1" } = init;
  const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
  return `${method} ${url} ${version}\r\nHost: ${new URL(url).host}\r\n${fields}${length}\r\n${body ?? ""}`;
}

/** One absolute-form request on a connection of its own, read to the end of its response. */
export async function exchange(proxy: Target, url: string, init: RequestInit = {}): Promise<Seen> {
  await using client = await Client.connect(proxy);
  await client.send(absolute(url, init));
  return await client.response(init.method);
}

/** What curl did. */
export interface CurlResult {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Runs curl (CI installs it), quietly and with a time limit. */
export async function curl(...args: string[]): Promise<CurlResult> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("curl", { args: ["-sS", "--max-time", "30", ...args] }).output();
  } catch (error) {
    throw new Error("These tests need curl: apt-get install curl.", { cause: error });
  }
  return { code: output.code, stdout: output.stdout, stderr: new TextDecoder().decode(output.stderr) };
}
