import { assertEquals, assertStrictEquals } from "@std/assert";
import { Headers } from "../../src/http/headers.ts";
import { internals } from "../../src/internals.ts";
import { snapshot } from "../../src/flow/snapshot.ts";
import { httpFlow, respond, tcpFlow } from "../support/addon_host.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("a request is put back: method, route, Host field, headers, version, stream", () => {
  const flow = httpFlow({ headers: [["Host", "example.com"], ["A", "1"]] });
  const { request } = flow;
  request[internals].flow = { addon: "first.ts", warn: () => {}, room: Infinity, hold: () => 0 };
  request.stream = true;
  const restore = snapshot(flow);
  request[internals].flow = { addon: "second.ts", warn: () => {}, room: Infinity, hold: () => 0 };
  request.url = "https://elsewhere.example:8443/other";
  request.method = "POST";
  request.httpVersion = "HTTP/1.0";
  request.headers.set("A", "2");
  request.stream = false;
  request.streamOver = 1;
  request.streamEndless = true;
  request.trailers = new Headers([["T", "1"]]);
  restore();
  assertEquals([request.method, request.url, request.httpVersion], [
    "GET",
    "http://example.com/path",
    "HTTP/1.1",
  ]);
  assertEquals(request.headers.raw, ["Host", "example.com", "A", "1"]);
  assertEquals([request.stream, request[internals].streamSetBy], [true, "first.ts"]);
  assertEquals([request.streamOver, request.streamEndless, request.trailers], [null, false, null]);
});

Deno.test("headers and trailers that were replaced are the old ones again, with what they held", () => {
  const flow = httpFlow();
  const response = respond(flow, { headers: { A: "1" } });
  response.trailers = new Headers({ T: "1" });
  const { headers, trailers } = response;
  const restore = snapshot(flow);
  headers.append("B", "2");
  trailers.delete("T");
  response.headers = { C: "3" } as unknown as Headers;
  response.trailers = null;
  response.statusCode = 500;
  response.reason = "Changed";
  restore();
  assertStrictEquals(response.headers, headers);
  assertStrictEquals(response.trailers, trailers);
  assertEquals([headers.raw, trailers.raw], [["A", "1"], ["T", "1"]]);
  assertEquals([response.statusCode, response.reason], [200, "OK"]);
});

Deno.test("a buffered body is put back; one that was read meanwhile is no change of the hook's", () => {
  const flow = httpFlow();
  const state = flow.request[internals];
  Object.assign(state, { mode: "buffered", raw: utf8("before") });
  let restore = snapshot(flow);
  flow.request.text = "after";
  restore();
  assertEquals(flow.request.text, "before");
  Object.assign(state, { mode: "pending", raw: null });
  restore = snapshot(flow);
  Object.assign(state, { mode: "buffered", raw: utf8("read") });
  restore();
  assertEquals(flow.request.text, "read");
});

Deno.test("a response that was set is taken back, and the body of it cancelled", async () => {
  const flow = httpFlow();
  const restore = snapshot(flow);
  const cancelled = Promise.withResolvers<void>();
  flow.response = new Response(new ReadableStream({ cancel: () => cancelled.resolve() }));
  restore();
  assertEquals(flow.response, null);
  await cancelled.promise;
  const old = respond(flow);
  const again = snapshot(flow);
  flow.response = null;
  again();
  assertStrictEquals(flow.response, old);
});

Deno.test("the newest message of a TCP flow is put back", () => {
  const flow = tcpFlow();
  snapshot(flow)();
  flow.record({ fromClient: true, content: utf8("before"), timestamp: 0 });
  const restore = snapshot(flow);
  flow.messages[0].content = utf8("after");
  restore();
  assertEquals(flow.messages[0].content, utf8("before"));
});
