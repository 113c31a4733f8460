/**
 * A port that leads through a proxy's CONNECT to an origin, for clients that know nothing of proxies.
 * @module
 */
import { Wire } from "../wire.ts";
import type { Target } from "./target.ts";

export interface Shim extends Disposable {
  readonly port: number;
}

/** Listens until disposed of; straight to the server where there is no proxy. */
export function openShim(target: Target): Shim {
  if (target.via.kind === "server") return { port: target.via.port, [Symbol.dispose]() {} };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) connect(conn, target);
  })();
  return { port: listener.addr.port, [Symbol.dispose]: () => listener.close() };
}

async function connect(client: Deno.TcpConn, target: Target): Promise<void> {
  const downstream = new Wire(client);
  let upstream: Wire | null = null;
  try {
    const proxy = await Deno.connect({ hostname: "127.0.0.1", port: target.via.port });
    upstream = new Wire(proxy);
    client.setNoDelay(true);
    proxy.setNoDelay(true);
    await upstream.write(`CONNECT ${target.origin} HTTP/1.1\r\nHost: ${target.origin}\r\n\r\n`);
    const head = await upstream.head();
    if (head !== null && / 200 /.test(head.start)) {
      await Promise.race([relay(downstream, upstream), relay(upstream, downstream)]);
    }
  } catch {
    // Either side went away: the load tool counts that as failed requests.
  }
  downstream.close();
  upstream?.close();
}

async function relay(from: Wire, to: Wire): Promise<void> {
  for (let bytes = await from.bytes(); bytes !== null; bytes = await from.bytes()) await to.write(bytes);
}
