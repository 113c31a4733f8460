/**
 * Tests of `transparent` for a network namespace that `transparent_test.ts` has made; see there for who is
 * where.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon } from "weir";
import type { Address, Conn } from "../../../src/net/mod.ts";
import { bodyMatrix } from "./body_matrix.ts";
import { Client, curl } from "./client.ts";
import { bulk, origin, tcpOrigin, withLength } from "./origin.ts";
import { startProxy } from "./proxy.ts";
import { type Way, WayClient } from "./ways_in.ts";
import { startWeir } from "./weir.ts";
import type { Wire } from "./wire.ts";
import { Events, standsStill } from "./within.ts";

const MIB = 1024 * 1024;
/** As in several_modes_test.ts; here two more connections, by the other namespace, hold something. */
const BODY = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 192) * MIB, DRAINED = 128 * MIB, GROWTH = 32 * MIB;

const SOCKET = Deno.env.get("FAR_CLIENT")!;
/** All that the other namespace sends to these addresses is sent here, by one means or the other. */
const ADDRESSES = {
  "REDIRECT, IPv4": "198.51.100.7",
  "REDIRECT, IPv6": "2001:db8::7",
  "TPROXY, IPv4": "198.51.100.8",
  "TPROXY, IPv6": "2001:db8::8",
};
const MODE = "transparent@[::]:8080";

/** A connection from the other namespace. */
async function fromAfar(hostname: string, port: number): Promise<Conn> {
  const conn = await Deno.connect({ transport: "unix", path: SOCKET });
  await conn.write(new TextEncoder().encode(`${hostname} ${port}\n`));
  if (await conn.read(new Uint8Array(1)) === null) throw new Error(`No connection to ${hostname}:${port}`);
  return new FarConn(conn);
}

class FarConn implements Conn {
  readonly localAddr: Address = { hostname: "", port: 0 };
  readonly remoteAddr: Address = { hostname: "", port: 0 };
  readonly tls = null;
  readonly #conn: Deno.UnixConn;
  #isClosed = false;

  constructor(conn: Deno.UnixConn) {
    this.#conn = conn;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    if (!this.#isClosed) this.#conn.close();
    this.#isClosed = true;
  }

  reset(): void {
    this.close();
  }
}

bodyMatrix(
  Object.entries(ADDRESSES).map(([name, address]): Way => ({
    name: `transparent, ${name}`,
    mode: () => MODE,
    originHost: "::",
    open: (_weir, server) => fromAfar(address, server.port),
  })),
);

for (const [name, address] of Object.entries(ADDRESSES)) {
  Deno.test(`flows say where they were going (${name})`, async () => {
    const seen: unknown[] = [];
    const addon: Addon = {
      request: ({ request, clientConn }) =>
        void seen.push([request.host, request.port, request.path, clientConn.mode]),
    };
    await using server = await origin(withLength("hello"), { hostname: "::" });
    await using proxy = await startProxy(addon, { mode: [MODE] });
    await using client = new WayClient(await fromAfar(address, server.port));
    await client.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assertEquals((await client.response()).text, "hello");
    assertEquals(seen, [[address, server.port, "/x", MODE]]);
    assertMatch(proxy.log.list.join("\n"), /Transparent: HTTP proxy listening at \[::\]:8080/);
  });

  Deno.test(`raw bytes, and a server that speaks first (${name})`, async () => {
    const events = new Events();
    await using server = await tcpOrigin(async (wire) => {
      await wire.send("220 hello\r\n");
      await wire.send((await wire.readToEnd()).text);
      await wire.closeWrite();
    }, { hostname: "::" });
    await using _proxy = await startProxy({
      tcp_start: ({ serverConn }) => void events.push(`${serverConn!.address.hostname}`),
      tcp_end: () => events.push("end"),
    }, { mode: [MODE] });
    await using client = new WayClient(await fromAfar(address, server.port));
    assertEquals(await client.readUntil("\r\n"), "220 hello\r\n");
    await client.send("\0bye");
    await client.closeWrite();
    assertEquals(await client.readToEnd(), { text: "\0bye", end: "fin" });
    await events.seen("end");
    assertEquals(events.list, [address, "end"]);
  });
}

Deno.test("a connection that was made to weir itself is refused as a loop, near and far, HTTP and not", async () => {
  await using proxy = await startProxy([], { mode: [MODE] });
  for (const url of ["http://127.0.0.1:8080/", "http://[::1]:8080/", "http://10.77.0.1:8080/"]) {
    const { code, stdout } = await curl("-g", "-w", "%{http_code}", url);
    const text = new TextDecoder().decode(stdout);
    assertEquals([code, text.slice(-3)], [0, "400"], url);
    assertMatch(text, /which is weir itself: it was not redirected here/);
  }
  await using far = new WayClient(await fromAfar("10.77.0.1", 8080));
  await far.send("\0raw");
  assertEquals((await far.readToEnd()).text, "");
  await proxy.logged(
    /warn: \S*10\.77\.0\.2:\d+: The connection was made to 10\.77\.0\.1:8080, which is weir itself/,
  );
});

Deno.test("rules that redirect what weir sends: its own connection is known, and refused as a loop", async () => {
  let connections = 0;
  await using proxy = await startProxy({ client_connected: () => void connections++ }, { mode: [MODE] });
  const { code, stdout } = await curl("-w", "%{http_code}", "http://198.51.100.9:9999/");
  const text = new TextDecoder().decode(stdout);
  assertEquals([code, text.slice(-3), connections], [0, "400", 2]);
  assertMatch(text, /weir's own connection to 198\.51\.100\.9:9999 was redirected to weir/);
  await using raw = await Client.connect({ port: 9999 }, { hostname: "198.51.100.9" });
  await raw.send("\0raw");
  assertEquals((await raw.readToEnd()).text, "");
  await proxy.logged(/warn: weir's own connection to 198\.51\.100\.9:9999/);
});

Deno.test("the program: showhost prints names, a client that stops reading stops the origin, memory stays", async () => {
  let source: Wire | null = null;
  await using server = await origin((wire, request) => {
    source = wire;
    return bulk(request.target === "/big" ? BODY : MIB)(wire, request);
  }, { hostname: "::" });
  await using weir = await startWeir({
    args: ["--mode", MODE, "--showhost", "--set", "stream_large_bodies=0"],
    quietPort: 8080,
  });
  await using client = new WayClient(await fromAfar("198.51.100.7", server.port));
  const ask = (path: string) => client.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  await ask("/warm");
  assertEquals((await client.response()).bytes.length, MIB);
  await weir.waitForOutput(/GET http:\/\/a\.example\/warm$/);
  const before = await weir.rss(), sentBefore = source!.bytesWritten;
  await ask("/big");
  const body = client.body(await client.head());
  const drained = await standsStill(() => source!.bytesWritten - sentBefore);
  assert(drained < DRAINED, `${drained} bytes left the origin`);
  const growth = await weir.rss() - before;
  assert(growth < GROWTH, `weir grew by ${growth}`);
  let total = 0;
  for (let piece; (piece = await body.next()) !== null;) total += piece.length;
  assertEquals(total, BODY);
  await weir.stop();
});
