/** idle_timeout: what does not move is cut so that it shows, with an error that says why; what moves, or is held, is not. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon, HttpFlow, TcpFlow } from "weir";
import { absolute, Client } from "./support/client.ts";
import { origin, type Script, tcpOrigin } from "./support/origin.ts";
import { startProxy, streamAll } from "./support/proxy.ts";
import { read, VersionClient, VersionOrigin, VERSIONS } from "./support/versions.ts";
import { response } from "./support/versions.ts";
import { converse } from "./support/websocket.ts";
import { Events } from "./support/within.ts";

const LIMIT = { idle_timeout: 1 };

/** Writes down how flows end. */
function ends(events: Events): Addon {
  return {
    complete: () => events.push("complete"),
    error: (flow: HttpFlow) => events.push(`error ${flow.error!.cause.side} ${flow.error!.cause.code}`),
    tcp_end: () => events.push("end"),
    tcp_error: (flow: TcpFlow) => events.push(`error ${flow.error!.cause.code}`),
  };
}

/** Says `first` and then nothing, until its client is gone. */
function silentAfter(first: string, gone: Events): Script {
  return async (wire) => {
    if (first !== "") await wire.send(first);
    await wire.untilEnd().catch(() => {});
    gone.push("gone");
  };
}

Deno.test("a response that does not begin is a 504, and the origin's connection is closed", async () => {
  const events = new Events();
  await using server = await origin(silentAfter("", events));
  await using proxy = await startProxy(ends(events), LIMIT);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  const { head, text } = await client.response();
  assertEquals(head.statusCode, 504);
  assertMatch(text, /idle_timeout/);
  await events.seen("gone");
  await events.seen("error server timeout");
});

Deno.test("a response that stalls in mid body is cut when it streams, and a 504 while it is buffered", async () => {
  for (const isStreamed of [true, false]) {
    const events = new Events();
    await using server = await origin(
      silentAfter("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", events),
    );
    await using proxy = await startProxy(isStreamed ? [streamAll, ends(events)] : ends(events), LIMIT);
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    const { head, text, end } = await client.response();
    if (isStreamed) assertEquals([head.statusCode, text, end === "complete"], [200, "abc", false]);
    else assertEquals([head.statusCode, end], [504, "complete"]);
    await events.seen("gone");
    await events.seen(`error ${isStreamed ? "weir" : "server"} timeout`);
  }
});

Deno.test("a body that ends by close is cut with a reset", async () => {
  const events = new Events();
  await using server = await origin(silentAfter("HTTP/1.1 200 OK\r\n\r\nabc", events));
  await using proxy = await startProxy([streamAll, ends(events)], LIMIT);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { version: "HTTP/1.0" }));
  assertEquals((await client.response()).end, "reset");
});

Deno.test("an upload that stalls while it is buffered is a 408; one that streams is answered 504", async () => {
  for (const isStreamed of [false, true]) {
    const events = new Events();
    await using server = await origin(silentAfter("", events));
    await using proxy = await startProxy(isStreamed ? [streamAll, ends(events)] : ends(events), LIMIT);
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url(), { method: "POST", fields: "Content-Length: 10\r\n" }) + "abc");
    const { head, text } = await client.response("POST");
    assertEquals(head.statusCode, isStreamed ? 504 : 408);
    assertMatch(text, /idle_timeout/);
    await events.seen(`error ${isStreamed ? "server" : "client"} timeout`);
    assertEquals(server.connections, isStreamed ? 1 : 0);
  }
});

Deno.test("over HTTP/2 one stream that stalls is ended, and the others of its connections go on", async () => {
  for (const version of VERSIONS) {
    const events = new Events();
    await using server = new VersionOrigin(version, async (incoming) => {
      if (incoming.head.path === "/quick") return await incoming.respond(response(204), null);
      await new Promise<void>((resolve) => incoming.onGone(() => resolve()));
      events.push("gone");
    });
    await using proxy = await startProxy(ends(events), { ...LIMIT, http2_upstream: "any" });
    await using client = await VersionClient.connect("HTTP/2.0", proxy, server);
    const stalled = client.send("GET", "/stalled");
    assertEquals((await client.send("GET", "/quick")).head.statusCode, 204);
    const { head, body } = await stalled;
    assertEquals(head.statusCode, 504);
    assertMatch((await read(body)).text, /idle_timeout/);
    await events.seen("gone");
    await events.seen("error server timeout");
    assertEquals((await client.send("GET", "/quick")).head.statusCode, 204);
  }
});

Deno.test("over HTTP/2 a response that stalls in mid body is cut", async () => {
  const events = new Events();
  await using server = new VersionOrigin("HTTP/2.0", async (incoming) => {
    await incoming.respond(response(200), {
      size: 10,
      chunked: false,
      chunkLeft: 0,
      trailers: null,
      take: () => undefined,
      fill: () => new Promise<void>((_, reject) => incoming.onGone(reject)),
      cancel() {},
    }).catch(() => {});
  });
  await using proxy = await startProxy([streamAll, ends(events)], { ...LIMIT, http2_upstream: "any" });
  await using client = await VersionClient.connect("HTTP/2.0", proxy, server);
  const { head, body } = await client.send("GET");
  assertEquals([head.statusCode, (await read(body)).cut], [200, true]);
  await events.seen("error weir timeout");
});

Deno.test("a raw tunnel, and a connection that was upgraded, are closed on both sides", async () => {
  const events = new Events();
  await using raw = await tcpOrigin(async (wire) => {
    await wire.untilEnd().catch(() => {});
    events.push("gone");
  });
  await using upgraded = await origin(
    silentAfter("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", events),
  );
  await using proxy = await startProxy(ends(events), LIMIT);
  await using tunnel = await Client.connect(proxy);
  await tunnel.tunnel(raw.authority);
  await tunnel.send(Uint8Array.of(0, 1));
  await tunnel.untilEnd().catch(() => {});
  await events.seen("gone");
  await events.seen("error timeout");
  await using client = await Client.connect(proxy);
  await client.send(absolute(upgraded.url(), { fields: "Connection: upgrade\r\nUpgrade: x\r\n" }));
  assertEquals((await client.head()).statusCode, 101);
  await client.untilEnd().catch(() => {});
  await events.seen("error weir timeout");
});

Deno.test("a WebSocket on which nothing happens is cut, and its flow says why; a ping is enough to keep it", async () => {
  await using conversation = await converse({ options: LIMIT });
  const { client, server, events, flow } = conversation;
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    await client.send({ opcode: 9, payload: "" });
    assertEquals((await server.frame()).opcode, 9);
  }
  await events.seen("error timeout");
  await events.seen("websocket_end 1006");
  assertMatch(flow.error!.message, /idle_timeout/);
  await client.wire.untilEnd().catch(() => {});
  await server.wire.untilEnd().catch(() => {});
});

Deno.test("what moves slowly, and what a hook or a pause holds up, is not cut", async () => {
  const events = new Events();
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await using server = await origin(async (wire, request) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    if (request.target !== "/slow") return await wire.send("abcdef");
    for (const byte of "abcdef") {
      await wait(400);
      await wire.send(byte);
    }
  });
  const holds: Addon = {
    async request(flow) {
      if (flow.request.path === "/hook") await wait(2200);
    },
    responseheaders(flow) {
      if (flow.request.path !== "/pause") return;
      flow.response!.stream = true;
      flow.response!.pause();
      setTimeout(() => flow.response!.resume(), 2200);
    },
  };
  await using proxy = await startProxy([holds, ends(events)], LIMIT);
  const texts = await Promise.all(["/slow", "/hook", "/pause"].map(async (path) => {
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url(path)));
    return (await client.response()).text;
  }));
  assertEquals(texts, ["abcdef", "abcdef", "abcdef"]);
  assert(events.list.every((event) => event === "complete"), events.list.join());
});
