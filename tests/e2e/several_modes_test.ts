/**
 * Several modes in one process, each with a listener of its own (rules.md, Modes), and memory by each way
 * into weir. @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, curl } from "./support/client.ts";
import { bulk, type Origin, origin, withLength } from "./support/origin.ts";
import { confdir, startProxy } from "./support/proxy.ts";
import { openWay, type Way, WAYS } from "./support/ways_in.ts";
import { runWeir, startWeir, type Weir } from "./support/weir.ts";
import type { Wire } from "./support/wire.ts";
import { SOON, standsStill, within } from "./support/within.ts";

const MIB = 1024 * 1024;
/** More than may leave the source, see DRAINED. */
const BODY = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 128) * MIB;
/** What weir may grow by while somebody stalls (contract section 4). */
const GROWTH = 32 * MIB;
/** As in memory_test.ts. */
const DRAINED = 96 * MIB;

/** The real program in four modes, with their ports. */
async function startAll(server: Origin, args: string[] = []): Promise<{ weir: Weir; ports: number[] }> {
  const modes = [
    "regular",
    "socks5",
    `reverse:${server.url().slice(0, -1)}`,
    `reverse:tcp://${server.authority}`,
  ];
  const weir = await startWeir({
    args: [
      ...modes.flatMap((mode) => ["--mode", `${mode}@0`]),
      ...["--set", `ssl_verify_upstream_trusted_ca=${await confdir()}/origin-ca.pem`, ...args],
    ],
  });
  const ports = () =>
    weir.stderr.list.flatMap((line) => /proxy listening at 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? []);
  await weir.stderr.until(() => ports().length === modes.length, "all listeners");
  return { weir, ports: ports().map(Number) };
}

const text = ({ stdout }: { stdout: Uint8Array }) => new TextDecoder().decode(stdout);

for (const workers of [1, 2]) {
  Deno.test(`four modes in one process (workers: ${workers}): each serves, says where it listens, and all stop`, async () => {
    await using server = await origin(withLength("hello"));
    const { weir, ports: [regular, socks5, reverse, tcp] } = await startAll(server, [
      "--workers",
      String(workers),
    ]);
    await using _ = weir;
    const log = weir.stderr.list.filter((line) => line.includes("listening at"));
    assertEquals(
      log.map((line) => line.replace(/^.*?(?=\w+: HTTP|HTTP|SOCKS5|Reverse)/, "").replace(/\d+$/, "PORT")),
      [
        "HTTP proxy listening at 127.0.0.1:PORT",
        "SOCKS5: HTTP proxy listening at 127.0.0.1:PORT",
        `Reverse to http://${server.authority}: HTTP proxy listening at 127.0.0.1:PORT`,
        `Reverse to tcp://${server.authority}: HTTP proxy listening at 127.0.0.1:PORT`,
      ],
    );
    for (let i = 0; i < 2 * workers; i++) {
      assertEquals(text(await curl("-x", `http://127.0.0.1:${regular}`, server.url())), "hello");
      assertEquals(text(await curl("--socks5-hostname", `127.0.0.1:${socks5}`, server.url())), "hello");
      assertEquals(text(await curl(`http://127.0.0.1:${reverse}/`)), "hello");
      assertEquals(text(await curl(`http://127.0.0.1:${tcp}/`)), "hello");
    }
    await weir.stop();
    for (const port of [regular, socks5, reverse, tcp]) {
      assertEquals((await curl(`http://127.0.0.1:${port}/`)).code, 7);
    }
  });
}

Deno.test("modes that would share a port are refused before anything listens", async () => {
  const rows: [string[], RegExp][] = [
    [
      ["--mode", "regular@18080", "--mode", "socks5@18080"],
      /regular@18080 and socks5@18080 would both listen at 127\.0\.0\.1:18080/,
    ],
    [
      ["--mode", "regular", "--mode", "reverse:http://a.example", "-p", "18080"],
      /regular and reverse:http:\/\/a\.example would both/,
    ],
    [
      ["--mode", "regular@0.0.0.0:18080", "--mode", "socks5@[::1]:18080"],
      /would both listen at \[::1\]:18080/,
    ],
  ];
  for (const [args, message] of rows) {
    const { code, stderr } = await runWeir({ args });
    assertEquals(code, 1);
    assertMatch(stderr, message);
    assertMatch(stderr, /^weir: error: option mode: /);
    assert(!stderr.includes("listening at"), stderr);
  }
});

Deno.test("a listener whose port is taken takes the others along", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await runWeir({
    args: ["--mode", "regular@0", "--mode", `socks5@${taken.addr.port}`],
  });
  assertEquals([code, stderr], [
    1,
    `weir: error: Cannot listen at 127.0.0.1:${taken.addr.port}: the port is taken.`,
  ]);
});

Deno.test("a client that stops reading stops the origin by every way, and weir's memory stays where it is", async () => {
  let source: Wire | null = null, sentBefore = 0;
  await using server = await origin((wire, request) => {
    source = wire;
    sentBefore = wire.bytesWritten;
    return bulk(request.target.endsWith("/warm") ? MIB : BODY)(wire, request);
  });
  const { weir, ports } = await startAll(server, ["--set", "stream_large_bodies=0"]);
  await using _ = weir;
  const entrances = ["regular", "socks5", "reverse:http", "reverse:tcp"];
  for (const way of WAYS) {
    const mode = way.mode(server), port = ports[entrances.findIndex((begin) => mode.startsWith(begin))];
    const entrance = { port, ca: () => Deno.readTextFile(weir.caFile) };
    await download(way, entrance, server, "/warm");
    const before = await weir.rss();
    const size = await download(way, entrance, server, "/big", async () => {
      const drained = await standsStill(() => source!.bytesWritten - sentBefore);
      const growth = await weir.rss() - before;
      assert(drained < DRAINED, `${way.name}: ${drained} bytes left the origin`);
      assert(growth < GROWTH, `${way.name}: weir grew by ${growth}`);
    });
    assertEquals(size, BODY, way.name);
  }
  await weir.stop();
});

/** Reads the head, does `then`, and reads the body. */
async function download(
  way: Way,
  entrance: Parameters<Way["open"]>[0],
  server: Origin,
  path: string,
  then?: () => Promise<void>,
): Promise<number> {
  await using client = await openWay(way, entrance, server);
  const target = way.isAbsolute ? server.url(path) : path;
  await client.send(`GET ${target} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  const body = client.body(await client.head());
  await then?.();
  let total = 0;
  for (let piece; (piece = await within(SOON, body.next(), "a piece")) !== null;) total += piece.length;
  return total;
}

Deno.test("client_connected refuses in every mode, ignore_hosts leaves alone what goes to a stand-in's origin", async () => {
  await using server = await origin(withLength("hello"));
  const mode = [
    "regular",
    "socks5",
    `reverse:${server.url().slice(0, -1)}`,
    `reverse:tcp://${server.authority}`,
  ];
  let isRefused = true, flows = 0;
  await using proxy = await startProxy({
    client_connected: (client) => void (client.error = isRefused ? "Not from there." : null),
    requestheaders: () => void flows++,
  }, { mode, ignore_hosts: ["127"] });
  for (const port of proxy.ports) {
    await using client = await Client.connect({ port });
    assertEquals((await client.readToEnd()).text, "");
  }
  isRefused = false;
  assertEquals(text(await curl(`http://127.0.0.1:${proxy.ports[2]}/`)), "hello");
  assertEquals([server.requests.length, flows], [1, 0]);
});
