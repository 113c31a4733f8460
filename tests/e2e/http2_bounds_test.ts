/** Peers that cost weir more than themselves over HTTP/2: their connection ends, and the others go on. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { concat } from "@std/bytes";
import { frameBytes } from "../http2/support.ts";
import {
  Flag,
  FrameType,
  Http2Client,
  http2Origin,
  requestTo,
  uint32,
  type WirePeer,
} from "./support/http2.ts";
import { withLength } from "./support/origin.ts";
import { origin } from "./support/origin.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import { Events, SOON, within } from "./support/within.ts";

const NOTHING = new Uint8Array(0);

/** Many frames in one write. */
function flood(count: number, frame: (i: number) => Uint8Array): Uint8Array {
  return concat(Array.from({ length: count }, (_, i) => frame(i)));
}

/** A field list that HPACK cannot make small: each field is new and never the same. */
function fields(count: number, size: number): string[] {
  return Array.from({ length: count }, (_, i) => [`x-${i}`, `${i}`.padEnd(size, "~")]).flat();
}

/** What a client does, with the answer that ends it. */
const FLOODS: [string, (peer: WirePeer, request: string[]) => Promise<void> | void, RegExp][] = [
  ["rapid reset", (peer, request) => {
    const frames = flood(3000, (i) =>
      concat([
        frameBytes(
          FrameType.HEADERS,
          Flag.END_HEADERS | Flag.END_STREAM,
          2 * i + 1,
          peer.encoder.encode(request),
        ),
        frameBytes(FrameType.RST_STREAM, 0, 2 * i + 1, uint32(8)),
      ]));
    return peer.conn.write(frames);
  }, /^GOAWAY \d+ ENHANCE_YOUR_CALM$/],
  ["CONTINUATION without end", (peer, request) =>
    peer.conn.write(concat([
      frameBytes(FrameType.HEADERS, 0, 1, peer.encoder.encode(request)),
      flood(10_000, () => frameBytes(FrameType.CONTINUATION, 0, 1, NOTHING)),
    ])), /^GOAWAY \d+ ENHANCE_YOUR_CALM$/],
  ["CONTINUATION of megabytes", (peer, request) =>
    peer.conn.write(concat([
      frameBytes(FrameType.HEADERS, 0, 1, peer.encoder.encode(request)),
      flood(200, () => frameBytes(FrameType.CONTINUATION, 0, 1, new Uint8Array(16_384))),
    ])), /^GOAWAY \d+ (ENHANCE_YOUR_CALM|COMPRESSION_ERROR)$/],
  [
    "SETTINGS",
    (peer) => peer.conn.write(flood(2000, () => frameBytes(FrameType.SETTINGS, 0, 0))),
    /^GOAWAY \d+ ENHANCE_YOUR_CALM$/,
  ],
  [
    "PING",
    (peer) => peer.conn.write(flood(20_000, () => frameBytes(FrameType.PING, 0, 0, new Uint8Array(8)))),
    /^GOAWAY \d+ ENHANCE_YOUR_CALM$/,
  ],
  ["empty DATA", async (peer, request) => {
    await peer.request(1, request.with(1, "POST"), false);
    await peer.conn.write(flood(5000, () => frameBytes(FrameType.DATA, 0, 1)));
  }, /^GOAWAY \d+ ENHANCE_YOUR_CALM$/],
];

for (const [name, attack, end] of FLOODS) {
  Deno.test(`a client's flood ends its connection, others go on: ${name}`, async () => {
    const events = new Events();
    await using server = await http2Origin(async (peer, id, request) => {
      if (!request.includes("/slow")) return;
      await peer.headers(id, [":status", "200"], 0);
      await events.seen("go on");
      await peer.data(id, "done", true);
    });
    await using proxy = await startProxy([recorder(events), streamAll]);
    await using other = await Http2Client.connect(proxy, server);
    await other.peer.request(1, requestTo(server, "GET", "/slow"));
    assertEquals(await other.peer.line(), "HEADERS 1 :status=200");
    {
      await using client = await Http2Client.connect(proxy, server);
      // The flood may not be taken to its end.
      const attacking = Promise.resolve(attack(client.peer, requestTo(server, "GET", "/flood"))).catch(
        () => {},
      );
      const lines = await within(SOON, client.peer.rest(), "the connection's end");
      await attacking;
      assertMatch(lines.at(-1)!, end);
    }
    const flows = () => events.count("requestheaders") - 1;
    assert(flows() <= 1024, `${flows()} exchanges were begun`);
    events.push("go on");
    assertEquals(await other.peer.line(), "DATA 1 done +END");
    await events.until(() => events.count("error") === flows(), "the attacker's exchanges to end");
  });
}

const ORIGIN_FLOODS: [string, (peer: WirePeer, id: number) => Promise<void>][] = [
  ["CONTINUATION without end", (peer, id) =>
    peer.conn.write(concat([
      frameBytes(FrameType.HEADERS, 0, id, peer.encoder.encode([":status", "200"])),
      flood(10_000, () => frameBytes(FrameType.CONTINUATION, 0, id, NOTHING)),
    ]))],
  ["SETTINGS", (peer) => peer.conn.write(flood(2000, () => frameBytes(FrameType.SETTINGS, 0, 0)))],
  [
    "PING",
    (peer) => peer.conn.write(flood(20_000, () => frameBytes(FrameType.PING, 0, 0, new Uint8Array(8)))),
  ],
  ["interim responses", async (peer, id) => {
    for (let i = 0; i < 1000; i++) await peer.headers(id, [":status", "103"], 0);
  }],
  ["PUSH_PROMISE", (peer, id) =>
    peer.conn.write(
      frameBytes(
        FrameType.PUSH_PROMISE,
        Flag.END_HEADERS,
        id,
        concat([uint32(2), peer.encoder.encode(requestTo({ authority: "a.test" }))]),
      ),
    )],
];

for (const [name, attack] of ORIGIN_FLOODS) {
  Deno.test(`an origin's flood ends its connection with a 502, others go on: ${name}`, async () => {
    await using hostile = await http2Origin((peer, id) => attack(peer, id).catch(() => {}));
    await using server = await origin(withLength("fine"), { tls: true });
    await using proxy = await startProxy([], { http2_upstream: "any" });
    await using client = await Http2Client.connect(proxy, hostile);
    await client.peer.request(1, requestTo(hostile, "POST"));
    let line = await client.peer.line();
    for (; line.includes(":status=103"); line = await client.peer.line());
    assertMatch(line, /^HEADERS 1 :status=502/);
    await using other = await Http2Client.connect(proxy, server);
    await other.peer.request(1, requestTo(server));
    assertMatch(await other.peer.line(), /:status=200/);
  });
}

Deno.test("a :path over 16 KiB is answered with 414, as a request line is", async () => {
  await using server = await http2Origin((peer, id) => peer.headers(id, [":status", "200"], Flag.END_STREAM));
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  for (const [id, length, status] of [[1, 16_384, 414], [3, 16_000, 200]] as const) {
    const block = peer.encoder.encode(requestTo(server, "GET", `/${"~".repeat(length)}`));
    await peer.send(FrameType.HEADERS, Flag.END_STREAM, id, block.subarray(0, 10_000));
    await peer.send(FrameType.CONTINUATION, Flag.END_HEADERS, id, block.subarray(10_000));
    assertMatch(await peer.line(), new RegExp(`^HEADERS ${id} :status=${status}`));
  }
  assertEquals(server.seen.list.length, 1);
});

Deno.test("a request's head over the limit is answered with 431, a response's is a 502; both connections go on", async () => {
  await using server = await http2Origin((peer, id, request) => {
    const large = request.includes("/large") ? fields(300, 10) : [];
    return peer.headers(id, [":status", "200", ...large], Flag.END_STREAM);
  });
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  for (const [id, [count, size]] of [[1, [250, 10]], [3, [12, 6000]]] as const) {
    const block = peer.encoder.encode([...requestTo(server), ...fields(count, size)]);
    const parts = Array.from(
      { length: Math.ceil(block.length / 16_384) },
      (_, i) => block.subarray(i * 16_384, (i + 1) * 16_384),
    );
    for (const [i, part] of parts.entries()) {
      const type = i === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const last = i === parts.length - 1 ? Flag.END_HEADERS : 0;
      await peer.send(type, (i === 0 ? Flag.END_STREAM : 0) | last, id, part);
    }
    assertMatch(await peer.line(), new RegExp(`^HEADERS ${id} :status=431`));
  }
  assertEquals(server.seen.list, []);
  await peer.request(5, requestTo(server, "GET", "/large"));
  assertMatch(await peer.line(), /^HEADERS 5 :status=502/);
  assertMatch(await peer.line(), /^DATA 5 .*\+END$/);
  await peer.request(7, requestTo(server));
  assertEquals(await peer.line(), "HEADERS 7 :status=200 +END");
  assertEquals(server.connections, 1);
});

Deno.test("streams beyond the limit are refused, and their places are free again", async () => {
  const waiting: (() => Promise<void>)[] = [];
  await using server = await http2Origin((peer, id) => {
    waiting.push(() => peer.headers(id, [":status", "200"], Flag.END_STREAM));
  });
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  for (let i = 0; i < 130; i++) await peer.request(2 * i + 1, requestTo(server));
  assertEquals(await peer.lines(2), ["RST_STREAM 257 REFUSED_STREAM", "RST_STREAM 259 REFUSED_STREAM"]);
  await server.seen.until(() => server.seen.list.length === 128, "128 requests");
  for (const answer of waiting) await answer();
  assertEquals((await peer.lines(128)).filter((line) => line.endsWith("200 +END")).length, 128);
  await peer.request(261, requestTo(server));
  await server.seen.until(() => server.seen.list.length === 129, "one more request");
  await waiting[128]();
  assertEquals(await peer.line(), "HEADERS 261 :status=200 +END");
});
