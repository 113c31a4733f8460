/** HAR there and back. @module */
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import fc from "fast-check";
import type { HttpFlow } from "../../../src/flow/flow.ts";
import { makeHttpFlow, makeServerConnection, makeTcpFlow } from "../../../src/flow/make.ts";
import {
  detectFormat,
  FormatError,
  harEntry,
  type HarWrite,
  PlainHarWriter,
  readFlows,
  toHar,
  ZlibHarWriter,
} from "../../../src/formats/mod.ts";
import { StoredBody } from "../../../src/streams/mod.ts";
import { cut, data, expected, facts, readAll } from "../support.ts";
import { schemaErrors } from "./schema.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

for (const [name, { flows: count, error_at }] of expected()) {
  if (name.endsWith(".mitm")) continue;
  Deno.test(`${name}: ${count ?? "some"} flows${error_at ? ", then an error that names the place" : ""}`, async () => {
    for (const lengths of [[100_000], [1], [7, 300]]) {
      const { flows, error } = await readAll(readFlows(cut(data(name), lengths)));
      if (count !== null) assertEquals(flows.length, count);
      if (!error_at) assertEquals(error, null);
      else {
        assertInstanceOf(error, FormatError);
        assert(error.offset >= error_at[0] && error.offset <= error_at[1], error.message);
      }
      // A path is kept as it was sent, also one that no URI could have.
      const uris = flows.filter((flow) => flow.type === "http" && !/[{}|]/.test(flow.request.path));
      assertEquals(schemaErrors(JSON.parse(String(toHar(uris)))), []);
    }
  });
}

/** All flows of a file. */
async function flowsOf(name: string): Promise<HttpFlow[]> {
  const { flows, error } = await readAll(readFlows(cut(data(name))));
  assertEquals(error, null);
  return flows.filter((flow): flow is HttpFlow => flow.type === "http");
}

async function again(flows: HttpFlow[]): Promise<HttpFlow[]> {
  const { flows: copies, error } = await readAll(readFlows(cut(bytesOf(String(toHar(flows))), [1000])));
  assertEquals(error, null);
  return copies as HttpFlow[];
}

Deno.test("HARs of all who write them come out as they were read", async () => {
  for (const [name, { error_at }] of expected()) {
    if (!name.startsWith("har/") || error_at) continue;
    const flows = await flowsOf(name);
    assertEquals(String(toHar(await again(flows))), String(toHar(flows)), name);
  }
});

/** What of a flow a HAR keeps. */
function kept(flow: HttpFlow) {
  const { request, response, websocket, error } = facts(flow) as Record<
    string,
    Record<string, unknown> | null
  >;
  const fields = (raw: string[], body: unknown) => {
    const isKept = body !== null;
    const pairs = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]]);
    return pairs.filter(([name]) => !isKept || !/^content-(encoding|length)$/i.test(name));
  };
  const message = (of: "request" | "response") => {
    const from = of === "request" ? request : response;
    if (from === null) return null;
    const { mode: _, body: __, streamedBy: ___, headers, ...rest } = from;
    const content = flow[of]!.content;
    return { ...rest, headers: fields(headers as string[], content), content: content && [...content] };
  };
  return { request: message("request"), response: message("response"), websocket, error };
}

Deno.test("HAR keeps method, URL, fields, bodies, messages, errors and times of mitmproxy's flows", async () => {
  const flows = await flowsOf("all.mitm");
  const copies = await again(flows);
  assertEquals(copies.length, flows.length);
  for (const [i, flow] of flows.entries()) assertEquals(kept(copies[i]), kept(flow), flow.request.url);
});

Deno.test("any flow comes back", async () => {
  const char = (min: number) => fc.integer({ min, max: 0xff }).map((code) => String.fromCharCode(code));
  const value = fc.string({ unit: char(0x20) }).map((text) => text.trim());
  const time = fc.integer({ min: 0, max: 10_000_000 }).map((micros) => micros / 1000);
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        path: fc.string({ unit: char(0x21) }).map((text) => `/${text.replaceAll("#", "")}`),
        value,
        up: fc.oneof(fc.uint8Array(), fc.string({ unit: "binary" }).map(bytesOf)),
        down: fc.option(fc.uint8Array({ minLength: 1 })),
        type: fc.constantFrom(
          "text/plain",
          "text/html; charset=iso-8859-1",
          "application/json; charset=utf-8",
          "",
        ),
        times: fc.array(time, { minLength: 4, maxLength: 4 }),
        status: fc.integer({ min: 200, max: 599 }),
      }),
      async ({ path, value, up, down, type, times, status }) => {
        times.sort((a, b) => a - b);
        const [start, sent, answered, ended] = times.map((time) => 1_700_000_000_000 + time);
        const flow = makeHttpFlow({
          request: {
            method: "PUT",
            scheme: "https",
            host: "a.example",
            port: 8443,
            path,
            headers: [["Host", "a.example:8443"], ["X", value], ["content-type", type]],
            body: up,
            timestampStart: start,
            timestampEnd: sent,
          },
          response: {
            statusCode: status,
            headers: [["content-type", type], ["x", value]],
            body: down,
            timestampStart: answered,
            timestampEnd: ended,
          },
        });
        const [copy] = await again([flow]);
        assertEquals(kept(copy), kept(flow));
      },
    ),
    { numRuns: 300 },
  );
});

/** A file that is written to in places. */
class Growing {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array();

  put({ at, bytes }: HarWrite): void {
    assert(at <= this.bytes.length, "there would be a hole");
    const grown = new Uint8Array(at + bytes.length);
    grown.set(this.bytes.subarray(0, at));
    grown.set(bytes, at);
    this.bytes = grown;
  }
}

for (const [name, Writer] of [["har", PlainHarWriter], ["zhar", ZlibHarWriter]] as const) {
  Deno.test(`.${name}: the file is whole after every flow, and shrinks nowhere`, async () => {
    const flows = await flowsOf("all.mitm");
    const file = new Growing(), writer = new Writer();
    file.put(writer.begin());
    assertEquals(detectFormat(file.bytes), name);
    for (let count = 0;; count++) {
      const text = name === "har" ? file.bytes : new Uint8Array(
        await new Response(new Blob([file.bytes]).stream().pipeThrough(new DecompressionStream("deflate")))
          .arrayBuffer(),
      );
      const har = JSON.parse(new TextDecoder().decode(text));
      assertEquals(har, JSON.parse(String(toHar(flows.slice(0, count)))));
      if (count === flows.length) break;
      const before = file.bytes.length;
      file.put(writer.add(flows[count]));
      assert(file.bytes.length > before);
    }
  });
}

Deno.test("optional members are absent, never null; a flow without a response has what Chromium needs", async () => {
  const nulls = (value: unknown, path: string): string[] =>
    value === null
      ? [path]
      : typeof value === "object"
      ? Object.entries(value).flatMap(([key, item]) => nulls(item, `${path}.${key}`))
      : [];
  const flows = await flowsOf("all.mitm");
  for (const flow of flows) {
    const entry = harEntry(flow);
    assertEquals(nulls({ ...entry, _webSocketClose: undefined }, ""), []);
    for (const key of ["headersSize", "bodySize"] as const) {
      assertEquals([typeof entry.request[key], typeof entry.response[key]], ["number", "number"]);
    }
    assertEquals(typeof entry.response.content.size, "number");
    for (const key of ["send", "wait", "receive"] as const) assert(entry.timings[key] >= 0);
  }
  const refused = harEntry(flows.find(({ request }) => request.path === "/refused")!);
  assertEquals([refused.response.status, refused.response.content], [0, { size: 0, mimeType: "x-unknown" }]);
  assertMatch(refused.response._error!, /Connect call failed/);
});

Deno.test("sizes: the body's on the wire and with codings off, the head's as it is written", async () => {
  const gzip = (await flowsOf("all.mitm")).find(({ request }) => request.path === "/gzip")!;
  const { request, response } = harEntry(gzip);
  const size = gzip.response!.content!.length;
  assertEquals(response.content.size, size);
  assertEquals(response.bodySize, gzip.response!.rawContent!.length);
  assertEquals(response.content.compression, size - response.bodySize);
  assertMatch(response.content.text!, /needle-gzip/);
  const head = `GET /gzip HTTP/1.1\r\n${
    [...gzip.request.headers].map(([n, v]) => `${n}: ${v}\r\n`).join("")
  }\r\n`;
  assertEquals(request.headersSize, head.length);
});

Deno.test("cookies, query, form and redirect are taken apart", () => {
  const { request, response } = harEntry(makeHttpFlow({
    request: {
      method: "POST",
      url: "http://a/p?x=1&y=%20&z&bad=%zz",
      headers: [["Cookie", "a=1; b=x=y"], ["Content-Type", "application/x-www-form-urlencoded"]],
      body: "name=ann+b&e=%C3%A9",
    },
    response: {
      statusCode: 302,
      headers: [
        [
          "Set-Cookie",
          "s=1; Path=/; Domain=a.example; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Secure; SameSite=Lax",
        ],
        ["Set-Cookie", "t=2; expires=never"],
        ["Location", "/next"],
      ],
    },
  }));
  assertEquals(request.cookies, [{ name: "a", value: "1" }, { name: "b", value: "x=y" }]);
  assertEquals(request.queryString, [
    { name: "x", value: "1" },
    { name: "y", value: " " },
    { name: "z", value: "" },
    { name: "bad", value: "%zz" },
  ]);
  assertEquals(request.postData?.params, [{ name: "name", value: "ann b" }, { name: "e", value: "é" }]);
  assertEquals(response.redirectURL, "/next");
  assertEquals(response.cookies, [
    {
      name: "s",
      value: "1",
      path: "/",
      domain: "a.example",
      expires: "2026-10-21T07:28:00.000Z",
      httpOnly: true,
      secure: true,
      sameSite: "Lax",
    },
    { name: "t", value: "2", httpOnly: false, secure: false },
  ]);
});

Deno.test("text with a NUL is no text", () => {
  const { content } =
    harEntry(makeHttpFlow({ request: { url: "http://a/" }, response: { body: "a\0b" } })).response;
  assertEquals([content.text, content.encoding], [btoa("a\0b"), "base64"]);
});

Deno.test("what is no text is base64 in both directions", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const { request, response } = harEntry(makeHttpFlow({
    request: { method: "PUT", url: "http://a/", body: bytes },
    response: { body: bytes },
  }));
  assertEquals([request.postData?._encoding, Uint8Array.fromBase64(request.postData!.text)], [
    "base64",
    bytes,
  ]);
  assertEquals([response.content.encoding, Uint8Array.fromBase64(response.content.text!)], ["base64", bytes]);
});

Deno.test("timings: a connection counts for the flow that it was made for, and connect includes ssl", () => {
  const serverConn = makeServerConnection({
    address: { hostname: "a", port: 443 },
    peerAddress: { hostname: "192.0.2.1", port: 443 },
    timestampStart: 1010,
    timestampTcpSetup: 1015,
    timestampTlsSetup: 1035,
  });
  const flow = (start: number) =>
    harEntry(makeHttpFlow({
      request: { url: "https://a/", timestampStart: start, timestampEnd: start + 5 },
      response: { timestampStart: start + 100, timestampEnd: start + 150 },
      serverConn,
    }));
  const [first, second] = [flow(1000), flow(2000)];
  assertEquals(first.timings, { blocked: -1, dns: -1, connect: 25, ssl: 20, send: 5, wait: 70, receive: 50 });
  assertEquals([first.time, first.serverIPAddress], [150, "192.0.2.1"]);
  assertEquals([second.timings.connect, second.timings.ssl, second.timings.wait, second.time], [
    -1,
    -1,
    95,
    150,
  ]);
});

Deno.test("events of a stream have the times at which they came, and the timeline comes back", async () => {
  const body = "data: one\n\nevent: e\nid: 7\ndata: two\n\n";
  const flow = makeHttpFlow({
    request: { url: "http://a/", timestampStart: 1000, timestampEnd: 1000 },
    response: {
      headers: { "content-type": "text/event-stream" },
      body,
      timestampStart: 2000,
      timestampEnd: 3000,
      timeline: [[0, 11], [500, body.length]],
    },
  });
  const entry = harEntry(flow);
  assertEquals(entry._eventSourceMessages, [
    { time: 2, eventName: "message", eventId: "", data: "one" },
    { time: 2.5, eventName: "e", eventId: "7", data: "two" },
  ]);
  assertEquals([entry._resourceType, entry._timeline], ["eventsource", [[0, 11], [500, body.length]]]);
  const [copy] = await again([flow]);
  assertEquals(copy.response!.timeline, flow.response!.timeline);
});

Deno.test("WebSocket messages and the close come back, text with a byte order mark, too", async () => {
  const flow = makeHttpFlow({
    request: { url: "http://a/ws", timestampStart: 1000, timestampEnd: 1000 },
    response: { statusCode: 101, timestampStart: 1000, timestampEnd: 1000 },
    websocket: {
      messages: [
        { isText: true, fromClient: true, content: "\ufeffä", timestamp: 1001 },
        { isText: false, fromClient: false, content: Uint8Array.of(0, 255), timestamp: 1002, dropped: true },
        { isText: true, fromClient: false, content: "", timestamp: 1003, injected: true },
      ],
      closedByClient: false,
      closeCode: 1001,
      closeReason: "bye",
      timestampEnd: 1004,
    },
  });
  const [copy] = await again([flow]);
  assertEquals(facts(copy).websocket, facts(flow).websocket);
  assertEquals(harEntry(flow)._resourceType, "websocket");
});

Deno.test("a body that was not kept is absent on both sides, with its size where that is known", async () => {
  using body = new StoredBody();
  body.append(new Uint8Array(5));
  const flow = makeHttpFlow({
    request: { method: "POST", url: "http://a/", body: null },
    response: { body: null, headers: { "content-length": "99" } },
  });
  const entry = harEntry(flow);
  assertEquals([entry.request.postData, entry.response.content.text], [undefined, undefined]);
  const [copy] = await again([flow]);
  assertEquals([copy.request.content, copy.response!.content], [null, null]);
  assertEquals(copy.response!.headers.get("content-length"), "99");
  await Promise.resolve();
});

Deno.test("raw conversations are no part of a HAR", () => {
  assertEquals(toHar([makeTcpFlow(), makeHttpFlow({ request: { url: "http://a/" } })]).log.entries.length, 1);
});

Deno.test("entries of other schemes than HTTP are passed over", async () => {
  const har = toHar([makeHttpFlow({ request: { url: "http://a/" } })]);
  har.log.entries.unshift({
    ...har.log.entries[0],
    request: { ...har.log.entries[0].request, url: "data:,x" },
  });
  const skipped: string[] = [];
  const { flows } = await readAll(
    readFlows(cut(bytesOf(String(har))), { onSkipped: (type) => skipped.push(type) }),
  );
  assertEquals([flows.length, skipped], [1, ["data"]]);
});

Deno.test("any damage to a HAR is flows, or a FormatError within the file", async () => {
  for (const name of ["har/chromium.har", "har/mitmproxy.zhar", "har/gzip.zhar"]) {
    const bytes = data(name);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        fc.nat(bytes.length),
        async (damage, end) => {
          const broken = bytes.slice(0, Math.max(end, bytes.length - 3 * end));
          for (const [at, byte] of damage) if (at < broken.length) broken[at] = byte;
          const { error } = await readAll(readFlows(cut(broken, [500])));
          if (error === null) return;
          assertInstanceOf(error, FormatError);
          assertMatch(error.message, /^at byte \d+: /);
          assert(error.offset >= 0 && error.offset <= bytes.length, error.message);
        },
      ),
      { numRuns: 100 },
    );
  }
});

const WRONG: [string, unknown, RegExp][] = [
  ["text", "x", /no object/],
  ["no request", {}, /no request/],
  ["no URL", { request: { method: "GET" } }, /without a URL/],
  ["a URL that is none", { request: { method: "GET", url: "//x" } }, /cannot be read/],
  ["no method", { request: { method: "G T", url: "http://a/" } }, /without a method/],
  ["no time", { request: { method: "GET", url: "http://a/" } }, /no time/],
];
for (const [what, entry, message] of WRONG) {
  Deno.test(`an entry with ${what} is an error that names it`, async () => {
    const good = harEntry(makeHttpFlow({ request: { url: "http://a/" } }));
    const har = JSON.stringify({ log: { entries: [good, entry] } });
    const { flows, error } = await readAll(readFlows(cut(bytesOf(har))));
    assertEquals(flows.length, 1);
    assertInstanceOf(error, FormatError);
    assertMatch(error.message, /entry 1 /);
    assertMatch(error.message, message);
  });
}

Deno.test("entries with the oddest members are read as far as they make sense", async () => {
  const entry = (request: unknown, response: unknown, rest: Record<string, unknown> = {}) => ({
    startedDateTime: "2026-11-28T10:00:00.5+01:00",
    request: { method: "POST", url: "http://user:pw@ex.example", ...request as object },
    response,
    ...rest,
  });
  const har = {
    log: {
      entries: [
        entry({
          headers: null,
          postData: { mimeType: "application/x-www-form-urlencoded", params: [{ name: "a", value: "ü" }] },
        }, null),
        entry(
          {
            headers: [{ name: ":path", value: "/" }, { name: "X", value: "€" }, 5, {
              name: "bad name",
              value: "",
            }],
          },
          {
            status: 200,
            headers: [{ name: "set-cookie", value: "a=1\nb=2" }],
            content: { text: "!!!", encoding: "base64", size: 3 },
          },
        ),
        entry({ url: "wss://bücher.example/ü?€" }, { status: 200, content: null }, {
          _webSocketMessages: [{ data: 5 }, 7],
        }),
      ],
    },
  };
  const { flows, error } = await readAll(readFlows(cut(bytesOf(JSON.stringify(har)))));
  assertEquals(error, null);
  const [form, fields, international] = flows as HttpFlow[];
  assertEquals([form.request.text, form.request.url, form.response], [
    "a=%C3%BC",
    "http://ex.example/",
    null,
  ]);
  assertEquals(form.request.timestampStart, Date.parse("2026-11-28T09:00:00.500Z"));
  assertEquals(fields.request.headers.raw, ["X", "\xe2\x82\xac"]);
  assertEquals(fields.response!.headers.getSetCookie(), ["a=1", "b=2"]);
  assertEquals(fields.response!.content, null);
  assertEquals(international.request.url, "https://xn--bcher-kva.example/%C3%BC?%E2%82%AC");
  assertEquals(international.websocket?.messages.length, 1);
});

Deno.test("detectFormat tells from content", () => {
  const of = (...bytes: number[]) => detectFormat(Uint8Array.from(bytes));
  assertEquals(detectFormat(data("all.mitm").subarray(0, 64)), "mitmproxy");
  assertEquals(of(), "mitmproxy");
  assertEquals(detectFormat(bytesOf("\ufeff\n {")), "har");
  assertEquals([of(0x78, 0x9c), of(0x78, 0xda), of(0x78, 0x01), of(0x1f, 0x8b)], [
    "zhar",
    "zhar",
    "zhar",
    "har.gz",
  ]);
  for (const other of ["GET / HTTP/1.1", "[1]", "x", "PK\x03\x04"]) {
    assertEquals(detectFormat(bytesOf(other)), null);
  }
});
