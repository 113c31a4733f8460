/**
 * Cases: HTTP/2 on the client's leg, inside intercepted TLS.
 * @module
 */
import { curlHttp2, h2load } from "../load/http2.ts";
import type { PeerName } from "../peers/peer.ts";
import { type Case, withCpu } from "./case.ts";

/** The others speak HTTP/1.1 to clients. */
const PEERS: readonly PeerName[] = ["weir", "mitmdump", "mockttp", "nginx", "no proxy"];

export const HTTP2: readonly Case[] = [
  {
    name: "HTTP/2 download, TLS intercepted",
    unit: "MB/s",
    peers: PEERS,
    setup: { stream: true },
    reach: [{ than: "mitmdump", atLeast: 2 }],
    missing: ({ tools, origins }) =>
      tools.curl && origins.http2 !== null ? null : "needs apt-get install curl nginx-light",
    measure: (work, running) => {
      const origin = work.origins.http2!;
      const target = { via: running.via(origin, true), origin, secure: true };
      return withCpu(running, async () => {
        const { bytes, seconds } = await curlHttp2(target, "/big", work.origins.bigSize);
        return { value: bytes / seconds / 1e6, bytes };
      });
    },
  },
  {
    name: "HTTP/2 GET 1 KiB, h2load -c 4 -m 16, TLS intercepted",
    unit: "req/s",
    peers: PEERS,
    reach: [{ than: "mitmdump", atLeast: 8 }],
    missing: ({ tools, origins }) =>
      tools.h2load && origins.http2 !== null ? null : "needs apt-get install nghttp2-client nginx-light",
    measure: (work, running) => {
      const origin = work.origins.http2!;
      const target = { via: running.via(origin, true), origin, secure: true };
      return withCpu(running, async () => {
        const { requests, seconds } = await h2load(target, "/small", work.sizes.seconds);
        return { value: requests / seconds, requests };
      });
    },
  },
];
