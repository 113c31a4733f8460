/** The option `throttle`: rates and latency, both ways, buffered and streamed, on HTTP/1 and HTTP/2. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { absolute, Client, exchange } from "./support/client.ts";
import { FrameType, Http2Client, requestTo, uint32 } from "./support/http2.ts";
import { echo, origin, withChunks, withLength } from "./support/origin.ts";
import { startProxy, streamAll } from "./support/proxy.ts";
import { echoServer, wsClient } from "./support/websocket_server.ts";
import { runWeir } from "./support/weir.ts";
import { inAllWays } from "./support/ways.ts";
import { Gate, within } from "./support/within.ts";

const KIB = 1024;
/** What may go at once before the rate holds. */
const BURST = 64 * KIB;
const BODY = "x".repeat(BURST + 40 * KIB);

/** Milliseconds that it takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

/** The machine may be busy: a rate is never passed, and is reached where there is time for it. */
function assertNear(ms: number, expected: number): void {
  assert(ms >= expected * 0.9, `${ms} ms, where ${expected} were expected`);
  assert(ms <= expected * 2 + 1000, `${ms} ms, where ${expected} were expected`);
}

for (const [mode, addon] of [["buffered", {}], ["streamed", streamAll]] as const) {
  Deno.test(`down: a body takes as long as its bytes beyond the burst at the rate, whatever its framing (${mode})`, async () => {
    for (const script of [withLength(BODY), withChunks(BODY.match(/.{1,4000}/g)!)]) {
      await using server = await origin(script);
      await using proxy = await startProxy(addon, { throttle: ["/~m GET/0:40k"] });
      assertNear(
        await timed(async () => assertEquals((await exchange(proxy, server.url())).text, BODY)),
        1000,
      );
      const post = () => exchange(proxy, server.url(), { method: "POST", body: "" });
      assert(await timed(post) < 900);
    }
  });

  Deno.test(`up: an upload takes as long, and its answer is not slowed (${mode})`, async () => {
    await using server = await origin(echo);
    await using proxy = await startProxy(addon, { throttle: ["40k:0"] });
    const upload = () => exchange(proxy, server.url(), { method: "POST", body: BODY });
    assertNear(await timed(async () => assertEquals((await upload()).text, BODY)), 1000);
  });

  Deno.test(`HTTP/2 is slowed stream by stream (${mode})`, async () => {
    await using server = await origin(withLength(BODY));
    await using proxy = await startProxy(addon, { throttle: ["/~u slow/0:40k"] });
    await using client = await Http2Client.cleartext(proxy, [[4, 1_000_000]]);
    const { peer } = client;
    await peer.send(FrameType.WINDOW_UPDATE, 0, 0, uint32(1_000_000));
    const ended: number[] = [];
    const read = async () => {
      await peer.request(1, requestTo({ authority: server.authority, scheme: "http" }, "GET", "/slow"));
      await peer.request(3, requestTo({ authority: server.authority, scheme: "http" }, "GET", "/fast"));
      while (ended.length < 2) {
        const line = await peer.line();
        if (line.endsWith("+END")) ended.push(Number(/^DATA (\d)/.exec(line)![1]));
      }
    };
    assertNear(await timed(read), 1000);
    assertEquals(ended, [3, 1]);
  });

  Deno.test(`latency: once before the request goes out, and once before the answer (${mode})`, async () => {
    let asked = 0;
    await using server = await origin((wire, request) => {
      asked = performance.now();
      return withLength("ok")(wire, request);
    });
    await using proxy = await startProxy(addon, { throttle: ["0:0:300"] });
    const before = performance.now();
    assertEquals((await exchange(proxy, server.url())).text, "ok");
    assertNear(asked - before, 300);
    assertNear(performance.now() - asked, 300);
  });
}

inAllWays(
  "both legs of one version: up and down, each at its rate",
  { options: { throttle: ["80k:40k"] }, reply: ({ body }) => ({ body }) },
  async ({ send, received }) => {
    assertNear(
      await timed(async () => assertEquals((await send("POST", "/", { body: BODY })).text, BODY)),
      1500,
    );
    assertEquals(received[0].body, BODY);
  },
);

Deno.test("a live stream is slowed, and its source with it; what came is not held back", async () => {
  const gate = new Gate();
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    await gate.opened;
    await wire.send(`data: ${BODY}\n\n`);
    wire.close();
  });
  await using proxy = await startProxy([], { throttle: ["0:40k"] });
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  let text = "";
  while (text.length < 9) text += new TextDecoder().decode((await within(5_000, body.next(), "an event"))!);
  assertEquals(text, "data: 1\n\n");
  gate.open();
  assertNear(await timed(async () => void (text += await body.text())), 1000);
  assertEquals(text, `data: 1\n\ndata: ${BODY}\n\n`);
});

Deno.test("messages of a WebSocket wait for their turn, each direction for itself", async () => {
  await using server = await echoServer();
  await using proxy = await startProxy([], { throttle: ["0:40k"] });
  const client = await wsClient(proxy, server.url, { way: "absolute-form" });
  const echoed = (size: number) =>
    new Promise<void>((resolve) => {
      client.on("message", (data: Uint8Array) => (assertEquals(data.length, size), resolve()));
      client.send(new Uint8Array(size));
    });
  assertNear(await timed(() => echoed(BURST + 40 * KIB)), 1000);
  const closed = new Promise((resolve) => client.on("close", resolve));
  client.close();
  await closed;
});

Deno.test("each flow has a line of its own; with throttle_shared all that match share one", async () => {
  await using server = await origin(withLength(BODY));
  for (const isShared of [false, true]) {
    await using proxy = await startProxy([], { throttle: ["0:40k"], throttle_shared: isShared });
    const all = () => Promise.all(Array.from({ length: 2 }, () => exchange(proxy, server.url())));
    assertNear(await timed(all), isShared ? (2 * BODY.length - BURST) / 40 / KIB * 1000 : 1000);
  }
});

Deno.test("the first rule that matches counts", async () => {
  await using server = await origin(withLength(BODY));
  await using proxy = await startProxy([], { throttle: ["/~u fast/0:0", "/~c 404/gprs", "0:40k"] });
  assert(await timed(() => exchange(proxy, server.url("/fast"))) < 900);
  assertNear(await timed(() => exchange(proxy, server.url("/slow"))), 1000);
});

Deno.test("hooks see buffered bodies as without, and an addon's own answer is slowed, too", async () => {
  const seen: unknown[] = [];
  await using proxy = await startProxy({
    request: (flow) => void (flow.response = new Response(BODY)),
    response: ({ response }) => void seen.push(response!.text!.length, response!.streamedBy),
  }, { throttle: ["0:40k"] });
  assertNear(await timed(() => exchange(proxy, "http://a.test/")), 1000);
  assertEquals(seen, [BODY.length, null]);
});

Deno.test("a rule that cannot be read names option, rule, place and what was expected; weir does not start", async () => {
  const cases: [string, RegExp][] = [
    ["", /there is nothing at 1/],
    ["5g", /"5g" is no preset, and there is no ":" at 1/],
    ["1m:", /"" is no rate at 4/],
    ["1m:x", /"x" is no rate at 4/],
    ["1q:1", /"1q" is no rate at 1/],
    ["1m:1m:", /"" is no number of milliseconds .* at 7/],
    ["1m:1m:1.5", /"1\.5" is no number of milliseconds .* at 7/],
    ["1m:1m:5:6", /there is a part too many at 9/],
    ["/~d a/1m", /"1m" is no preset, and there is no ":" at 7/],
    ["/~d a/1m:-1", /"-1" is no rate at 10/],
    ["/~d a", /a part is missing at 6/],
    ["/~zzz/3g", / at 2/],
    ["/~d a/3g/4g", /there is a part too many/],
  ];
  for (const [spec, message] of cases) {
    const error = await startProxy([], { throttle: [spec] }).then(() => null, (error: Error) => error);
    assertMatch(error!.message, message, spec);
    assert(error!.message.startsWith(`option throttle: ${JSON.stringify(spec)}: `), error!.message);
    assertMatch(error!.message, /; expected \[\/filter\/\]up:down\[:latencyMs\], rates in bytes per second/);
  }
  const { code, stderr } = await runWeir({ args: ["--throttle", "fast"] });
  assertEquals(code, 1);
  assertMatch(stderr, /option throttle: "fast": "fast" is no preset, and there is no ":" at 1; expected/);
  assert(!stderr.includes("listening"));
});

Deno.test("who is answered in place of an origin waits for one direction", async () => {
  await using proxy = await startProxy({
    requestheaders: (flow) => void (flow.response = new Response("ok")),
  }, { throttle: ["0:0:1000"] });
  const ms = await timed(() => exchange(proxy, "http://a.test/"));
  assert(ms >= 999 && ms < 1900, `${ms}`);
});

Deno.test("presets are lines like any other", async () => {
  await using server = await origin(withLength("ok"));
  await using proxy = await startProxy([], { throttle: ["3G"] });
  assertNear(await timed(() => exchange(proxy, server.url())), 200);
});
