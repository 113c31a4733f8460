import { assert, assertEquals } from "@std/assert";
import { ConnectionsAhead } from "../../src/proxy/connections_ahead.ts";
import type { Destination } from "../../src/proxy/route.ts";
import { clientConn, serverConn } from "../support/addon_host.ts";
import { latin1, type MemoryConn, memoryConnPair } from "../support/memory_conn.ts";

const TO: Destination = { scheme: "http", host: "a.example", port: 80, sni: null, isRaw: true };
const PROXY = { scheme: "http" as const, host: "p.example", port: 3128, credentials: null };

/** A connection that is kept for a client, its far end, and how often one found no use. */
function kept(destination: Destination = TO) {
  const unused: string[] = [];
  const ahead = new ConnectionsAhead((_server, { id }) => void unused.push(id));
  const [conn, far] = memoryConnPair();
  const { spoken } = ahead.keep({ conn, serverConn, destination, clientConn });
  return { ahead, conn, far, spoken, unused };
}

Deno.test("a connection that was made ahead is taken once, with what the server has said", async () => {
  const { ahead, far, spoken, unused } = kept();
  await far.writeText("220 hello");
  assertEquals(await spoken, true);
  const taken = ahead.take({ ...TO, scheme: "https", isRaw: false }, clientConn)!;
  assertEquals([taken.serverConn, ahead.take(TO, clientConn), unused], [serverConn, null, []]);
  const into = new Uint8Array(64);
  assertEquals(latin1(into.subarray(0, (await taken.conn.read(into))!)), "220 hello");
  await taken.conn.write(into.subarray(0, 3));
  assertEquals(latin1(await far.readExactly(3)), "220");
  taken.conn.close();
  far.close();
});

Deno.test("what leads elsewhere, goes by another proxy, or is another client's, is not it", () => {
  const { ahead, far } = kept();
  const others: Destination[] = [{ ...TO, host: "b.example" }, { ...TO, port: 81 }, { ...TO, via: PROXY }];
  for (const other of others) assertEquals(ahead.take(other, clientConn), null);
  assertEquals(ahead.take(TO, { ...clientConn, id: "another" }), null);
  assert(ahead.take(TO, clientConn));
  far.close();
  const tunnel = kept({ ...TO, via: PROXY });
  // A request is given to the proxy as it is, and not through the tunnel.
  assertEquals(tunnel.ahead.take({ ...TO, via: PROXY, isRaw: false }, clientConn), null);
  assertEquals(tunnel.ahead.take(TO, clientConn), null);
  assert(tunnel.ahead.take({ ...TO, via: { ...PROXY } }, clientConn));
  tunnel.far.close();
});

const ENDS: Record<string, (far: MemoryConn) => void> = {
  end: (far) => far.close(),
  reset: (far) => far.reset(),
};
for (const [how, end] of Object.entries(ENDS)) {
  Deno.test(`a connection that the server has ended is of no use (${how})`, async () => {
    const { ahead, conn, far, spoken, unused } = kept();
    end(far);
    assertEquals(await spoken, false);
    assertEquals([ahead.take(TO, clientConn), unused, conn.closed], [null, [clientConn.id], true]);
  });
}

Deno.test("a client that leaves, another connection for it, or the end of weir: what was kept is closed, and told of once", async () => {
  for (const how of ["release", "keep", "close"] as const) {
    const { ahead, conn, far, spoken, unused } = kept();
    const [other, otherFar] = memoryConnPair();
    if (how === "release") ahead.release(clientConn);
    else if (how === "close") ahead.close();
    else ahead.keep({ conn: other, serverConn, destination: TO, clientConn });
    assertEquals([conn.closed, other.closed, unused], [true, false, [clientConn.id]]);
    assertEquals(await spoken, false);
    ahead.close();
    ahead.release(clientConn);
    assertEquals([other.closed, unused.length], [how === "keep", how === "keep" ? 2 : 1]);
    far.close();
    otherFar.close();
  }
});
