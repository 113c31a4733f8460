/**
 * Two connections tied together: raw bytes both ways, each direction with its own end (half-close).
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import { bulk } from "./bulk_buffers.ts";
import type { Conn } from "./conn.ts";

/** A direction's own buffer: many tunnels are idle, and they should cost little. A read that fills it borrows a large one. */
const SMALL_SIZE = 16 * 1024;

/** Looks at a chunk on its way: what it returns is sent instead, null drops it. The chunk is valid until it returns. */
export type RelayHook = (
  chunk: Uint8Array,
  fromClient: boolean,
) => Uint8Array | null | Promise<Uint8Array | null>;

export interface RelayResult {
  /** Bytes sent to the server. */
  readonly toServer: number;
  /** Bytes sent to the client. */
  readonly toClient: number;
  /** Why the relay broke off; null when both sides sent their end. */
  readonly error: WeirError | null;
}

/**
 * Relays until both directions have ended or one has failed; then both connections are closed, after a failure with
 * a reset so that nobody takes what arrived for all. Never rejects. A reset of either connection stops it, unless that
 * one's end has come already; `signal` does at any time.
 */
export async function relay(
  client: Conn,
  server: Conn,
  options: { onData?: RelayHook; signal?: AbortSignal } = {},
): Promise<RelayResult> {
  const { onData, signal } = options;
  let error: WeirError | null = null;
  const fail = (thrown: unknown, side: Side, what: string) => {
    if (error !== null) return;
    error = WeirError.from(thrown, side, "closed", what);
    // The connection that failed is reset too: to a peer that only stopped reading, this says that it is over.
    client.reset();
    server.reset();
  };
  const oneWay = async (from: Conn, to: Conn, fromClient: boolean): Promise<number> => {
    const [source, target]: [Side, Side] = fromClient ? ["client", "server"] : ["server", "client"];
    const small = new Uint8Array(SMALL_SIZE);
    let buffer = small;
    let total = 0;
    for (;;) {
      let count: number | null;
      try {
        count = await from.read(buffer);
      } catch (thrown) {
        fail(thrown, source, `Reading from the ${source} failed`);
        return total;
      }
      let chunk: Uint8Array | null = count === null ? null : buffer.subarray(0, count);
      try {
        if (chunk !== null && onData !== undefined) {
          const looked = onData(chunk, fromClient);
          chunk = looked instanceof Promise ? await looked : looked;
        }
      } catch (thrown) {
        fail(thrown, "weir", "The hook for a message failed");
        return total;
      }
      try {
        if (count === null) {
          if (buffer !== small) bulk.giveBack(buffer);
          await to.closeWrite();
          return total;
        }
        if (chunk !== null && chunk.length > 0) {
          await to.write(chunk);
          total += chunk.length;
        }
      } catch (thrown) {
        fail(thrown, target, `Writing to the ${target} failed`);
        return total;
      }
      if (buffer === small) {
        if (count === SMALL_SIZE) buffer = bulk.borrow();
      } else if (count < SMALL_SIZE) {
        bulk.giveBack(buffer);
        buffer = small;
      }
    }
  };
  const ignoreSignal = onAbort(signal, () => fail(signal!.reason, "weir", "The connection was cut"));
  const [toServer, toClient] = await Promise.all([
    oneWay(client, server, true),
    oneWay(server, client, false),
  ]);
  ignoreSignal();
  client.close();
  server.close();
  return { toServer, toClient, error };
}
