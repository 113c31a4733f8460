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
export function dialAny(
  addresses: readonly string[],
  port: number,
  options: DialAnyOptions,
): Promise<TcpConn> {
  if (addresses.length === 1) return dial(addresses[0], port, options);
  return firstOf(addresses, (address, signal) => dial(address, port, { ...options, signal }), options.signal);
}

/**
 * What the first of `connect`'s attempts gives that has success; those that come later are closed. Rejects as the last of them
 * does when all fail. Each has a signal that is aborted when it is of no use any more, or `signal` is.
 */
export async function firstOf<C extends { close(): void }>(
  addresses: readonly string[],
  connect: (address: string, signal: AbortSignal) => Promise<C>,
  signal?: AbortSignal,
): Promise<C> {
  const stop = new AbortController();
  const ignoreSignal = onAbort(signal, () => stop.abort(signal!.reason));
  const { promise, resolve, reject } = Promise.withResolvers<C>();
  let next = 0, failed = 0, isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const attempt = (): void => {
    clearTimeout(timer);
    if (isOver || next === addresses.length) return;
    timer = setTimeout(attempt, ATTEMPT_MS);
    connect(addresses[next++], stop.signal).then((conn) => {
      // Two may come at once.
      if (isOver) return conn.close();
      isOver = true;
      resolve(conn);
    }, (error) => {
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
