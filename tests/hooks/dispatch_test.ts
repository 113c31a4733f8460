import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { internals } from "../../src/internals.ts";
import type { Addon } from "../../src/hooks/addon.ts";
import { Dispatcher } from "../../src/hooks/dispatch.ts";
import type { ClientHelloData, Socks5AuthData } from "../../src/hooks/names.ts";
import { WebSocketData, WebSocketMessage } from "../../src/websocket/conversation.ts";
import { addonHost, clientConn, httpFlow, respond, tcpFlow } from "../support/addon_host.ts";

function dispatcher(...addons: Addon[]) {
  const host = addonHost();
  const dispatcher = new Dispatcher(host.ctx);
  dispatcher.setAddons(addons.map((hooks, i) => ({ name: `addon${i + 1}`, hooks, builtin: false })));
  return { dispatcher, ...host };
}

Deno.test("a hook that nobody has is done at once", () => {
  const { dispatcher: hooks } = dispatcher({ response: () => {} });
  assertEquals(hooks.has("request"), false);
  assertEquals(hooks.has("response"), true);
  assertStrictEquals(hooks.trigger("request", httpFlow()), undefined);
});

Deno.test("hooks that return no promise are done when trigger returns", () => {
  const seen: string[] = [];
  const { dispatcher: hooks } = dispatcher({ request: () => seen.push("one") }, {
    request: () => seen.push("two"),
  });
  assertStrictEquals(hooks.trigger("request", httpFlow()), undefined);
  assertEquals(seen, ["one", "two"]);
});

Deno.test("hooks run one after another in the order of the addons, also when they are async", async () => {
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const { dispatcher: hooks } = dispatcher(
    { request: () => seen.push("first") },
    {
      async request() {
        seen.push("second starts");
        await first.promise;
        seen.push("second ends");
      },
    },
    { request: () => seen.push("third") },
  );
  const pending = hooks.trigger("request", httpFlow());
  assertEquals(seen, ["first", "second starts"]);
  first.resolve();
  await pending;
  assertEquals(seen, ["first", "second starts", "second ends", "third"]);
});

Deno.test("what prepares a hook runs before each addon's, also behind an async one", async () => {
  const seen: string[] = [];
  const { dispatcher: hooks } = dispatcher(
    { request: () => seen.push("first") },
    { request: () => Promise.resolve().then(() => void seen.push("second")) },
    { request: () => seen.push("third") },
  );
  await hooks.trigger("request", httpFlow(), () => seen.push("prepared"));
  assertEquals(seen, ["prepared", "first", "prepared", "second", "prepared", "third"]);
});

Deno.test("an async hook of one flow does not hold up another flow", async () => {
  const gate = Promise.withResolvers<void>();
  const slow = httpFlow(), quick = httpFlow();
  const { dispatcher: hooks } = dispatcher({ request: (flow) => flow === slow ? gate.promise : undefined });
  const pending = hooks.trigger("request", slow);
  assertStrictEquals(hooks.trigger("request", quick), undefined);
  gate.resolve();
  await pending;
});

Deno.test("the second argument is ctx, and this is the addon", () => {
  const seen: unknown[] = [];
  class Counter {
    request(_flow: unknown, ctx: unknown) {
      seen.push(this, ctx);
    }
  }
  const counter = new Counter();
  const { dispatcher: hooks, ctx } = dispatcher(counter);
  hooks.trigger("request", httpFlow());
  assertStrictEquals(seen[0], counter);
  assertStrictEquals(seen[1], ctx);
});

Deno.test("while a hook runs the flow knows the addon's name", async () => {
  const names: unknown[] = [];
  const { dispatcher: hooks } = dispatcher(
    { request: (flow) => names.push(flow[internals].addon) },
    {
      async request(flow) {
        await Promise.resolve();
        names.push(flow[internals].addon);
      },
    },
  );
  const flow = httpFlow();
  await hooks.trigger("request", flow);
  assertEquals(names, ["addon1", "addon2"]);
  assertEquals(flow[internals].addon, null);
});

for (const kind of ["throws", "rejects"] as const) {
  Deno.test(`a hook that ${kind} is logged, and the next addon runs`, async () => {
    const seen: string[] = [];
    const { dispatcher: hooks, lines } = dispatcher({
      request: () => {
        if (kind === "throws") throw new TypeError("no such thing");
        return Promise.reject(new TypeError("no such thing"));
      },
    }, { request: () => seen.push("next") });
    const flow = httpFlow();
    await hooks.trigger("request", flow);
    assertEquals(seen, ["next"]);
    assertEquals(lines.length, 1);
    assertMatch(lines[0], /^error: Addon addon1: TypeError: no such thing \(in request\)/);
    assertEquals(flow[internals].addon, null);
  });
}

Deno.test("a hook that throws has changed nothing of the heads, the route, the stream or the response", () => {
  const { dispatcher: hooks } = dispatcher({
    responseheaders(flow) {
      const { request } = flow;
      request.method = "DELETE";
      request.url = "https://other.test:8443/else";
      request.headers.set("x-one", "changed");
      request.headers.append("x-two", "new");
      request.headers = { replaced: "yes" };
      flow.response!.statusCode = 500;
      flow.response!.reason = "Changed";
      flow.response!.headers.delete("content-type");
      flow.response!.stream = true;
      flow.response!.streamOver = 3;
      flow.response = new globalThis.Response("mine");
      throw new Error("half-way");
    },
  });
  const flow = httpFlow({ headers: [["Host", "example.com"], ["X-One", "1"]] });
  const response = respond(flow, { headers: { "Content-Type": "text/plain" } });
  hooks.trigger("responseheaders", flow);
  assertEquals(flow.request.method, "GET");
  assertEquals(flow.request.url, "http://example.com/path");
  assertEquals([...flow.request.headers], [["Host", "example.com"], ["X-One", "1"]]);
  assertStrictEquals(flow.response, response);
  assertEquals(response.statusCode, 200);
  assertEquals(response.reason, "OK");
  assertEquals([...response.headers], [["Content-Type", "text/plain"]]);
  assertEquals(response[internals].stream, undefined);
  assertEquals(response.streamOver, null);
});

Deno.test("the streamed answer of a hook that throws is cancelled", async () => {
  const cancelled = Promise.withResolvers<void>();
  const { dispatcher: hooks } = dispatcher({
    request(flow) {
      flow.response = new globalThis.Response(new ReadableStream({ cancel: () => cancelled.resolve() }));
      throw new Error("after all not");
    },
  });
  const flow = httpFlow();
  hooks.trigger("request", flow);
  assertStrictEquals(flow.response, null);
  await cancelled.promise;
});

Deno.test("a hook that throws has not changed a buffered body", () => {
  const { dispatcher: hooks } = dispatcher({
    request(flow) {
      flow.request.content = "changed";
      throw new Error("half-way");
    },
  });
  const flow = httpFlow();
  flow.request[internals].mode = "buffered";
  flow.request[internals].raw = new TextEncoder().encode("before");
  hooks.trigger("request", flow);
  assertEquals(flow.request.text, "before");
});

Deno.test("a hook that throws has not changed what was to be sent of a TCP flow", () => {
  const { dispatcher: hooks } = dispatcher({
    tcp_message(flow) {
      flow.messages.at(-1)!.content = new Uint8Array();
      throw new Error("half-way");
    },
  });
  const flow = tcpFlow();
  flow.record({ fromClient: true, content: new Uint8Array([1, 2]), timestamp: 0 });
  hooks.trigger("tcp_message", flow);
  assertEquals(flow.messages.at(-1)!.content, new Uint8Array([1, 2]));
});

Deno.test("a hook that throws does not let a TLS connection pass", () => {
  const { dispatcher: hooks } = dispatcher({
    tls_clienthello(data) {
      data.ignore = true;
      throw new Error("half-way");
    },
  });
  const data: ClientHelloData = { sni: "a.test", alpn: [], clientConn, serverAddress: null, ignore: false };
  hooks.trigger("tls_clienthello", data);
  assertEquals(data.ignore, false);
});

Deno.test("a hook that throws does not let a SOCKS5 client in, and one that is to fail closed keeps it out", () => {
  const throwing: Addon = {
    socks5_auth(data) {
      data.valid = true;
      throw new Error("half-way");
    },
  };
  const cases: [Addon[], boolean][] = [
    [[throwing], false],
    [[{ socks5_auth: (data) => void (data.valid = true) }, throwing], true],
    [[{ socks5_auth: (data) => void (data.valid = true) }, { ...throwing, failClosed: true }], false],
  ];
  for (const [addons, expected] of cases) {
    const data: Socks5AuthData = { clientConn, username: "u", password: "p", valid: false };
    dispatcher(...addons).dispatcher.trigger("socks5_auth", data);
    assertEquals(data.valid, expected);
  }
});

Deno.test("what a later addon changed stays when an earlier one threw", () => {
  const { dispatcher: hooks } = dispatcher(
    {
      request(flow) {
        flow.request.headers.set("x-a", "1");
        throw new Error("no");
      },
    },
    { request: (flow) => flow.request.headers.set("x-b", "2") },
  );
  const flow = httpFlow();
  hooks.trigger("request", flow);
  assertEquals(flow.request.headers.has("x-a"), false);
  assertEquals(flow.request.headers.get("x-b"), "2");
});

Deno.test("a hook that is under way ends with the addons it began with", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const { dispatcher: hooks } = dispatcher({ request: () => gate.promise }, {
    request: () => seen.push("old"),
  });
  const pending = hooks.trigger("request", httpFlow());
  hooks.setAddons([{ name: "new", hooks: { request: () => seen.push("new") }, builtin: false }]);
  gate.resolve();
  await pending;
  assertEquals(seen, ["old"]);
  assert(hooks.has("request"));
  hooks.trigger("request", httpFlow());
  assertEquals(seen, ["old", "new"]);
});

Deno.test("a hook that throws has neither changed nor dropped a WebSocket message", () => {
  const { dispatcher: hooks } = dispatcher({
    websocket_message(flow) {
      const message = flow.websocket!.messages.at(-1)!;
      message.content = "changed";
      message.drop();
      throw new Error("half-way");
    },
  });
  const flow = httpFlow();
  flow.websocket = new WebSocketData({ messages: 10, bytes: 1000 });
  const message = new WebSocketMessage(true, true, new TextEncoder().encode("before"));
  flow.websocket[internals].record(message);
  hooks.trigger("websocket_message", flow);
  assertEquals(message.text, "before");
  assertEquals(message.dropped, false);
  assertEquals(message[internals].changed, false);
});
