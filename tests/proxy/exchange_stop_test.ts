/** An exchange that is stopped from outside, at every stage: killed, or its client gone. @module */
import { assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import type { HttpFlow } from "../../src/flow/flow.ts";
import type { Addon } from "../../src/hooks/mod.ts";
import { runExchange } from "../../src/proxy/exchange.ts";
import type { Lease } from "../../src/proxy/upstream_pool.ts";
import { TestBody, turn, utf8 } from "../streams/support.ts";
import { bytesBody } from "../../src/streams/bytes_body.ts";
import {
  FakeIncoming,
  lease,
  ok,
  type Origin,
  proxyContext,
  recorder,
  responseHead,
  route,
  transcript,
} from "./support.ts";

const KILLS: [string, string[]][] = [
  ["requestheaders", ["requestheaders", "abort killed", "error"]],
  ["request", ["requestheaders", "request", "abort killed", "error"]],
  ["responseheaders", [
    "< GET /",
    "responseheaders",
    "abort killed",
    "upstream abort killed",
    "discard",
    "error",
  ]],
  ["response", ["response", "abort killed", "upstream abort killed", "discard", "error"]],
];
for (const [hook, expected] of KILLS) {
  Deno.test(`flow.kill() in ${hook} cuts both sides, and error is the last hook`, async () => {
    const log = await transcript({ addons: [{ [hook]: (flow: HttpFlow) => flow.kill() }] });
    assertEquals(log.slice(-expected.length), expected);
    assertEquals(log.includes("complete"), false);
  });
}

Deno.test("flow.kill() while the request body is collected, and while the answer is awaited", async () => {
  for (const stage of ["body", "answer"]) {
    const log: string[] = [];
    let flow!: HttpFlow;
    const place = () => lease(log, () => new Promise(() => {}));
    const { context } = proxyContext(place, [{ requestheaders: (given) => void (flow = given) }]);
    const body = new TestBody().push("a");
    const incoming = new FakeIncoming(log, stage === "body" ? { method: "POST", body } : {});
    const done = runExchange(context, incoming, route);
    await turn();
    flow.kill();
    await done;
    assertEquals(log.includes("abort killed"), true);
    assertEquals([flow.error?.cause.code, context.memory.used], ["killed", 0]);
  }
});

Deno.test("the client leaves while an addon's own answer is collected: its stream is cancelled", async () => {
  const log: string[] = [];
  const cancelled = Promise.withResolvers<void>();
  const stream = new ReadableStream({
    start: (controller) => controller.enqueue(utf8("first")),
    cancel: () => cancelled.resolve(),
  });
  const { context } = proxyContext(() => lease(log, ok), [
    recorder(log),
    { request: (flow) => flow.response = new Response(stream) },
    { responseheaders: (flow) => void (flow.response!.stream = false) },
  ]);
  const incoming = new FakeIncoming(log);
  const done = runExchange(context, incoming, route);
  await turn();
  await turn();
  assertEquals(log.at(-1), "responseheaders");
  incoming.leave();
  await done;
  await cancelled.promise;
  assertEquals(log.slice(-2), ["abort closed", "error"]);
});

Deno.test("an answer that is never sent has its stream cancelled", async () => {
  const cancelled = Promise.withResolvers<void>();
  const stream = new ReadableStream({ cancel: () => cancelled.resolve() });
  const addon: Addon = {
    request: (flow) => {
      flow.response = new Response(stream);
      flow.kill();
    },
  };
  await transcript({ addons: [addon] });
  await cancelled.promise;
});

Deno.test("the client leaves while weir connects: nobody waits, and the late connection is freed", async () => {
  const log: string[] = [];
  const connecting = Promise.withResolvers<Lease>();
  const { context } = proxyContext(() => connecting.promise, [recorder(log)]);
  const incoming = new FakeIncoming(log);
  const done = runExchange(context, incoming, route);
  await turn();
  incoming.leave();
  await done;
  assertEquals(log, ["requestheaders", "request", "abort closed", "error"]);
  connecting.resolve(lease(log, ok));
  await turn();
  assertEquals(log.slice(4), ["upstream abort closed", "discard"]);
});

Deno.test("killed in the very moment in which the connection is there: nothing is sent on it", async () => {
  for (let turns = 0; turns < 8; turns++) {
    const log: string[] = [];
    let flow!: HttpFlow;
    const connecting = Promise.withResolvers<Lease>();
    const { context } = proxyContext(() => connecting.promise, [{ request: (given) => void (flow = given) }]);
    const done = runExchange(context, new FakeIncoming(log), route);
    await turn();
    connecting.resolve(lease(log, () => new Promise(() => {})));
    for (let i = 0; i < turns; i++) await Promise.resolve();
    flow.kill();
    await done;
    assertEquals(log.filter((line) => line !== "< GET /"), [
      "abort killed",
      "upstream abort killed",
      "discard",
    ]);
  }
});

Deno.test("whatever the end of a flow is, nothing of it is booked afterwards, and nothing of it is watched", async () => {
  const coded = gzipSync(new Uint8Array(50_000));
  const reply: Origin = () => ({
    head: responseHead(200, [["Content-Encoding", "gzip"]]),
    body: bytesBody(coded),
    upgraded: null,
  });
  const endings: Addon[] = [
    {},
    { response: (flow) => flow.kill() },
    { response: (flow) => void (flow.response = new Response("another")) },
    { complete: (flow) => void flow.response!.content },
  ];
  for (const ending of endings) {
    const log: string[] = [];
    let during = 0, content = 0;
    const { context } = proxyContext(() => lease(log, reply), [{
      response: (flow) => {
        content = flow.response!.content!.length;
        during = context.memory.used;
      },
    }, ending]);
    await runExchange(context, new FakeIncoming(log), route);
    assertEquals([content, during], [50_000, 50_000 + coded.length]);
    assertEquals([context.memory.used, context.running.count], [0, 0]);
  }
});

Deno.test("a hook that waits for its flow's signal is through when the client leaves", async () => {
  const log: string[] = [];
  const addon: Addon = {
    request: (flow) => new Promise<void>((resolve) => flow.signal.addEventListener("abort", () => resolve())),
  };
  const { context } = proxyContext(() => lease(log, ok), [addon, recorder(log)]);
  const incoming = new FakeIncoming(log);
  const done = runExchange(context, incoming, route);
  await turn();
  incoming.leave();
  await done;
  assertEquals(log.slice(-3), ["abort closed", "request", "error"]);
});

Deno.test("a signal that was asked for is aborted when the flow has ended well", async () => {
  const seen: boolean[] = [];
  const addon: Addon = {
    request: ({ signal }) => void seen.push(signal.aborted),
    complete: ({ signal }) => void seen.push(signal.aborted),
  };
  await transcript({ addons: [addon] });
  assertEquals(seen, [false, true]);
});
