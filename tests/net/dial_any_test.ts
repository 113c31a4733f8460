import { assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { dialAny } from "../../src/net/mod.ts";

const options = { side: "server", name: "name.example" } as const;

/** A port of 127.0.0.2 that nobody listens on, and 127.0.0.1 does. */
function listener(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

Deno.test("the next address is tried at once when one refuses", async () => {
  using server = listener();
  const conn = await dialAny(["127.0.0.2", "127.0.0.3", "127.0.0.1"], server.addr.port, options);
  assertEquals(conn.remoteAddr.hostname, "127.0.0.1");
  conn.close();
  (await server.accept()).close();
});

Deno.test("the first that answers is taken, and no other connection is left", async () => {
  using server = listener();
  using other = Deno.listen({ hostname: "127.0.0.2", port: server.addr.port });
  const conn = await dialAny(["127.0.0.1", "127.0.0.2"], server.addr.port, options);
  assertEquals(conn.remoteAddr.hostname, "127.0.0.1");
  conn.close();
  (await server.accept()).close();
  other.close();
});

Deno.test("when all fail the error names the host, not its addresses", async () => {
  using server = listener();
  const { port } = server.addr;
  const error = await assertRejects(() => dialAny(["127.0.0.2", "127.0.0.3"], port, options), WeirError);
  assertEquals([error.side, error.code], ["server", "unreachable"]);
  assertEquals(error.message, `Connecting to name.example:${port} failed: connection refused.`);
});

Deno.test("an abort ends all attempts with its reason", async () => {
  using server = listener();
  const reason = new WeirError("weir", "shutdown", "weir is stopping.");
  const signal = AbortSignal.abort(reason);
  const dialing = dialAny(["127.0.0.1", "127.0.0.2"], server.addr.port, { ...options, signal });
  assertEquals(await assertRejects(() => dialing, WeirError), reason);
});
