/** `pause`, `resume`, `throttle` and `timeline` on bodies that are on their way (stages.md, "Live"). @module */
import { assert, assertEquals } from "@std/assert";
import type { HttpFlow } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import type { BodyReader } from "./support/http.ts";
import { origin } from "./support/origin.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import { Events, Gate, within } from "./support/within.ts";

const SIZE = 64 * 1024 * 1024;
const MODES = [["streamed", streamAll], ["buffered", {}]] as const;

Deno.test("a paused download stops its source, goes on where it was, and loses nothing", async () => {
  const flows: HttpFlow[] = [], events = new Events();
  let sent = 0;
  await using server = await origin(async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
    const piece = new Uint8Array(256 * 1024).fill(97);
    for (; sent < SIZE; sent += piece.length) await wire.send(piece);
  });
  await using proxy = await startProxy([
    streamAll,
    recorder(events, { response: (flow) => (flow.response!.pause(), flows.push(flow)) }),
  ]);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  await events.seen("response");
  const stopped = await standsStill(() => sent);
  assert(stopped < SIZE / 2, `${stopped} bytes were sent to a paused body`);
  const { response } = flows[0];
  assertEquals([response!.size, response!.timeline], [0, []]);
  response!.resume();
  assertEquals(await drained(body), SIZE);
  await events.seen("complete");
  const { timeline } = response!;
  assert(timeline.length > 1 && timeline.length <= 1000, `${timeline.length}`);
  assertEquals([timeline[0][0], timeline.at(-1)![1]], [0, SIZE]);
});

for (const [mode, addon] of MODES) {
  Deno.test(`an upload can be throttled and let go (${mode})`, async () => {
    const events = new Events();
    let flow: HttpFlow;
    let got = 0;
    await using server = await origin(async (wire) => {
      while (got < 1_000_000) got += (await wire.readSome())!.length;
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    await using proxy = await startProxy([
      addon,
      recorder(events, {
        request(given) {
          flow = given;
          flow.request.throttle(1000);
        },
      }),
    ]);
    const answer = exchange(proxy, server.url(), { method: "POST", body: "x".repeat(1_000_000) });
    await events.seen("request");
    const stopped = await standsStill(() => Math.floor(got / 10_000));
    assert(stopped < 20, `${stopped * 10_000} bytes got through at 1000 a second`);
    flow!.request.throttle(null);
    assertEquals((await answer).head.statusCode, 200);
  });
}

Deno.test("a paused flow can be killed", async () => {
  const events = new Events();
  let flow: HttpFlow;
  await using server = await origin((wire) => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"));
  await using proxy = await startProxy([
    streamAll,
    recorder(events, {
      response(given) {
        flow = given;
        flow.response!.pause();
      },
    }),
  ]);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  await client.head();
  flow!.kill();
  await within(1000, events.seen("error"), "the flow's end");
});

Deno.test("the timeline of events says when each came", async () => {
  const gates = [new Gate(), new Gate()], events = new Events();
  let flow: HttpFlow;
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n");
    await wire.send("abc");
    for (const gate of gates) {
      await gate.opened;
      await wire.send("abc");
    }
  });
  await using proxy = await startProxy(recorder(events, { response: (given) => void (flow = given) }));
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  const started = performance.now();
  for (const gate of gates) {
    await body.next();
    await new Promise((resolve) => setTimeout(resolve, 60));
    gate.open();
  }
  await drained(body);
  await events.seen("complete");
  const { timeline } = flow!.response!;
  const took = performance.now() - started;
  assertEquals(timeline.map(([, bytes]) => bytes), [3, 6, 9]);
  const [[first], [second], [third]] = timeline;
  assertEquals(first, 0);
  assert(second >= 55 && third >= second + 55 && third <= took + 5, `${timeline} in ${took}`);
});

/** Resolves with what `count` stays at: the same for 300 ms, which is long on loopback. */
async function standsStill(count: () => number): Promise<number> {
  let last = -1;
  while (last !== (last = count())) await new Promise((resolve) => setTimeout(resolve, 300));
  return last;
}

/** How many bytes are still to come. */
async function drained(body: BodyReader): Promise<number> {
  let total = 0;
  for (let piece = await body.next(); piece !== null; piece = await body.next()) total += piece.length;
  return total;
}
