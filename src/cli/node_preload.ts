/**
 * Brings Node programs under `weir exec` to the proxy: `http`, `https` and `fetch` look at no environment
 * variable before Node 24, and agents of a program's own do not since. Node runs it first, by `NODE_OPTIONS=--require`.
 *
 * Each connection becomes a tunnel through CONNECT (RFC 9110 §9.3.6), plain HTTP too, so requests stay as they are.
 * @module
 */
import type { NetConnectOpts, Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";

type Callback = (error: Error | null, socket?: Socket | TLSSocket) => void;
type ConnectOptions = ConnectionOptions & { socketPath?: string; timeout?: number };
type CreateConnection = (options: ConnectOptions, callback?: Callback) => Socket | undefined;
/** How undici (fetch) asks for a connection. */
interface UndiciTarget {
  hostname: string;
  port: string;
  protocol: string;
  servername: string | null;
}

/** What the function below finds in Node. */
export interface NodeGlobals {
  require(name: "node:net"): { connect(options: NetConnectOpts): Socket; isIP(text: string): number };
  require(name: "node:tls"): { connect(options: ConnectionOptions): TLSSocket };
  require(name: "node:http" | "node:https"): { Agent: { prototype: object } };
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The text of the file to require: {@linkcode preload} as JavaScript. */
export function nodePreload(): string {
  return `"use strict";\n(${preload})({ require, versions: process.versions, env: process.env });\n`;
}

/** Runs in Node, as text: nothing outside of it may be used but types. */
function preload({ require, versions, env }: NodeGlobals): void {
  const http = require("node:http"), https = require("node:https");
  const net = require("node:net"), tls = require("node:tls");
  const proxyUrl = env.HTTPS_PROXY || env.https_proxy;
  // Deno and Bun honour the environment on their own.
  if (!proxyUrl || versions.deno || versions.bun) return;
  const proxy = new URL(proxyUrl);
  const proxyHost = proxy.hostname.replace(/^\[|\]$/g, ""), proxyPort = Number(proxy.port);
  /** Heads of answers to CONNECT are short; more than this is something else. */
  const MAX_HEAD = 16384;

  function tunnel(host: string, port: number, done: Callback): void {
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const socket = net.connect({ host: proxyHost, port: proxyPort });
    let head = "";
    const settle = (error: Error | null) => {
      socket.off("error", settle).off("end", onEnd).off("readable", onReadable);
      if (error) socket.destroy();
      done(error, socket);
    };
    const onEnd = () => settle(new Error(`The proxy ${proxyUrl} closed the connection to ${authority}.`));
    const onReadable = () => {
      for (let bytes; (bytes = socket.read()) !== null;) {
        head += bytes.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0 && head.length <= MAX_HEAD) continue;
        const line = head.slice(0, head.indexOf("\r\n"));
        if (end < 0 || !/^HTTP\/1\.[01] 200\b/.test(line)) {
          return settle(new Error(`The proxy ${proxyUrl} refused a connection to ${authority}: ${line}`));
        }
        if (head.length > end + 4) socket.unshift(head.slice(end + 4), "latin1");
        return settle(null);
      }
    };
    socket.on("error", settle).on("end", onEnd).on("readable", onReadable);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  }

  function patch(prototype: object, defaultPort: number): void {
    const agent = prototype as { createConnection: CreateConnection; options?: { proxyEnv?: unknown } };
    const direct = agent.createConnection;
    agent.createConnection = function (options, callback) {
      const { host = "localhost", port = defaultPort } = options;
      // Since Node 24.5 and 22.21 the global agents know the proxy; and clients that do speak to it themselves.
      const knows = this.options?.proxyEnv || (host === proxyHost && Number(port) === proxyPort);
      if (knows || options.socketPath) {
        return direct.call(this, options, callback);
      }
      tunnel(host, Number(port), (error, socket) => {
        if (error) return callback?.(error);
        if (options.timeout) socket!.setTimeout(options.timeout);
        callback?.(null, defaultPort === 443 ? direct.call(this, { ...options, socket }) : socket);
      });
      return undefined;
    };
  }
  patch(http.Agent.prototype, 80);
  patch(https.Agent.prototype, 443);

  function connect({ hostname, port, protocol, servername }: UndiciTarget, done: Callback): void {
    const isTls = protocol === "https:", host = hostname.replace(/^\[|\]$/g, "");
    tunnel(host, Number(port) || (isTls ? 443 : 80), (error, socket) => {
      if (error || !isTls) return done(error, socket);
      const name = servername || (net.isIP(host) ? "" : host);
      const secure = tls.connect({
        socket: socket as Socket,
        host,
        servername: name,
        ALPNProtocols: ["http/1.1"],
      });
      secure.once("error", done).once("secureConnect", () => {
        secure.off("error", done);
        done(null, secure);
      });
    });
  }

  // undici comes with the first use of fetch, since loading it takes time that few programs need to spend.
  const scope = globalThis as Record<PropertyKey, unknown>;
  const key = Symbol.for("undici.globalDispatcher.1");
  let isSet = Number(versions.node?.split(".")[0]) >= 24;
  function setDispatcher(): void {
    if (isSet) return;
    isSet = true;
    new Response();
    const Agent = scope[key]?.constructor as (new (init: { connect: typeof connect }) => object) | undefined;
    // Any other is one that the program has set.
    if (Agent?.name === "Agent") scope[key] = new Agent({ connect });
  }
  for (const name of ["fetch", "WebSocket", "EventSource"]) {
    const property = Object.getOwnPropertyDescriptor(globalThis, name);
    if (property === undefined) continue;
    const { value, get } = property;
    if (get) {
      property.get = () => (setDispatcher(), get.call(globalThis));
    } else if (name === "fetch") {
      property.value = function fetch(...given: unknown[]) {
        setDispatcher();
        return value.apply(this, given);
      };
    }
    Object.defineProperty(globalThis, name, property);
  }
}
