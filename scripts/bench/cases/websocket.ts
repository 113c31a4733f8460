/**
 * Cases: WebSocket messages.
 * @module
 */
import { load } from "../load/run.ts";
import type { PeerName, Running } from "../peers/peer.ts";
import { hasOption } from "../peers/weir.ts";
import { type Case, type Sample, withCpu, type Work } from "./case.ts";

const PEERS: readonly PeerName[] = ["weir", "mitmdump", "no proxy"];
const KIB = 1024;

/** As raw bytes after an upgrade they would pass, but nothing would be measured. */
function missing(): string | null {
  return hasOption("stream_websockets") ? null : "this weir does not know WebSocket yet";
}

export const WEBSOCKET: readonly Case[] = [
  {
    name: "WebSocket, 1 KiB messages down",
    unit: "msg/s",
    peers: PEERS,
    reach: [{ than: "mitmdump", atLeast: 5 }],
    missing,
    measure: (work, running) => messages(work, running, "messagesDown", KIB),
  },
  {
    name: "WebSocket, 1 KiB messages up",
    unit: "msg/s",
    peers: PEERS,
    reach: [{ than: "mitmdump", atLeast: 5 }],
    missing,
    measure: (work, running) => messages(work, running, "messagesUp", KIB),
  },
  {
    name: "WebSocket, 64 KiB messages down",
    unit: "MB/s",
    peers: PEERS,
    missing,
    measure: (work, running) => messages(work, running, "messagesDown", 64 * KIB),
  },
  {
    name: "WebSocket, 64 KiB messages up",
    unit: "MB/s",
    peers: PEERS,
    missing,
    measure: (work, running) => messages(work, running, "messagesUp", 64 * KIB),
  },
];

function messages(
  { origins, sizes }: Work,
  running: Running,
  task: "messagesDown" | "messagesUp",
  size: number,
): Promise<Sample> {
  const origin = origins.bulk.plain;
  const target = { via: running.via(origin, false), origin, secure: false };
  return withCpu(running, async () => {
    const { messages, bytes, seconds } = await load(task, { target, size, seconds: sizes.seconds });
    const value = size === KIB ? messages / seconds : bytes / seconds / 1e6;
    return size === KIB ? { value, requests: messages } : { value, bytes };
  });
}
