/**
 * What addons need to run without a proxy: a context whose log is remembered, an option registry, flows.
 * @module
 */
import { HttpFlow, TcpFlow } from "../../src/flow/flow.ts";
import { Headers, type HeadersInit } from "../../src/http/headers.ts";
import { Request } from "../../src/flow/request.ts";
import { Response } from "../../src/flow/response.ts";
import type { ClientConnection, ServerConnection } from "../../src/flow/connection.ts";
import type { HttpVersion } from "../../src/http/wire.ts";
import { type Context, forAddons } from "../../src/hooks/mod.ts";
import { OptionRegistry } from "../../src/options/mod.ts";

/** A context with its registry; `lines` is the log, `warn: text`. */
export interface AddonHost {
  readonly ctx: Context;
  readonly options: OptionRegistry;
  readonly lines: string[];
  /** What was printed, by stream. */
  readonly printed: { stdout: string; stderr: string; writes: number };
  /** Resolves with the first line that matches, there already or to come; rejects when none has come after a while. */
  logged(pattern: RegExp): Promise<string>;
}

/** A line that has not come by then will not come, on a slow machine either. */
const DEADLINE_MS = 60_000;

export function addonHost(): AddonHost {
  const options = new OptionRegistry();
  const lines: string[] = [];
  const printed = { stdout: "", stderr: "", writes: 0 };
  const waiting = new Set<
    { pattern: RegExp; resolve: (line: string) => void; timer: ReturnType<typeof setTimeout> }
  >();
  const log = (level: string) => (text: string) => {
    const line = `${level}: ${text}`;
    lines.push(line);
    for (const waiter of waiting) {
      if (!waiter.pattern.test(line)) continue;
      waiting.delete(waiter);
      clearTimeout(waiter.timer);
      waiter.resolve(line);
    }
  };
  const ctx: Context = {
    options: forAddons(options.values),
    print: (text, to = "stdout") => {
      printed[to] += text;
      printed.writes++;
      return undefined;
    },
    log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
    proxy: {
      version: "1.2.3",
      isPrimary: true,
      isHooked: () => false,
      heldBytes: 0,
      hookSeconds: () => new Map(),
      metrics: [],
      addMetric: () => {},
      addOwnAddress: () => {},
      leaving: new AbortController().signal,
      hurry: new AbortController().signal,
      addresses: [{ hostname: "127.0.0.1", port: 8081 }],
      modes: ["regular"],
      certificate: (format) => Promise.resolve(new TextEncoder().encode(`certificate as ${format}`)),
      guard: () => {},
      shutdown: () => {},
      endsAfter: () => {},
      load: () => Promise.resolve(),
      whyNoReplay: () => null,
      replay: (flow) => Promise.resolve(flow),
    },
  };
  return {
    ctx,
    options,
    lines,
    printed,
    logged(pattern) {
      const line = lines.find((line) => pattern.test(line));
      if (line !== undefined) return Promise.resolve(line);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(
            new Error(
              `No line matched ${pattern} within ${DEADLINE_MS} ms; the log was ${JSON.stringify(lines)}`,
            ),
          );
        }, DEADLINE_MS);
        waiting.add({ pattern, resolve, timer });
      });
    },
  };
}

export const clientConn: ClientConnection = {
  id: "client-1",
  address: { hostname: "127.0.0.1", port: 52344 },
  localAddress: { hostname: "127.0.0.1", port: 8081 },
  tls: null,
  alpnOffers: [],
  shownCertificate: null,
  mode: "regular",
  timestampStart: 0,
  timestampTlsSetup: null,
  timestampEnd: null,
};

export const serverConn: ServerConnection = {
  id: "server-1",
  address: { hostname: "example.com", port: 80 },
  via: null,
  peerAddress: null,
  localAddress: null,
  tls: null,
  alpnOffers: [],
  timestampStart: 0,
  timestampTcpSetup: null,
  timestampTlsSetup: null,
  timestampEnd: null,
};

/** A flow for `GET http://example.com/path`, unless told otherwise. */
export function httpFlow(
  given: { method?: string; host?: string; path?: string; headers?: HeadersInit; httpVersion?: HttpVersion } =
    {},
): HttpFlow {
  const request = new Request({
    method: given.method ?? "GET",
    form: "absolute",
    scheme: "http",
    host: given.host ?? "example.com",
    port: 80,
    path: given.path ?? "/path",
    httpVersion: given.httpVersion ?? "HTTP/1.1",
    headers: new Headers(given.headers ?? { Host: given.host ?? "example.com" }),
  });
  return new HttpFlow(request, clientConn);
}

/** Gives a flow a response from the origin. */
export function respond(
  flow: HttpFlow,
  given: { statusCode?: number; reason?: string; headers?: HeadersInit; httpVersion?: HttpVersion } = {},
): Response {
  const response = new Response({
    statusCode: given.statusCode ?? 200,
    reason: given.reason ?? "OK",
    httpVersion: given.httpVersion ?? "HTTP/1.1",
    headers: new Headers(given.headers),
  });
  flow.response = response;
  return response;
}

export function tcpFlow(): TcpFlow {
  const flow = new TcpFlow(clientConn);
  flow.serverConn = serverConn;
  return flow;
}
