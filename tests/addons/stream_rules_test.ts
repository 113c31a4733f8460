import { assertEquals } from "@std/assert";
import * as weir from "../../src/mod.ts";
import StreamContentTypes from "../../addons/stream_content_types.ts";
import StreamLargeBodies from "../../addons/stream_large_bodies.ts";
import { internals } from "../../src/internals.ts";
import { AddonManager } from "../../src/hooks/mod.ts";
import { addonHost, httpFlow, respond } from "../support/addon_host.ts";

/** Both addons, with the options set by text as on the command line. */
async function start(given: Record<string, string[]> = {}) {
  const host = addonHost();
  const manager = new AddonManager(host.ctx, host.options, weir);
  await manager.load([
    { name: "stream_large_bodies", addon: StreamLargeBodies, builtin: true },
    { name: "stream_content_types", addon: StreamContentTypes, builtin: true },
  ]);
  const changes = Object.entries(given).map(([name, texts]) =>
    [name, host.options.read(name, texts)] as const
  );
  await host.options.updateNamed(changes);
  await manager.configure(new Set(host.options.names()));
  return manager.dispatcher;
}

Deno.test("without stream_large_bodies no length is too large", async () => {
  const hooks = await start();
  const flow = httpFlow();
  hooks.trigger("requestheaders", flow);
  assertEquals(flow.request.streamOver, null);
});

for (const [text, bytes] of [["3m", 3145728], ["0", 0], ["1K", 1024]] as const) {
  Deno.test(`stream_large_bodies=${text} is asked for on requests and responses`, async () => {
    const hooks = await start({ stream_large_bodies: [text] });
    const flow = httpFlow();
    const response = respond(flow);
    hooks.trigger("requestheaders", flow);
    hooks.trigger("responseheaders", flow);
    assertEquals(flow.request.streamOver, bytes);
    assertEquals(response.streamOver, bytes);
  });
}

Deno.test("neither addon sets stream, so that any other may", async () => {
  const hooks = await start({ stream_large_bodies: ["0"] });
  const flow = httpFlow();
  const response = respond(flow, { headers: { "content-type": "text/event-stream" } });
  response.stream = false;
  hooks.trigger("requestheaders", flow);
  hooks.trigger("responseheaders", flow);
  assertEquals(flow.request[internals].stream, undefined);
  assertEquals(response[internals].stream, false);
});

const TYPES: [type: string | null, streamed: boolean, patterns?: string[]][] = [
  ["text/event-stream", true],
  ["Text/Event-Stream ; charset=utf-8", true],
  ["application/grpc", true],
  ["application/grpc+proto", true],
  ["application/grpc-web-text", true],
  ["application/connect+json", true],
  ["application/connect", false],
  ["application/x-ndjson", true],
  ["multipart/x-mixed-replace; boundary=frame", true],
  ["text/html", false],
  ["text/event-streamer", false],
  [null, false],
  ["video/mp4", true, ["audio/*, VIDEO/*"]],
  ["audio/ogg", true, ["video/*", "audio/*"]],
  ["text/event-stream", false, ["video/*"]],
  ["text/event-stream", false, [""]],
  ["text/anything", true, ["*"]],
];

for (const [type, streamed, patterns] of TYPES) {
  Deno.test(`${type ?? "no type"} is ${streamed ? "" : "not "}endless with ${patterns?.join(" and ") ?? "the default"}`, async () => {
    const hooks = await start(patterns && { stream_content_types: patterns });
    const headers: Record<string, string> = type === null ? {} : { "Content-Type": type };
    const flow = httpFlow({ headers });
    const response = respond(flow, { headers });
    hooks.trigger("requestheaders", flow);
    hooks.trigger("responseheaders", flow);
    assertEquals(flow.request.streamEndless, streamed);
    assertEquals(response.streamEndless, streamed);
  });
}
