/**
 * One connection to a host of several addresses: they are tried in their order, the next one as soon as the one before it
 * has failed or is slow (RFC 8305 §5).
 * @module
 */
import { onAbort } from "../timing.ts";
import { dial, type DialOptions, type TcpConn } from "./tcp.ts";

/** RFC 8305 §8: Connection Attempt Delay. */
const ATTEMPT_MS = 250;

/** How {@linkcode dialAny} connects; `name` is what errors call the host. */
export type DialAnyOptions = DialOptions & { readonly name: string };

/** Connects to the first of `addresses`, of which there is one at least, that answers; rejects as {@linkcode dial} does. */
export async function dialAny(
  addresses: readonly string[],
  port: number,
  options: DialAnyOptions,
): Promise<TcpConn> {
  if (addresses.length === 1) return await dial(addresses[0], port, options);
  const stop = new AbortController();
  const ignoreSignal = onAbort(options.signal, () => stop.abort(options.signal!.reason));
  const { promise, resolve, reject } = Promise.withResolvers<TcpConn>();
  let next = 0, failed = 0, isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const attempt = (): void => {
    clearTimeout(timer);
    if (isOver || next === addresses.length) return;
    timer = setTimeout(attempt, ATTEMPT_MS);
    dial(addresses[next++], port, { ...options, signal: stop.signal }).then((conn) => {
      // Two may come at once.
      if (isOver) return conn.close();
      isOver = true;
      resolve(conn);
    }, (error) => {
      // The last to fail has had the most time for it.
      if (++failed === addresses.length) reject(error);
      else attempt();
    });
  };
  attempt();
  try {
    return await promise;
  } finally {
    isOver = true;
    clearTimeout(timer);
    stop.abort();
    ignoreSignal();
  }
}
