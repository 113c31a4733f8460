import { assert, assertEquals } from "@std/assert";
import { listen, peerState, TcpConn } from "../../src/net/mod.ts";

const PEER = import.meta.resolve("../../src/net/peer.ts");

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

Deno.test({
  name: "asking of thousands of clients at once costs little, however many sockets there are",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    // On its own, as what was read counts for a while.
    const fresh: typeof import("../../src/net/peer.ts") = await import(`${PEER}?many`);
    const line = (port: number) =>
      `  0: 0100007F:${hex(port)} 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  0   0 ${
        port % 2
      } 1 0000 20 4 0\n`;
    const table = Array.from({ length: 20_000 }, (_, i) => line(i + 10_000)).join("");
    const readTextFileSync = Deno.readTextFileSync;
    Deno.readTextFileSync = (path) => path === "/proc/net/tcp" ? table : "";
    try {
      const localAddr = { hostname: "127.0.0.1", port: 8080 };
      const start = performance.now();
      for (let port = 9_000; port < 14_000; port++) {
        const state = fresh.peerState({ localAddr, remoteAddr: { hostname: "127.0.0.1", port } });
        assertEquals(state, port < 10_000 ? "unknown" : port % 2 === 1 ? "open" : "gone");
      }
      // To look through the tables for each takes ten times as long.
      assert(performance.now() - start < 2_000);
    } finally {
      Deno.readTextFileSync = readTextFileSync;
    }
  },
});

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
