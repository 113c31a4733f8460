/**
 * Cases: one large body, down and up, streamed and buffered.
 * @module
 */
import { load } from "../load/run.ts";
import { PEER_NAMES, type PeerName, type Running } from "../peers/peer.ts";
import { type Case, type Sample, withCpu, type Work } from "./case.ts";

const HOOKABLE: readonly PeerName[] = ["weir", "mitmdump"];

export const LARGE: readonly Case[] = [
  {
    name: "download, content-length",
    unit: "MB/s",
    peers: PEER_NAMES,
    setup: { stream: true },
    reach: [{ than: "mitmdump", atLeast: 1.6 }, { than: "goproxy", atLeast: 0.8 }],
    measure: (work, running) => transfer(work, running, "download", "length", false),
  },
  {
    name: "download, 16 KiB chunks",
    unit: "MB/s",
    peers: PEER_NAMES,
    setup: { stream: true },
    reach: [{ than: "mitmdump", atLeast: 1.3 }, { than: "goproxy", atLeast: 0.8 }],
    measure: (work, running) => transfer(work, running, "download", "chunked", false),
  },
  {
    name: "download, content-length, TLS intercepted",
    unit: "MB/s",
    peers: PEER_NAMES,
    setup: { stream: true },
    reach: [{ than: "mitmdump", atLeast: 1.5 }, { than: "goproxy", atLeast: 1 }],
    measure: (work, running) => transfer(work, running, "download", "length", true),
  },
  {
    name: "download, 16 KiB chunks, TLS intercepted",
    unit: "MB/s",
    peers: PEER_NAMES,
    setup: { stream: true },
    reach: [{ than: "mitmdump", atLeast: 1.5 }, { than: "goproxy", atLeast: 1 }],
    measure: (work, running) => transfer(work, running, "download", "chunked", true),
  },
  {
    name: "upload",
    unit: "MB/s",
    peers: PEER_NAMES,
    setup: { stream: true },
    reach: [{ than: "mitmdump", atLeast: 1 }],
    measure: (work, running) => transfer(work, running, "upload", "sink", false),
  },
  {
    name: "upload, TLS intercepted",
    unit: "MB/s",
    peers: PEER_NAMES,
    setup: { stream: true },
    measure: (work, running) => transfer(work, running, "upload", "sink", true),
  },
  {
    name: "per-chunk identity hook",
    unit: "MB/s",
    peers: HOOKABLE,
    setup: { hook: "identity" },
    reach: [{ than: "mitmdump", atLeast: 1 }],
    measure: (work, running) => transfer(work, running, "download", "length", false),
  },
  {
    name: "gunzip, replace, gzip",
    unit: "MB/s",
    peers: HOOKABLE,
    setup: { hook: "coded" },
    measure: (work, running) => transfer(work, running, "download", "gzip", false, work.sizes.coded),
  },
  {
    name: "buffered 100 MB, hook reads it",
    unit: "MB/s",
    peers: HOOKABLE,
    setup: { hook: "content" },
    reach: [{ than: "mitmdump", atLeast: 10 }],
    measure: (work, running) => transfer(work, running, "download", "length", false, work.sizes.buffered),
  },
];

function transfer(
  work: Work,
  running: Running,
  direction: "download" | "upload",
  name: string,
  secure: boolean,
  size = work.sizes.large,
): Promise<Sample> {
  const origin = secure ? work.origins.bulk.secure : work.origins.bulk.plain;
  const target = { via: running.via(origin, secure), origin, secure };
  const path = direction === "upload" ? `/${name}` : `/${name}/${size}`;
  return withCpu(running, async () => {
    const { bytes, seconds } = await load(direction, { target, path, size, isCoded: name === "gzip" });
    return { value: bytes / seconds / 1e6, bytes };
  });
}
