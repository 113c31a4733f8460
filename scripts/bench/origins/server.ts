/**
 * A listener that answers one request after the other on each connection.
 * @module
 */
import { type Head, Wire } from "../wire.ts";

/** Answers the request with this head; whatever it throws ends the connection. */
export type Answer = (request: Head, wire: Wire) => Promise<void>;

/** Serves until the listener is closed. */
export async function serve(listener: Deno.Listener<Deno.Conn>, answer: Answer): Promise<void> {
  for await (const conn of listener) {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    converse(new Wire(conn), answer);
  }
}

/** An origin on 127.0.0.1 inside this process, for work whose two ends must share a clock. */
export function listen(answer: Answer): { readonly origin: string; readonly close: () => void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  serve(listener, answer);
  return { origin: `127.0.0.1:${listener.addr.port}`, close: () => listener.close() };
}

async function converse(wire: Wire, answer: Answer): Promise<void> {
  try {
    for (;;) {
      const request = await wire.head();
      if (request === null) break;
      await answer(request, wire);
    }
  } catch {
    // The proxy under test went away, or will see that the connection is closed.
  }
  wire.close();
}
