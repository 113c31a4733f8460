/** Sessions by Deno's own TLS over any connection; that the file is written is shown in tests/e2e/tls_test.ts. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Conn } from "../../src/net/mod.ts";
import { keyLogClient, keyLogServer } from "../../src/tls/keylog.ts";
import { clientHandshake, type Leaf, Leaves, loadAuthority, serverHandshake } from "../../src/tls/mod.ts";
import { isNativeRefusal } from "../../src/tls/trust.ts";
import {
  byteByByte,
  latin1,
  type MemoryConn,
  memoryConnPair,
  type Split,
  whole,
} from "../support/memory_conn.ts";
import { inDirectory } from "./openssl.ts";

interface Setup {
  leaf: Leaf;
  ca: string[];
}

async function withLeaf(use: (setup: Setup) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const authority = await loadAuthority(directory);
    const leaf = await new Leaves(authority).leafFor({ host: "localhost" });
    await use({ leaf, ca: [authority.chainPem] });
  });
}

const ALPN = ["h2", "http/1.1"];
const CLIENT = { servername: "localhost", alpn: ALPN, side: "server", timeout: 5000 } as const;
const SERVER = { alpn: ALPN, side: "client", timeout: 5000 } as const;

type Role = "client" | "server";
const ROLES: readonly Role[] = ["client", "server"];

/** A session with Deno's TLS in one role and node's in the other. */
async function session(
  { leaf, ca }: Setup,
  role: Role,
  below: [MemoryConn, MemoryConn],
): Promise<[Conn, Conn]> {
  return await Promise.all([
    role === "client"
      ? keyLogClient(below[0], { ...CLIENT, ca })
      : clientHandshake(below[0], { servername: "localhost", alpn: ALPN, verify: true, ca }),
    role === "server"
      ? keyLogServer(below[1], { ...SERVER, ...leaf, alpn: ["http/1.1"] })
      : serverHandshake(below[1], { secureContext: leaf.context, alpn: ["http/1.1"] }),
  ]);
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function readToEnd(conn: Conn): Promise<string> {
  const into = new Uint8Array(1000);
  let text = "";
  for (let count; (count = await conn.read(into)) !== null;) text += latin1(into.subarray(0, count));
  return text;
}

/** Waits until a connection below was closed: the relay does so after what it still had to send. */
async function closed(...conns: MemoryConn[]): Promise<void> {
  while (!conns.every((conn) => conn.closed)) await new Promise((resolve) => setTimeout(resolve, 1));
  // What the relay had under way settles in a later turn.
  await new Promise((resolve) => setTimeout(resolve, 1));
}

for (const role of ROLES) {
  for (const [what, split] of [["whole", whole], ["byte by byte", byteByByte]] as [string, Split][]) {
    Deno.test(`Deno's ${role}: data and ends go both ways, ciphertext ${what}`, async () => {
      await withLeaf(async (setup) => {
        const below = memoryConnPair({ split });
        const [client, server] = await session(setup, role, below);
        assertEquals([client.tls?.alpn, client.tls?.sni], ["http/1.1", "localhost"]);
        assertEquals([server.tls?.alpn, server.tls?.sni], ["http/1.1", "localhost"]);
        assertEquals([client.remoteAddr, server.localAddr], [below[0].remoteAddr, below[1].localAddr]);
        assertStringIncludes(
          setup.leaf.cert.replaceAll("\n", ""),
          (client.tls?.peerCertificate as Uint8Array<ArrayBuffer>).toBase64(),
        );
        assertEquals(server.tls?.peerCertificate, null);
        await client.write(bytes("question"));
        await client.closeWrite();
        assertEquals(await readToEnd(server), "question");
        await server.write(bytes("answer"));
        await server.closeWrite();
        assertEquals(await readToEnd(client), "answer");
        assertEquals([client.truncated, server.truncated], [false, false]);
        client.close();
        server.close();
        await closed(...below);
      });
    });
  }

  Deno.test(`Deno's ${role}: what was written before close arrives, with close_notify`, async () => {
    await withLeaf(async (setup) => {
      const below = memoryConnPair();
      const [client, server] = await session(setup, role, below);
      const [ours, theirs] = role === "client" ? [client, server] : [server, client];
      await ours.write(bytes("x".repeat(50_000)));
      ours.close();
      ours.close();
      assertEquals([(await readToEnd(theirs)).length, theirs.truncated], [50_000, false]);
      await assertRejects(() => ours.read(new Uint8Array(1)), WeirError, "closed here");
      theirs.close();
      await closed(...below);
    });
  });

  Deno.test(`Deno's ${role}: a peer that takes nothing does not keep a closed connection open`, async () => {
    await withLeaf(async (setup) => {
      const below = memoryConnPair({ capacity: 16 * 1024 });
      const [client, server] = await session(setup, role, below);
      const [ours, theirs] = role === "client" ? [client, server] : [server, client];
      await ours.write(bytes("x".repeat(50_000)));
      ours.close();
      await closed(role === "client" ? below[0] : below[1]);
      theirs.reset();
      await closed(...below);
    });
  });

  Deno.test(`Deno's ${role}: an end without close_notify is truncated`, async () => {
    await withLeaf(async (setup) => {
      const below = memoryConnPair();
      const [client, server] = await session(setup, role, below);
      const [ours, theirs, wire] = role === "client"
        ? [client, server, below[1]]
        : [server, client, below[0]];
      await theirs.write(bytes("part"));
      await wire.closeWrite();
      assertEquals([await readToEnd(ours), ours.truncated], ["part", true]);
      assertEquals(await ours.read(new Uint8Array(1)), null);
      ours.close();
      theirs.close();
      await closed(...below);
    });
  });

  Deno.test(`Deno's ${role}: reset goes through, both ways, and is no clean end`, async () => {
    await withLeaf(async (setup) => {
      for (const resets of ["ours", "theirs"]) {
        const below = memoryConnPair();
        const [client, server] = await session(setup, role, below);
        const [ours, theirs] = role === "client" ? [client, server] : [server, client];
        const [by, to] = resets === "ours" ? [ours, theirs] : [theirs, ours];
        const reading = assertRejects(() => to.read(new Uint8Array(1)), WeirError);
        by.reset();
        assertEquals((await reading).code, "closed");
        assert(below[0].wasReset || below[1].wasReset);
        to.close();
        by.close();
        await closed(...below);
      }
    });
  });

  Deno.test(`Deno's ${role}: a large transfer in both directions at once arrives whole`, async () => {
    await withLeaf(async (setup) => {
      const below = memoryConnPair();
      const [client, server] = await session(setup, role, below);
      const data = Uint8Array.from({ length: 2_000_000 }, (_, i) => i * 31 >> 3);
      const take = async (conn: Conn) => {
        const all = new Uint8Array(data.length);
        for (let at = 0; at < all.length;) at += await conn.read(all.subarray(at)) ?? NaN;
        return all.every((byte, i) => byte === data[i]);
      };
      const sent = Promise.all([client.write(data), server.write(data)]);
      assertEquals([await take(client), await take(server)], [true, true]);
      await sent;
      client.close();
      server.close();
      await closed(...below);
    });
  });
}

Deno.test("Deno's client: a certificate that is not accepted is told apart, and the server hears it", async () => {
  await withLeaf(async ({ leaf }) => {
    const below = memoryConnPair();
    const server = assertRejects(
      () => serverHandshake(below[1], { secureContext: leaf.context, alpn: ALPN }),
      WeirError,
      "refused the certificate",
    );
    const error = await assertRejects(() => keyLogClient(below[0], { ...CLIENT, ca: [] }), Error);
    assert(isNativeRefusal(error));
    assert(!isNativeRefusal(new Deno.errors.InvalidData("received fatal alert: HandshakeFailure")));
    await server;
    await closed(...below);
  });
});

Deno.test("Deno's server: a client that refuses the certificate, or offers other protocols, is told apart", async () => {
  await withLeaf(async ({ leaf, ca }) => {
    for (
      const [client, reason] of [[{ ca: [] }, "alert: UnknownCA"], [
        { ca, alpn: ["spdy/1"] },
        "protocol",
      ]] as const
    ) {
      const below = memoryConnPair();
      const other = assertRejects(() => keyLogClient(below[0], { ...CLIENT, ...client }), Error);
      const error = await assertRejects(() => keyLogServer(below[1], { ...SERVER, ...leaf }), Error);
      assertStringIncludes(error.message, reason);
      await other;
      await closed(...below);
    }
  });
});

Deno.test("Deno's sessions: a peer that says nothing, ends, resets or speaks something else", async () => {
  await withLeaf(async ({ leaf, ca }) => {
    const PEERS: [string | null, number, (peer: MemoryConn) => Promise<void> | void][] = [
      ["timeout", 50, () => {}],
      ["closed", 5000, (peer) => peer.closeWrite()],
      ["closed", 5000, (peer) => peer.reset()],
      [null, 5000, (peer) => peer.writeText("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ];
    for (const role of ROLES) {
      for (const [code, timeout, act] of PEERS) {
        const [peer, below] = memoryConnPair();
        const failed = assertRejects(
          () =>
            role === "client"
              ? keyLogClient(below, { ...CLIENT, ca, timeout })
              : keyLogServer(below, { ...SERVER, ...leaf, timeout }),
          Error,
        );
        await act(peer);
        const error = await failed;
        assertEquals(error instanceof WeirError ? error.code : null, code, `${role}: ${error.message}`);
        peer.close();
        await closed(below);
      }
    }
  });
});

Deno.test("Deno's client: issuers that are not PEM, and names that are none, close the connection", async () => {
  for (const options of [{ ca: ["nonsense"] }, { ca: [], servername: "no name" }]) {
    const [, below] = memoryConnPair();
    await assertRejects(() => keyLogClient(below, { ...CLIENT, ...options }), Error);
    assertEquals(below.closed, true);
  }
});

Deno.test("Deno's TLS in both roles: small writes to servers do not wait for each other", async () => {
  await withLeaf(async ({ leaf, ca }) => {
    const below = memoryConnPair();
    const [client, server] = await Promise.all([
      keyLogClient(below[0], { ...CLIENT, ca }),
      keyLogServer(below[1], { ...SERVER, ...leaf }),
    ]);
    const into = new Uint8Array(2), times: number[] = [];
    for (let i = 0; i < 50; i++) {
      const started = performance.now();
      // Two small writes one after the other are what Nagle's algorithm holds up for 40 ms.
      await client.write(bytes("a"));
      await client.write(bytes("b"));
      for (let at = 0; at < 2;) at += (await server.read(into.subarray(at)))!;
      await server.write(bytes("c"));
      await client.read(into);
      times.push(performance.now() - started);
    }
    // The quickest tell: a machine that is busy makes single turns slow, the algorithm all of them.
    times.sort((a, b) => a - b);
    assert(times[10] < 35, `the turns took ${times.map(Math.round)} ms`);
    client.close();
    assertEquals(await server.read(into), null);
    server.close();
    await closed(...below);
  });
});
