/** A connection of weir's on a memory connection, with a server that a test plays. @module */
import { assert, assertEquals } from "@std/assert";
import type { UpstreamResponse } from "../../src/http/wire.ts";
import { Http2Connection } from "../../src/http2/client.ts";
import type { KeepAliveOptions } from "../../src/http2/keep_alive.ts";
import { PREFACE } from "../../src/http2/frames.ts";
import { type MemoryConnOptions, memoryConnPair } from "../support/memory_conn.ts";
import { FramePeer, FrameType, requestHead, utf8 } from "./support.ts";

/** A connection of weir's to a server that the test plays; the preface is read and answered. */
export async function withClient(
  test: (connection: Http2Connection, server: FramePeer) => Promise<void>,
  options: MemoryConnOptions & KeepAliveOptions & { settings?: [number, number][] } = {},
): Promise<void> {
  const [near, far] = memoryConnPair(options);
  const connection = new Http2Connection(near, options);
  const server = new FramePeer(far);
  assertEquals(await far.readExactly(PREFACE.length), PREFACE);
  await server.start("server", options.settings);
  try {
    await test(connection, server);
  } finally {
    connection.close();
    await connection.done;
    assert(near.closed);
    far.close();
  }
}

export const ignore = () => {};
export const OK = [":status", "200"];

export function get(connection: Http2Connection): Promise<UpstreamResponse> {
  return connection.exchange().send(requestHead(), null, ignore);
}

/** Waits until the connection has read all that the server has sent. */
export async function settled(server: FramePeer): Promise<void> {
  await server.send(FrameType.PING, 0, 0, utf8("settled!"));
  for (let line = ""; line !== "PING ACK settled!"; line = await server.line());
}
