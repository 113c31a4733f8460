/** A server of weir's on a memory connection, with a client that a test plays. @module */
import { assert } from "@std/assert";
import type { ExchangeHandler, ServeOptions } from "../../src/http/wire.ts";
import { serveHttp2 } from "../../src/http2/server.ts";
import { type MemoryConnOptions, memoryConnPair } from "../support/memory_conn.ts";
import { FramePeer, responseHead, TestBody } from "./support.ts";

/** Runs a server and a client that has said its preface; afterwards the client leaves and the server must end. */
export async function withServer(
  handler: ExchangeHandler,
  test: (peer: FramePeer, signal: AbortController) => Promise<void>,
  options: MemoryConnOptions & ServeOptions & { settings?: [number, number][] } = {},
): Promise<void> {
  const [client, server] = memoryConnPair(options);
  const controller = new AbortController();
  const served = serveHttp2(server, handler, { signal: controller.signal, ...options });
  const peer = new FramePeer(client);
  try {
    await peer.start("client", options.settings ?? []);
    await test(peer, controller);
  } finally {
    client.reset();
    await served;
    assert(server.closed);
  }
}

export const hello: ExchangeHandler = (x) => x.respond(responseHead(), TestBody.of(["hello"]));
