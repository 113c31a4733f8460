/** Each operator of the filter language, on flows that match and flows that do not. @module */
import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Flow } from "../../src/flow/flow.ts";
import { internals } from "../../src/internals.ts";
import { parseFilter } from "../../src/filter/mod.ts";
import { encodeBytes } from "../../src/streams/mod.ts";
import { type FlowInit, httpFlow, server, tcpFlow } from "./support.ts";

type Make = FlowInit | (() => Flow);

/** A filter, what matches it and what does not. */
const ROWS: [filter: string, yes: Make[], no: Make[]][] = [
  ["~all", [{}, () => tcpFlow()], []],
  ["~http", [{}], [() => tcpFlow()]],
  ["~tcp", [() => tcpFlow()], [{}]],
  ["~udp", [], [{}, () => tcpFlow()]],
  ["~dns", [], [{}, () => tcpFlow()]],
  [
    "~a",
    [
      "text/javascript",
      "application/javascript",
      "text/css",
      "image/png",
      "font/woff2",
      "application/font-woff",
    ]
      .map(typed),
    [{ status: 200 }, typed("text/html"), typed("IMAGE/PNG"), {}],
  ],
  ["~sse", [typed("text/event-stream"), typed("Text/Event-Stream; charset=utf-8")], [
    typed("text/event-streams"),
    {},
  ]],
  ["~b secret", [
    { body: "a SECRET" },
    { status: 200, responseBody: "secrets" },
    () => tcpFlow([[true, "secret"]]),
  ], [
    {},
    { body: "", status: 200, responseBody: "x" },
    { url: "http://secret/" },
  ]],
  ["~bq secret", [{ body: "secret" }, () => tcpFlow([[true, "secret"]])], [
    { status: 200, responseBody: "secret" },
    () => tcpFlow([[false, "secret"]]),
  ]],
  ["~bs secret", [{ status: 200, responseBody: "secret" }, () => tcpFlow([[false, "secret"]])], [
    { body: "secret" },
    () => tcpFlow([[true, "secret"]]),
  ]],
  ["~b ''", [{ body: "" }], [{}]],
  ["~b a.b", [{ body: "a\nb" }], [{ body: "ab" }]],
  ["~b é", [{ body: "café" }], [{ body: "cafe" }]],
  ["~b unzipped", [zipped("unzipped")], [zipped("other")]],
  ["~b raw", [{ body: "raw", headers: { "content-encoding": "gzip" } }], []],
  ["~c 200", [{ status: 200 }], [{ status: 201 }, {}]],
  ["~c 4xx", [{ status: 404 }, { status: 499 }], [{ status: 200 }, { status: 500 }, {}]],
  ["~comment note", [() => Object.assign(httpFlow(), { comment: "a NOTE" })], [{}]],
  ["~comment ^second$", [() => Object.assign(httpFlow(), { comment: "first\nsecond" })], [{}]],
  ["~d example", [{}, { url: "http://1.2.3.4/", headers: { host: "api.example" } }], [{
    url: "http://other/example",
  }]],
  ["~dst db.example:5432", [() => tcpFlow(), () => withServer("db.example", 5432)], [{
    url: "http://db.example:5432/",
  }]],
  ["~src 127.0.0.1:50000", [{}, () => tcpFlow()], []],
  ["~src :8080", [], [{}]],
  ["~e", [() => failed()], [{ status: 200 }, {}]],
  ["~h x-token:.abc", [{ headers: { "X-Token": "abc" } }, {
    status: 200,
    responseHeaders: { "x-token": "ABC" },
  }], [{
    headers: { "x-token": "b" },
  }]],
  ["~hq x-token", [{ headers: { "X-Token": "abc" } }], [
    { status: 200, responseHeaders: { "x-token": "a" } },
    {},
  ]],
  ["~hs x-token", [{ status: 200, responseHeaders: { "x-token": "a" } }], [
    { headers: { "X-Token": "abc" } },
    {},
  ]],
  ["~hq ^b:.2$", [{ headers: { a: "1", b: "2" } }], [{ headers: { b: "22" } }]],
  ["~m post", [{ method: "POST" }], [{}]],
  ["~m ^ge", [{}], [{ method: "FORGET" }]],
  ["~marked", [() => Object.assign(httpFlow(), { marked: ":x:" })], [{}]],
  ["~marker star", [() => Object.assign(httpFlow(), { marked: ":star:" })], [
    {},
    () => Object.assign(httpFlow(), { marked: ":x:" }),
  ]],
  ["~meta '^count: 3$'", [() => withMetadata({ name: "x", count: 3 })], [
    () => withMetadata({ count: 33 }),
    {},
  ]],
  ["~meta \"list: \\\\['a', True, None\\\\]\"", [() => withMetadata({ list: ["a", true, null] })], [{}]],
  ["~q", [{}], [{ status: 200 }, () => tcpFlow()]],
  ["~s", [{ status: 200 }], [{}, () => tcpFlow()]],
  ["~replay", [() => replayed("request"), () => replayed("response")], [{}]],
  ["~replayq", [() => replayed("request")], [() => replayed("response"), {}]],
  ["~replays", [() => replayed("response")], [() => replayed("request"), {}]],
  ["~t json", [{ headers: { "content-type": "application/JSON" } }, typed("text/json")], [
    {},
    typed("text/html"),
  ]],
  ["~tq json", [{ headers: { "content-type": "application/json" } }], [typed("application/json")]],
  ["~ts json", [typed("application/json")], [{ headers: { "content-type": "application/json" } }, {}]],
  ["~u ^http://example.com/path", [{}], [{ url: "https://example.com/path" }]],
  ["~u api.example/", [{ url: "http://1.2.3.4/", headers: { host: "api.example" } }], [{}]],
  ["~u 1.2.3.4", [{ url: "http://1.2.3.4/" }], [{
    url: "http://1.2.3.4/",
    headers: { host: "api.example" },
  }]],
  ["PATH.q", [{}], [{ url: "http://example.com/" }, () => tcpFlow()]],
  ["~websocket", [() => Object.assign(httpFlow({ status: 101 }), { websocket: { messages: [] } })], [{
    status: 101,
  }, {}]],
  ["~version 2", [{ version: "HTTP/2.0" }], [{}, () => tcpFlow()]],
  ["~version 1", [{}, { version: "HTTP/1.0" }], [{ version: "HTTP/2.0" }]],
  ["~version 1.1", [{}], [{ version: "HTTP/1.0" }]],
  ["~size >4", [
    { body: "abc", status: 200, responseBody: "de" },
    () => tcpFlow([[true, "abc"], [false, "de"]]),
  ], [
    { body: "abcd" },
  ]],
  ["~size >=1k", [{ body: "x".repeat(1024) }], [{ body: "x".repeat(1023) }]],
  ["~size <3", [{}, { body: "ab" }], [{ body: "abc" }]],
  ["~size =3", [{ body: "abc" }], [{ body: "ab" }]],
  ["~ttfb >200", [{ status: 200 }], [{}]],
  ["~ttfb <=0.25s", [{ status: 200 }], [{}]],
  ["~ttfb >250", [], [{ status: 200 }]],
  ["~time >500", [() => lasted(501)], [() => lasted(500)]],
  ["~streamed", [() => streamed("size"), () => withMetadata({ "weir.streamed_by": { response: "size" } })], [
    {},
  ]],
  ["~streamed size", [() => streamed("size"), () => withMetadata({ "weir.streamed_by": "size" })], [
    () => streamed("type"),
    () => withMetadata({ "weir.streamed_by": { response: "type" } }),
  ]],
  ["~graphql ^User", [
    graphql({ operationName: "UserById", query: "query UserById { a }" }),
    graphql({ query: "# query No\nmutation UserAdd { a }" }),
    graphql([{ query: "{ a }" }, { query: "query users { a }" }]),
    { url: "http://x/?query=query%20UserGet%7Ba%7D" },
  ], [
    graphql({ operationName: "Other", query: "query User { a }" }),
    graphql({ query: '{ a(b: "query User") }' }),
    { body: "query User", method: "POST" },
    graphql("User"),
    {},
  ]],
];

for (const [filter, yes, no] of ROWS) {
  Deno.test(`${filter} matches what it names and nothing else`, () => {
    const parsed = parseFilter(filter), contrary = parseFilter(`!(${filter})`);
    const flows: [Make, boolean][] = [
      ...yes.map((make) => [make, true] as const),
      ...no.map((make) => [make, false] as const),
    ]
      .map(([make, matches]) => [make, matches]);
    for (const [make, matches] of flows) {
      const flow = typeof make === "function" ? make() : httpFlow(make);
      assertEquals(
        [parsed(flow), parsed.decide(flow)],
        [matches, matches],
        `${filter} on ${JSON.stringify(make)}`,
      );
      assertEquals(contrary.decide(flow), !matches, `not ${filter} on ${JSON.stringify(make)}`);
    }
  });
}

function typed(type: string): FlowInit {
  return { status: 200, responseHeaders: { "content-type": type } };
}

function zipped(text: string): FlowInit {
  const responseBody = encodeBytes(new TextEncoder().encode(text), "gzip");
  return { status: 200, responseHeaders: { "content-encoding": "gzip" }, responseBody };
}

function graphql(body: unknown): FlowInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function withServer(host: string, port: number): Flow {
  return Object.assign(httpFlow(), { serverConn: server(host, port) });
}

function withMetadata(metadata: Record<string, unknown>): Flow {
  const flow = httpFlow({ status: 200 });
  Object.assign(flow.metadata, metadata);
  return flow;
}

function failed(): Flow {
  const cause = new WeirError("server", "unreachable", "refused");
  return Object.assign(httpFlow(), { error: { message: "refused", timestamp: 3000, cause } });
}

function replayed(what: "request" | "response"): Flow {
  return Object.assign(httpFlow({ status: 200 }), { isReplay: what });
}

function streamed(by: "size" | "type"): Flow {
  const flow = httpFlow({ status: 200 });
  Object.assign(flow.response![internals], { mode: "streamed", streamedBy: by });
  return flow;
}

function lasted(ms: number): Flow {
  const flow = httpFlow({ status: 200 });
  flow.response!.timestampEnd = flow.timestampStart + ms;
  return flow;
}
