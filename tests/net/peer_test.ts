import { assertEquals } from "@std/assert";
import { listen, peerState, TcpConn } from "../../src/net/mod.ts";

/** Both ends of one connection. */
async function pair(hostname: string): Promise<{ server: TcpConn; client: Deno.TcpConn }> {
  const listener = listen({ hostname, port: 0 });
  const accepted = listener[Symbol.asyncIterator]().next();
  const client = await Deno.connect(listener.addr);
  const { value } = await accepted;
  listener.close();
  if (!(value instanceof TcpConn)) throw new Error("Nothing was accepted.");
  return { server: value, client };
}

/** The peer's end has arrived. */
async function ended(conn: TcpConn): Promise<void> {
  assertEquals(await conn.read(new Uint8Array(1)), null);
}

Deno.test({
  name: "a client that has ended its half is there, one that has closed is not",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const half = await pair("127.0.0.1"), gone = await pair("127.0.0.1");
    await half.client.closeWrite();
    gone.client.close();
    await Promise.all([ended(half.server), ended(gone.server)]);
    assertEquals([peerState(half.server), peerState(gone.server)], ["open", "gone"]);
    for (const conn of [half.client, half.server, gone.server]) conn.close();
  },
});

Deno.test("of a peer on another machine nothing is known", () => {
  const localAddr = { hostname: "192.0.2.1", port: 8080 },
    remoteAddr = { hostname: "192.0.2.9", port: 50_000 };
  assertEquals(peerState({ localAddr, remoteAddr }), "unknown");
});
