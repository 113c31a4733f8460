/**
 * Servers and clients of npm's `ws`, and how they reach each other through weir.
 * @module
 */
import { equals } from "@std/bytes";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
// @ts-types="../../websocket/ws.d.ts"
import { type DeflateOptions, WebSocket, WebSocketServer } from "ws";
import { serverCertificate } from "./certs.ts";
import type { TestProxy } from "./proxy.ts";

/** How a client reaches the server through a proxy: plain by absolute-form, plain through CONNECT, TLS through CONNECT. */
export type Way = "absolute-form" | "CONNECT" | "wss";

/** A server that sends every message back, as it came. */
export interface EchoServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Ends that are open. */
  readonly sockets: Set<WebSocket>;
  readonly http: http.Server;
}

export async function echoServer(
  { secure = false, deflate = false }: { secure?: boolean; deflate?: boolean | DeflateOptions } = {},
): Promise<EchoServer> {
  const server = secure ? https.createServer({ ...await serverCertificate() }) : http.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as net.AddressInfo;
  const sockets = new WebSocketServer({ server, perMessageDeflate: deflate });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return {
    url: `${secure ? "wss://localhost" : "ws://127.0.0.1"}:${port}/chat`,
    port,
    sockets: sockets.clients,
    http: server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** `ws` as a client, behind the proxy. */
export async function wsClient(
  proxy: TestProxy,
  url: string,
  { way, deflate = false }: { way: Way; deflate?: boolean | DeflateOptions },
): Promise<WebSocket> {
  const { host } = new URL(url);
  const socket = await connect(proxy.port);
  const perMessageDeflate = deflate;
  let client: WebSocket;
  if (way === "absolute-form") {
    client = new WebSocket(url, [], {
      perMessageDeflate,
      createConnection: () => socket,
      finishRequest(request) {
        request.path = url.replace(/^ws/, "http");
        request.end();
      },
    });
  } else {
    await tunnel(socket, host);
    const ca = await proxy.ca();
    client = new WebSocket(url, [], {
      perMessageDeflate,
      createConnection: () => way === "wss" ? tls.connect({ socket, servername: "localhost", ca }) : socket,
    });
  }
  await new Promise<void>((resolve, reject) => {
    client.on("open", resolve);
    client.on("error", reject);
  });
  return client;
}

async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

async function tunnel(socket: net.Socket, authority: string): Promise<void> {
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const answer = await new Promise<Uint8Array>((resolve) => socket.once("data", resolve));
  const text = new TextDecoder().decode(answer);
  if (!/^HTTP\/1\.1 200 .*\r\n\r\n$/s.test(text)) throw new Error(`CONNECT was answered ${text}`);
}

const LARGE = 10 * 1024 * 1024;

/** Text (1 MB), binary, empty ones of both, and 10 MB that compress well or not at all. */
export function allKinds(): (string | Uint8Array<ArrayBuffer>)[] {
  const noise = new Uint8Array(LARGE);
  for (let at = 0; at < LARGE; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
  const even = new Uint8Array(LARGE).map((_, i) => i >> 8);
  const text = "Grüße, 世界 😀 ".repeat(400_000);
  return ["a", "", new Uint8Array(0), text, noise, new Uint8Array([0, 255, 128]), even, "the end"];
}

/** True for the same kind and the same bytes. */
export function isSame(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return equals(a, b);
}
