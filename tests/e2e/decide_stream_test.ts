/** Contract section 3: what decides between buffer and stream, row by row, and what is kept. @module */
import { assert, assertEquals } from "@std/assert";
import type { Addon } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { echo, origin, untilClose, withChunks, withLength } from "./support/origin.ts";
import { type Options, recorder, startProxy } from "./support/proxy.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

/** Notes how each message travels, when `request` and `response` run. */
function witness(into: unknown[]): Addon {
  return {
    request: ({ request }) => void into.push([request.streamedBy, request.text]),
    response: ({ response }) => void into.push([response!.streamedBy, response!.text]),
  };
}

/** Posts `body`, echoed with content-length, and gives what {@linkcode witness} saw of request and response. */
async function decided(
  body: string,
  options: Options,
  addon: Addon = {},
  fields = "",
): Promise<unknown[]> {
  const seen: unknown[] = [];
  await using server = await origin(async (wire, request) => {
    const text = await BodyReader.ofRequest(wire, request).text();
    await withLength(text, fields)(wire, request);
  });
  await using proxy = await startProxy([addon, witness(seen)], options);
  assertEquals((await exchange(proxy, server.url(), { method: "POST", body, fields })).text, body);
  return seen;
}

const streamWith = (value: boolean): Addon => ({
  requestheaders: (flow) => void (flow.request.stream = value),
  responseheaders: (flow) => void (flow.response!.stream = value),
});
const EVENTS = "Content-Type: text/event-stream\r\n";
const ROWS: [string, Parameters<typeof decided>, string | null][] = [
  ["nothing set: buffered", ["12345", {}], null],
  ["an addon's true", ["1", {}, streamWith(true)], "addon"],
  ["an addon's true before size and type", [
    "12345",
    { stream_large_bodies: "0" },
    streamWith(true),
    EVENTS,
  ], "addon"],
  [
    "an addon's false beats size, type and memory",
    [
      "12345",
      { stream_large_bodies: "0", body_buffer_limit: "2" },
      streamWith(false),
      EVENTS,
    ],
    null,
  ],
  ["declared length above stream_large_bodies", ["12345", { stream_large_bodies: "4" }], "size"],
  ["declared length of exactly stream_large_bodies", ["12345", { stream_large_bodies: "5" }], null],
  ["stream_large_bodies with a unit", ["x".repeat(1025), { stream_large_bodies: "1k" }], "size"],
  ["stream_large_bodies=0 streams one byte", ["1", { stream_large_bodies: "0" }], "size"],
  ["size before type", ["12345", { stream_large_bodies: "4" }, {}, EVENTS], "size"],
  ["type before memory", ["12345", { body_buffer_limit: "2" }, {}, EVENTS], "type"],
  ["text/event-stream", ["1", {}, {}, EVENTS], "type"],
  ["a type with parameters and capitals", [
    "1",
    {},
    {},
    "Content-Type: Text/Event-Stream; charset=utf-8\r\n",
  ], "type"],
  ["application/grpc", ["1", {}, {}, "Content-Type: application/grpc\r\n"], "type"],
  ["application/grpc+proto", ["1", {}, {}, "Content-Type: application/grpc+proto\r\n"], "type"],
  ["application/connect+json", ["1", {}, {}, "Content-Type: application/connect+json\r\n"], "type"],
  ["application/x-ndjson", ["1", {}, {}, "Content-Type: application/x-ndjson\r\n"], "type"],
  ["multipart/x-mixed-replace", [
    "1",
    {},
    {},
    "Content-Type: multipart/x-mixed-replace;boundary=a\r\n",
  ], "type"],
  ["application/json", ["1", {}, {}, "Content-Type: application/json\r\n"], null],
  ["a type of one's own", [
    "1",
    { stream_content_types: ["video/*"] },
    {},
    "Content-Type: video/mp4\r\n",
  ], "type"],
  ["only one's own types", ["1", { stream_content_types: ["video/*"] }, {}, EVENTS], null],
  ["declared length above body_buffer_limit", ["12345", { body_buffer_limit: "4" }], "memory"],
  ["declared length of exactly body_buffer_limit", ["12345", { body_buffer_limit: "5" }], null],
];
for (const [what, args, by] of ROWS) {
  Deno.test(`${what}: streamedBy ${by}`, async () => {
    const expected = by === null ? [null, args[0]] : [by, null];
    assertEquals(await decided(...args), [expected, expected]);
  });
}

for (const framing of ["chunked", "until close"] as const) {
  for (
    const [by, option] of [["size", "stream_large_bodies"], ["memory", "body_buffer_limit"]] as const
  ) {
    Deno.test(`${framing}: ${option} switches as soon as more was read; what was read goes out at once`, async () => {
      const events = new Events();
      const seen: unknown[] = [];
      const more = new Gate(), rest = new Gate();
      const wrap = (text: string) =>
        framing === "chunked" ? `${text.length.toString(16)}\r\n${text}\r\n` : text;
      await using server = await origin(async (wire) => {
        const fields = framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
        await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${wrap("12345678")}`);
        await more.opened;
        await wire.send(wrap("9abc"));
        await rest.opened;
        await wire.send(wrap("the rest") + (framing === "chunked" ? "0\r\n\r\n" : ""));
        if (framing === "until close") wire.close();
      });
      await using proxy = await startProxy([recorder(events), witness(seen)], { [option]: "8" });
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url()));
      await events.seen("responseheaders");
      assertEquals([client.bytesRead, events.count("response")], [0, 0]);
      more.open();
      const body = client.body(await client.head());
      let text = "";
      while (text.length < 12) text += await body.nextText();
      assertEquals(text, "123456789abc");
      assertEquals(seen.at(-1), [by, null]);
      rest.open();
      assertEquals(await body.text(), "the rest");
      await events.seen("complete");
      if (by === "memory") await proxy.logged(/^warn.*body_buffer_limit/);
    });
  }
}

Deno.test("an undeclared body of at most stream_large_bodies is buffered, with all of its bytes", async () => {
  for (const serve of [withChunks(["1234", "5"]), untilClose("12345")]) {
    const seen: unknown[] = [];
    await using server = await origin(serve);
    await using proxy = await startProxy(witness(seen), { stream_large_bodies: "5" });
    assertEquals((await exchange(proxy, server.url())).text, "12345");
    assertEquals(seen.at(-1), [null, "12345"]);
  }
});

Deno.test("a chunked upload switches to streaming too", async () => {
  const seen: unknown[] = [];
  const arrived = new Gate();
  await using server = await origin(async (wire, request) => {
    const reader = BodyReader.ofRequest(wire, request);
    let text = "";
    while (text.length < 12) text += await reader.nextText();
    arrived.open();
    text += await reader.text();
    await withLength(text)(wire, request);
  });
  await using proxy = await startProxy(witness(seen), { stream_large_bodies: "8" });
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Transfer-Encoding: chunked\r\n" }));
  await client.send("8\r\n12345678\r\n");
  await client.send("4\r\n9abc\r\n");
  await within(SOON, arrived.opened, "the first chunks at the origin");
  await client.send("1\r\n!\r\n0\r\n\r\n");
  assertEquals((await client.response("POST")).text, "123456789abc!");
  assertEquals(seen[0], ["size", null]);
});

Deno.test("memory_limit: the buffer that passes the sum of all is streamed, and its memory is given back", async () => {
  const seen: Record<string, unknown> = {};
  const events = new Events();
  const gate = new Gate();
  await using server = await origin(withChunks(["x".repeat(1000), "y".repeat(1000)]));
  await using proxy = await startProxy({
    response: async ({ request, response }) => {
      seen[request.path] = response!.streamedBy;
      events.push(request.path);
      if (request.path === "/first") await gate.opened;
    },
  }, { memory_limit: "3000" });
  const first = exchange(proxy, server.url("/first"));
  await events.seen("/first");
  assertEquals((await exchange(proxy, server.url("/second"))).text.length, 2000);
  gate.open();
  assertEquals((await first).text.length, 2000);
  assertEquals((await exchange(proxy, server.url("/third"))).text.length, 2000);
  assertEquals(seen, { "/first": null, "/second": "memory", "/third": null });
  await proxy.logged(/^warn.*memory_limit/);
});

const MIB = 1024 * 1024;
for (const size of [5, 3 * MIB]) {
  Deno.test(`store_streamed_bodies keeps ${size} bytes of both bodies, set before complete`, async () => {
    const body = "0123456789abcdef".repeat(size / 16 + 1).slice(0, size);
    const kept: (string | null)[] = [];
    const events = new Events();
    await using server = await origin(echo);
    await using proxy = await startProxy(
      recorder(events, {
        requestheaders: (flow) => void (flow.request.stream = true),
        response: (flow) => void kept.push(flow.response!.text),
        responseheaders: (flow) => void (flow.response!.stream = true),
        complete: (flow) => void kept.push(flow.request.text, flow.response!.text),
      }),
      { store_streamed_bodies: true },
    );
    assertEquals((await exchange(proxy, server.url(), { method: "POST", body })).text, body);
    await events.seen("complete");
    assert(kept[0] === null && kept[1] === body && kept[2] === body, "request and response are kept");
  });
}

Deno.test("without store_streamed_bodies a streamed body is not recorded", async () => {
  const kept: unknown[] = [];
  const events = new Events();
  await using server = await origin(echo);
  await using proxy = await startProxy(
    recorder(events, {
      complete: (flow) => void kept.push(flow.request.content, flow.response!.content),
    }),
    { stream_large_bodies: "0" },
  );
  await exchange(proxy, server.url(), { method: "POST", body: "abc" });
  await events.seen("complete");
  assertEquals(kept, [null, null]);
});

for (const mode of ["buffered", "streamed"] as const) {
  const options = { body_size_limit: "8", ...(mode === "streamed" ? { stream_large_bodies: "0" } : {}) };

  Deno.test(`body_size_limit: a declared request beyond it is 413, the origin gets nothing (${mode})`, async () => {
    const events = new Events();
    await using server = await origin(echo);
    await using proxy = await startProxy(recorder(events), options);
    const seen = await exchange(proxy, server.url(), { method: "POST", body: "123456789" });
    assertEquals([seen.head.statusCode, server.requests.length], [413, 0]);
    await events.seen("error");
    const exact = await exchange(proxy, server.url(), { method: "POST", body: "12345678" });
    assertEquals(exact.text, "12345678");
  });

  Deno.test(`body_size_limit: a declared response beyond it is 502 (${mode})`, async () => {
    await using server = await origin(withLength("123456789"));
    await using proxy = await startProxy([], options);
    const seen = await exchange(proxy, server.url());
    assertEquals([seen.head.statusCode, seen.text.includes("123456789")], [502, false]);
  });

  Deno.test(`body_size_limit: an undeclared response beyond it is ${mode === "buffered" ? "502" : "cut"}`, async () => {
    const events = new Events();
    const gate = new Gate();
    await using server = await origin(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n");
      await gate.opened;
      await wire.send("5\r\n56789\r\n0\r\n\r\n");
    });
    await using proxy = await startProxy(recorder(events), options);
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    if (mode === "buffered") {
      await events.seen("responseheaders");
      gate.open();
      assertEquals((await client.response()).head.statusCode, 502);
    } else {
      const body = client.body(await client.head());
      assertEquals(await body.nextText(), "1234");
      gate.open();
      let end = "clean";
      try {
        while (await body.next() !== null);
      } catch (error) {
        end = (error as Error).name;
      }
      assertEquals(end, "Cut");
    }
    await events.seen("error");
    assertEquals(events.count("complete"), 0);
  });
}

Deno.test("body_size_limit: a chunked upload beyond it is 413 while nothing was answered, and the origin sees a cut", async () => {
  const ended = Promise.withResolvers<string>();
  await using server = await origin(async (wire) => ended.resolve((await wire.readToEnd()).text));
  await using proxy = await startProxy([], { body_size_limit: "8", stream_large_bodies: "0" });
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Transfer-Encoding: chunked\r\n" }));
  await client.send("4\r\n1234\r\n");
  await client.send("5\r\n56789\r\n0\r\n\r\n");
  assertEquals((await client.response("POST")).head.statusCode, 413);
  assert(!(await within(SOON, ended.promise, "the origin's connection to end")).endsWith("0\r\n\r\n"));
});
