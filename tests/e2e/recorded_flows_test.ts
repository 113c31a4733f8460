/** `ctx.proxy.load`, `replay` and `endsAfter`: flows that come from a recording. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { type Addon, type Context, type HttpFlow, makeHttpFlow, makeTcpFlow, type TcpFlow } from "weir";
import { BodyReader } from "./support/http.ts";
import { echo, origin, withLength } from "./support/origin.ts";
import { recorder, startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { Events, within } from "./support/within.ts";

/** Hands over the context of a running proxy. */
function contextGiver(): { addon: Addon; ctx: Promise<Context> } {
  const { promise, resolve } = Promise.withResolvers<Context>();
  return { addon: { running: (ctx) => resolve(ctx) }, ctx: promise };
}

Deno.test("a recorded flow runs the hooks that it would have run, and is not live", async () => {
  const events = new Events();
  const { addon, ctx } = contextGiver();
  const note = (name: string) => (flow: HttpFlow | TcpFlow) =>
    events.push(
      `${name} ${flow.live} ${flow.type === "tcp" ? flow.messages.length : flow.websocket?.messages.length}`,
    );
  const names = [
    "requestheaders",
    "request",
    "responseheaders",
    "response",
    "websocket_start",
    "websocket_message",
    "websocket_end",
    "complete",
    "error",
    "tcp_start",
    "tcp_message",
    "tcp_end",
    "tcp_error",
  ];
  const hooks = Object.fromEntries(names.map((name) => [name, note(name)]));
  await using _proxy = await startProxy([addon, hooks as Addon]);
  const { proxy } = await ctx;
  const request = { url: "http://h/" };
  const seen = async (flow: HttpFlow | TcpFlow) => {
    events.list.length = 0;
    await proxy.load(flow);
    return events.list;
  };
  assertEquals(await seen(makeHttpFlow({ request })), [
    "requestheaders false undefined",
    "request false undefined",
    "complete false undefined",
  ]);
  assertEquals(await seen(makeHttpFlow({ request, response: {}, error: "cut" })), [
    "requestheaders false undefined",
    "request false undefined",
    "responseheaders false undefined",
    "response false undefined",
    "error false undefined",
  ]);
  const messages = [1, 2].map((n) => ({ isText: true, fromClient: true, content: `${n}` }));
  const flow = makeHttpFlow({ request, response: { statusCode: 101 }, websocket: { messages } });
  assertEquals((await seen(flow)).slice(4), [
    "websocket_start false 0",
    "websocket_message false 1",
    "websocket_message false 2",
    "websocket_end false 2",
    "complete false 2",
  ]);
  const bytes = [1, 2].map((n) => ({ fromClient: true, content: new Uint8Array([n]), timestamp: n }));
  assertEquals(await seen(makeTcpFlow({ messages: bytes })), [
    "tcp_start false 0",
    "tcp_message false 1",
    "tcp_message false 2",
    "tcp_end false 2",
  ]);
  assertEquals((await seen(makeTcpFlow({ error: "cut" }))).at(-1), "tcp_error false 0");
});

for (const [mode, streamed] of [["streamed", streamAll], ["buffered", {}]] as const) {
  Deno.test(`a request is sent again through weir, hooks included (${mode})`, async () => {
    const events = new Events();
    const { addon, ctx } = contextGiver();
    await using server = await origin(echo);
    const edit = recorder(events, {
      request: (flow) => {
        events.push(`${flow.isReplay}`);
        flow.request.headers.set("x-again", "1");
      },
    });
    await using _proxy = await startProxy([addon, streamed, edit]);
    const { proxy } = await ctx;
    const recorded = makeHttpFlow({
      request: {
        method: "POST",
        url: server.url("/a?b"),
        headers: { "Content-Length": "3", "X-A": "1" },
        body: "abc",
      },
      response: { statusCode: 500 },
    });
    const flow = await proxy.replay(recorded);
    assertEquals([flow.error, flow.response!.statusCode, flow.response!.size], [null, 200, 3]);
    assertEquals([flow.isReplay, flow.live, flow.id === recorded.id], ["request", false, false]);
    assertEquals(recorded.response!.statusCode, 500);
    assertEquals(events.list, [
      "requestheaders",
      "request",
      "request",
      "responseheaders",
      "response",
      "complete",
    ]);
    const [head] = server.requests;
    assertEquals([head.get("x-a"), head.get("x-again")], ["1", "1"]);
  });
}

Deno.test("a replay whose origin is gone ends with its error; what cannot be replayed is refused", async () => {
  const { addon, ctx } = contextGiver();
  const server = await origin(withLength("x"));
  const url = server.url();
  await server[Symbol.asyncDispose]();
  await using _proxy = await startProxy(addon);
  const { proxy } = await ctx;
  const flow = await proxy.replay(makeHttpFlow({ request: { url } }));
  assertEquals([flow.response, flow.error!.cause.side], [null, "server"]);
  const refused: [HttpFlow, string][] = [
    [makeHttpFlow({ request: { url, body: null } }), "its body was not kept"],
    [makeHttpFlow({ request: { method: "CONNECT", url } }), "is a CONNECT"],
    [makeHttpFlow({ request: { url }, websocket: {} }), "is a WebSocket"],
  ];
  for (const [flow, reason] of refused) assertThrows(() => proxy.replay(flow), TypeError, reason);
});

Deno.test("a replay that runs when weir stops is cut, and nothing is left of it", async () => {
  const { addon, ctx } = contextGiver();
  const events = new Events();
  await using server = await origin(async (wire, request) => {
    await BodyReader.ofRequest(wire, request).text();
    events.push("asked");
    await wire.untilEnd();
  });
  const proxy: TestProxy = await startProxy([addon], { shutdown_grace: 0 });
  const { proxy: info } = await ctx;
  const replayed = info.replay(makeHttpFlow({ request: { url: server.url() } }));
  await events.seen("asked");
  await proxy.stop();
  const flow = await within(1000, replayed, "the replay's end");
  assertEquals(flow.response, null);
  assertEquals(flow.error !== null, true);
});
