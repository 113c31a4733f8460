import { assertEquals, assertMatch, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { newId } from "../../src/flow/connection.ts";
import { TCP_HISTORY } from "../../src/flow/flow.ts";
import { internals } from "../../src/internals.ts";
import { madeConnection } from "../../src/flow/planned_connection.ts";
import { Response } from "../../src/flow/response.ts";
import { snapshot } from "../../src/flow/snapshot.ts";
import { httpFlow, tcpFlow } from "../support/addon_host.ts";

Deno.test("an id is unique, and stays", () => {
  const [one, two] = [httpFlow(), httpFlow()];
  assertEquals(one.id, one.id);
  assertNotEquals(one.id, two.id);
  assertNotEquals(newId(), newId());
});

Deno.test("flow.response takes a web Response, weir's own, and null", () => {
  const flow = httpFlow();
  assertEquals(flow.response, null);
  flow.response = new globalThis.Response("x", { status: 403 });
  const { response } = flow;
  assertEquals([response instanceof Response, response?.statusCode], [true, 403]);
  flow.response = null;
  assertEquals(flow.response, null);
  flow.response = response;
  assertStrictEquals(flow.response, response);
});

Deno.test("a web Response that was used already is refused, and what was there stays", async () => {
  const flow = httpFlow();
  flow.response = new globalThis.Response(null, { status: 204 });
  const used = new globalThis.Response("x");
  await used.text();
  assertThrows(() => flow.response = used, TypeError);
  assertEquals(flow.response?.statusCode, 204);
});

Deno.test("warnings of request and response name the addon whose hook is running, and the request", () => {
  const flow = httpFlow(), lines: string[] = [];
  const state = flow[internals];
  flow.request.content = "before there is a log";
  state.log = { warn: (text) => void lines.push(text) };
  flow.response = new globalThis.Response("x");
  state.addon = "mine.ts";
  flow.request.content = "x";
  flow.response!.content = "x";
  flow.request.stream = true;
  assertEquals(flow.request[internals].streamSetBy, "mine.ts");
  state.addon = null;
  flow.request.content = "x";
  const about = "GET http://example.com/path: The body has not been read yet";
  assertEquals(lines.map((line) => line.split(",")[0]), [`mine.ts: ${about}`, `mine.ts: ${about}`, about]);
});

Deno.test("kill acts once, on whoever runs the flow, and says how", () => {
  const flow = httpFlow();
  const kills: string[] = [];
  flow[internals].kill = (how) => kills.push(how);
  flow.kill({ reset: true });
  flow.kill();
  assertEquals([kills, flow[internals].killed], [["reset"], true]);
  tcpFlow().kill();
});

Deno.test("a flow's signal is aborted where it is asked for after the end", () => {
  const flow = httpFlow();
  assertEquals(flow.signal.aborted, false);
  flow.kill();
  assertEquals(flow.signal.aborted, true);
  const ended = httpFlow();
  ended[internals].ended = true;
  assertEquals(ended.signal.aborted, true);
});

Deno.test("a TCP flow keeps its newest messages", () => {
  const flow = tcpFlow();
  for (let i = 0; i < TCP_HISTORY + 3; i++) {
    flow.record({ fromClient: true, content: Uint8Array.of(i), timestamp: i });
  }
  assertEquals([flow.messages.length, flow.messages[0].timestamp, flow.messages.at(-1)!.timestamp], [
    TCP_HISTORY,
    3,
    TCP_HISTORY + 2,
  ]);
});

Deno.test("before there is a connection serverConn says where the request is to go, and takes a proxy", () => {
  const flow = httpFlow({ host: "a.example" });
  const { serverConn } = flow;
  assertEquals([serverConn.address, serverConn.via], [{ hostname: "a.example", port: 80 }, null]);
  assertEquals([serverConn.peerAddress, serverConn.tls, serverConn.timestampTcpSetup], [null, null, null]);
  flow.request.host = "b.example";
  flow.request.port = 81;
  assertEquals(serverConn.address, { hostname: "b.example", port: 81 });
  serverConn.via = "http://u:secret@[::1]:3128";
  assertEquals(flow.serverConn.via, "http://[::1]:3128");
  assertEquals(flow[internals].proxy?.credentials, { username: "u", password: "secret" });
  assertEquals(JSON.stringify(flow.serverConn).includes("secret"), false);
  for (const value of ["http://u:secret@host:0", 3128, undefined]) {
    const { message } = assertThrows(
      () => serverConn.via = value as string,
      TypeError,
      "flow.serverConn.via",
    );
    assertEquals(message.includes("secret"), false);
  }
  assertEquals(serverConn.via, "http://[::1]:3128");
  serverConn.via = null;
  assertEquals([serverConn.via, flow[internals].proxy], [null, null]);
  assertStrictEquals(flow.serverConn, serverConn);
  assertMatch(serverConn.id, /^[0-9a-f]{8}-/);
  assertEquals(madeConnection(flow), null);
});

Deno.test("a hook that throws has set no proxy", () => {
  const flow = httpFlow();
  const restore = snapshot(flow);
  flow.serverConn.via = "socks5://localhost";
  restore();
  assertEquals(flow.serverConn.via, null);
});
