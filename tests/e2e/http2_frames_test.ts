/** HTTP/2 through the proxy, frame by frame: what goes in on one side, and what must come out on the other. @module */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { concat } from "@std/bytes";
import { absolute, Client } from "./support/client.ts";
import { Flag, FrameType, Http2Client, http2Origin, requestTo } from "./support/http2.ts";
import { BodyReader, chunk, chunks } from "./support/http.ts";
import { origin, sends, withLength } from "./support/origin.ts";
import { startProxy, streamAll } from "./support/proxy.ts";
import { Events, standsStill } from "./support/within.ts";
import { bytesOf } from "./support/wire.ts";

const END = Flag.END_STREAM;
const MODES = [["buffered", []], ["streamed", [streamAll]]] as const;

for (const [mode, addons] of MODES) {
  Deno.test(`END_STREAM stays where it was, and no empty DATA is added (${mode})`, async () => {
    await using server = await http2Origin(async (peer, id, request) => {
      if (request.includes("POST") && !request.endsWith("+END")) return;
      if (request.includes("/none")) return await peer.headers(id, [":status", "200"], END);
      await peer.headers(id, [":status", "200"], 0);
      await peer.data(id, "hello", true);
    });
    await using proxy = await startProxy([...addons]);
    await using client = await Http2Client.connect(proxy, server);
    const { peer } = client;
    await peer.request(1, requestTo(server));
    // Also where weir has read the body whole: a length that nobody gave is not added.
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 hello +END"]);
    await peer.request(3, requestTo(server, "GET", "/none"));
    assertEquals(await peer.lines(1), ["HEADERS 3 :status=200 +END"]);
    await peer.request(5, requestTo(server, "POST", "/none"), false);
    await peer.data(5, "upload", true);
    await server.seen.until(() => server.seen.list.some((line) => line.startsWith("DATA")), "the upload");
    const head = (id: number, method: string, path: string, end: string) =>
      `HEADERS ${id} :method=${method} :scheme=https :authority=${server.authority} :path=${path}${end}`;
    assertEquals(server.seen.list.slice(0, 2), [
      head(1, "GET", "/", " +END"),
      head(3, "GET", "/none", " +END"),
    ]);
    assertMatch(server.seen.list[2], /:path=\/none$/);
    assertEquals(server.seen.list.slice(3), ["DATA 5 upload +END"]);
    assertEquals(server.connections, 1);
  });
}

Deno.test("unmodified DATA frames keep their boundaries, and a late END_STREAM comes on an empty frame", async () => {
  const sizes = [1, 16_384, 300, 5000, 2];
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200"], 0);
    for (const size of sizes) await peer.data(id, "x".repeat(size));
    await finish.promise;
    await peer.data(id, "", true);
  });
  const finish = Promise.withResolvers<void>();
  await using proxy = await startProxy(streamAll);
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  await peer.request(1, requestTo(server));
  assertEquals(await peer.line(), "HEADERS 1 :status=200");
  for (const size of sizes) {
    const { type, flags, payload } = await peer.readOn();
    assertEquals([type, flags, payload.length], [FrameType.DATA, 0, size]);
  }
  finish.resolve();
  assertEquals(await peer.line(), "DATA 1  +END");
});

Deno.test("a chunk hook sees one DATA frame's payload at a time, and an edit changes what goes out", async () => {
  const seen: number[] = [];
  const hook = (bytes: Uint8Array) => {
    seen.push(bytes.length);
    return bytes.length === 300 ? null : bytes.length === 0 ? "end" : bytes.map((byte) => byte - 32);
  };
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200", "content-length", "20320"], 0);
    for (const size of [20, 300, 16_384, 3616]) await peer.data(id, "x".repeat(size), size === 3616);
  });
  await using proxy = await startProxy({ responseheaders: (flow) => void (flow.response!.stream = hook) });
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  await peer.request(1, requestTo(server));
  const lines: string[] = [];
  while (!lines.at(-1)?.endsWith("+END")) lines.push(await peer.line());
  assertEquals(seen, [20, 300, 16_384, 3616, 0]);
  assertEquals(lines, [
    "HEADERS 1 :status=200",
    `DATA 1 ${"X".repeat(20)}`,
    "DATA 1 16384 bytes",
    "DATA 1 3616 bytes",
    "DATA 1 end +END",
  ]);
});

Deno.test("the head goes out before the body, each event as it comes, in both directions at once", async () => {
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200", "content-type", "text/event-stream"], 0);
    origins.push(peer);
  });
  const origins: { data(id: number, text: string, end?: boolean): Promise<void> }[] = [];
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  await peer.request(1, requestTo(server, "POST", "/", "content-type", "application/grpc"), false);
  assertEquals(await peer.line(), "HEADERS 1 :status=200 content-type=text/event-stream");
  for (let i = 0; i < 3; i++) {
    await peer.data(1, `up ${i}`);
    await server.seen.seen(`DATA 1 up ${i}`);
    await origins[0].data(1, `down ${i}`);
    assertEquals(await peer.line(), `DATA 1 down ${i}`);
  }
  await origins[0].data(1, "", true);
  assertEquals(await peer.line(), "DATA 1  +END");
});

Deno.test("what a client sends over HTTP/2 reaches an HTTP/1 origin as HTTP/1", async () => {
  const fields = "Connection: keep-alive, X-Own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\n";
  const bodies: [string, unknown][] = [];
  await using server = await origin(async (wire, request) => {
    const body = BodyReader.ofRequest(wire, request);
    bodies.push([await body.text(), body.trailers]);
    await withLength("ok", fields)(wire, request);
  }, { tls: true });
  await using proxy = await startProxy(streamAll, { http2_upstream: "any" });
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  // deno-fmt-ignore
  await peer.request(1, requestTo(server, "POST", "/p?q", "te", "trailers", "cookie", "a=1", "x-a", "b", "cookie", "c=2"), false);
  await peer.data(1, "no length");
  await peer.headers(1, ["x-trailer", "t"], END);
  assertEquals(await peer.lines(2), ["HEADERS 1 :status=200 content-length=2", "DATA 1 ok +END"]);
  await peer.request(3, requestTo(server, "POST", "/", "content-length", "4"), false);
  await peer.data(3, "long", true);
  assertEquals(await peer.lines(2), ["HEADERS 3 :status=200 content-length=2", "DATA 3 ok +END"]);
  await peer.request(5, requestTo(server));
  assertEquals(await peer.lines(2), ["HEADERS 5 :status=200 content-length=2", "DATA 5 ok +END"]);
  assertEquals(bodies, [["no length", [["x-trailer", "t"]]], ["long", null], ["", null]]);
  const [first, second, third] = server.requests;
  assertEquals(first.startLine, "POST /p?q HTTP/1.1");
  assertEquals(first.fields.filter(([name]) => !/^(te|connection)$/i.test(name)), [
    ["host", server.authority],
    ["cookie", "a=1; c=2"],
    ["x-a", "b"],
    ["Transfer-Encoding", "chunked"],
  ]);
  assertEquals([second.get("content-length"), second.get("transfer-encoding")], ["4", null]);
  assertEquals([third.get("content-length"), third.get("transfer-encoding")], [null, null]);
});

for (const [mode, addons] of MODES) {
  Deno.test(`a request without length is chunked for an HTTP/1 origin (${mode})`, async () => {
    const bodies: string[] = [];
    await using server = await origin(async (wire, request) => {
      bodies.push(await BodyReader.ofRequest(wire, request).text());
      await withLength("ok")(wire, request);
    }, { tls: true });
    await using proxy = await startProxy([...addons], { http2_upstream: "any" });
    await using client = await Http2Client.connect(proxy, server);
    const { peer } = client;
    await peer.request(1, requestTo(server, "POST"), false);
    await peer.data(1, "no ");
    await peer.data(1, "length", true);
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=200 content-length=2", "DATA 1 ok +END"]);
    const [request] = server.requests;
    assertEquals([request.get("content-length"), request.get("transfer-encoding")], [null, "chunked"]);
    assertEquals(bodies, ["no length"]);
  });

  Deno.test(`announced trailers beside a content-length are not lost on their way to HTTP/1 (${mode})`, async () => {
    await using server = await http2Origin(async (peer, id) => {
      await peer.headers(id, [":status", "200", "content-length", "5", "trailer", "x-sum"], 0);
      await peer.data(id, "hello");
      await peer.headers(id, ["x-sum", "5"], END);
    });
    await using proxy = await startProxy([...addons]);
    await using http2 = await Http2Client.connect(proxy, server);
    await http2.peer.request(1, requestTo(server));
    assertEquals(await http2.peer.lines(3), [
      "HEADERS 1 :status=200 content-length=5 trailer=x-sum",
      "DATA 1 hello",
      "HEADERS 1 x-sum=5 +END",
    ]);
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    const seen = await client.response();
    assertEquals([seen.head.get("content-length"), seen.head.get("transfer-encoding")], [null, "chunked"]);
    assertEquals([seen.text, seen.trailers], ["hello", [["x-sum", "5"]]]);
  });
}

Deno.test("fields that belong to an HTTP/1 connection do not reach an HTTP/2 origin, nor a client", async () => {
  await using server = await http2Origin((peer, id) => peer.headers(id, [":status", "200", "x-b", "2"], END));
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url("/a"), {
    fields:
      "Connection: keep-alive, X-Own, TE\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n" +
      "TE: trailers, deflate\r\nX-Kept: 1\r\n",
  }));
  const { head } = await client.response();
  assertEquals(head.fields.filter(([name]) => name !== "Date"), [["x-b", "2"], ["Content-Length", "0"]]);
  assertEquals(server.seen.list, [
    `HEADERS 1 :method=GET :scheme=https :authority=${server.authority} :path=/a te=trailers x-kept=1 +END`,
  ]);
});

Deno.test("a chunked response of an HTTP/1 origin is DATA and trailers", async () => {
  const text = `HTTP/1.1 200 Fine\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n${
    chunks(["one", "two"], "X-T: 1\r\n")
  }`;
  await using server = await origin(sends(text), { tls: true });
  await using proxy = await startProxy(streamAll, { http2_upstream: "any" });
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server));
  assertEquals(await client.peer.lines(4), [
    "HEADERS 1 :status=200 trailer=X-T",
    "DATA 1 one",
    "DATA 1 two",
    "HEADERS 1 x-t=1 +END",
  ]);
});

Deno.test("a request whose DATA differs from its content-length is reset, and its origin told so", async () => {
  await using server = await http2Origin(() => {});
  await using proxy = await startProxy(streamAll);
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  for (const [id, length] of [[1, "3"], [3, "9"]] as const) {
    await peer.request(id, requestTo(server, "POST", "/", "content-length", length), false);
    await server.seen.until(
      () => server.seen.list.some((line) => line.startsWith(`HEADERS ${id} `)),
      "the head",
    );
    await peer.data(id, "12345", true);
    assertEquals(await peer.line(), `RST_STREAM ${id} PROTOCOL_ERROR`);
    await server.seen.until(
      () => server.seen.list.some((line) => line.startsWith(`RST_STREAM ${id} `)),
      "a reset",
    );
  }
  assert(!server.seen.list.some((line) => line.endsWith("+END")), server.seen.list.join("\n"));
});

for (const length of ["3", "9"]) {
  Deno.test(`a response of 5 bytes whose content-length says ${length} is no whole response`, async () => {
    const heads = new Events();
    let streamed = 0;
    await using server = await http2Origin(async (peer, id, request) => {
      await peer.headers(id, [":status", "200", "content-length", length], 0);
      // Else it would be a 502, when all arrives at once.
      if (request.includes("/streamed")) await heads.seen("head", ++streamed);
      await peer.data(id, "12345", true);
    });
    await using proxy = await startProxy({
      requestheaders: (flow) => void (flow.metadata.stream = flow.request.path === "/streamed"),
      responseheaders: (flow) => void (flow.response!.stream = flow.metadata.stream === true),
    });
    await using client = await Http2Client.connect(proxy, server);
    const { peer } = client;
    await peer.request(1, requestTo(server, "GET", "/buffered"));
    assertMatch(await peer.line(), /^HEADERS 1 :status=502/);
    assertMatch(await peer.line(), /^DATA 1 /);
    await peer.request(3, requestTo(server, "GET", "/streamed"));
    assertEquals(await peer.line(), `HEADERS 3 :status=200 content-length=${length}`);
    heads.push("head");
    let line = await peer.line();
    if (line.startsWith("DATA")) line = await peer.line();
    assertEquals(line, "RST_STREAM 3 INTERNAL_ERROR");
    // Over HTTP/1 the connection ends early.
    await using old = await Client.connect(proxy);
    await old.send(absolute(server.url("/streamed")));
    const body = old.body(await old.head());
    heads.push("head");
    await assertRejects(async () => {
      while (await body.next() !== null);
    });
  });
}

/** Each would, written into an HTTP/1 message as it is, say something else there. */
const INJECTIONS: [string, string[]][] = [
  ["a line break in a value", ["x-a", "1\r\nX-Injected: 1"]],
  ["a lone LF in a value", ["x-a", "1\nX-Injected: 1"]],
  ["NUL in a value", ["x-a", "1\0"]],
  ["a line break in a name", ["x-a: 1\r\nx-b", "1"]],
  ["a colon in a name", ["x-a:", "1"]],
  ["a space in a name", ["x a", "1"]],
  ["upper case in a name", ["X-A", "1"]],
  ["transfer-encoding", ["transfer-encoding", "chunked"]],
  ["connection", ["connection", "close"]],
  ["a second host", ["host", "elsewhere.example"]],
  ["two lengths", ["content-length", "0", "content-length", "5"]],
  ["a length that is no number", ["content-length", "+0"]],
  ["a pseudo-header field behind the others", ["x-a", "1", ":path", "/other"]],
];
const PSEUDO: [string, Record<string, string>][] = [
  ["a line break in :path", { ":path": "/ HTTP/1.1\r\nX-Injected: 1" }],
  ["a space in :path", { ":path": "/a b" }],
  [":path without slash", { ":path": "@elsewhere.example/" }],
  ["a space in :method", { ":method": "GET /other" }],
  ["a line break in :authority", { ":authority": "a\r\nX-Injected: 1" }],
  ["userinfo in :authority", { ":authority": "a@b.example" }],
  ["another :scheme", { ":scheme": "http\r\n" }],
];

Deno.test("nothing in a request's fields can be smuggled into an HTTP/1 request", async () => {
  await using server = await origin(withLength("ok"), { tls: true });
  await using proxy = await startProxy([], { http2_upstream: "any" });
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  const bad: [string, string[]][] = [
    ...INJECTIONS.map(([name, fields]): [string, string[]] => [name, [...requestTo(server), ...fields]]),
    ...PSEUDO.map(([name, changed]): [string, string[]] => [
      name,
      requestTo(server).map((text, i, all) => i % 2 === 1 ? changed[all[i - 1]] ?? text : text),
    ]),
  ];
  let id = 1;
  for (const [name, fields] of bad) {
    await peer.request(id, fields);
    assertEquals(await peer.line(), `RST_STREAM ${id} PROTOCOL_ERROR`, name);
    id += 2;
  }
  assertEquals(server.requests.length, 0);
  await peer.request(id, requestTo(server));
  assertMatch(await peer.line(), /:status=200/);
});

Deno.test("nothing in a response's fields can be smuggled into an HTTP/1 response", async () => {
  const bad = [
    ["x-a", "1\r\nX-Injected: 1"],
    ["x-a: 1\r\nx-b", "1"],
    ["x a", "1"],
    ["transfer-encoding", "chunked"],
    ["content-length", "0", "content-length", "5"],
    [":status", "204"],
  ];
  await using server = await http2Origin((peer, id, request) => {
    const fields = bad[Number(/:path=\/(\d+)/.exec(request)![1])];
    return peer.headers(id, [":status", "200", ...fields], END);
  });
  await using proxy = await startProxy();
  for (let i = 0; i < bad.length; i++) {
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url(`/${i}`)));
    const { head } = await client.response();
    assertEquals([head.statusCode, head.get("x-injected")], [502, null], String(bad[i]));
  }
});

Deno.test("what an addon writes into a request cannot be smuggled into an HTTP/2 one", async () => {
  const tried = new Events();
  await using server = await http2Origin((peer, id) => peer.headers(id, [":status", "200"], END));
  await using proxy = await startProxy({
    request: (flow) => {
      try {
        flow.request.headers.set("x-a", "1\r\n:path: /other");
      } catch (error) {
        tried.push((error as Error).name);
      }
      flow.request.headers.set("Connection", "X-Secret");
      flow.request.headers.set("X-Secret", "1");
      flow.request.headers.set("Upgrade", "h2c");
    },
  });
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server));
  assertEquals(await client.peer.line(), "HEADERS 1 :status=200 +END");
  assertEquals(tried.list, ["TypeError"]);
  assertEquals(server.seen.list.length, 1);
  assertMatch(server.seen.list[0], /:path=\/ \+END$/);
});

Deno.test("DATA goes out frame by frame for the chunks of an HTTP/1 upload, and the rest waits for the window", async () => {
  await using server = await http2Origin(() => {});
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Transfer-Encoding: chunked\r\n" }));
  for (const text of ["one", "two"]) {
    await client.send(chunk(text));
    await server.seen.seen(`DATA 1 ${text}`);
  }
  const size = (line: string) => Number(/(\d+) bytes/.exec(line)?.[1] ?? /x+/.exec(line)?.[0].length ?? 0);
  const sent = () => server.seen.list.reduce((sum, line) => sum + size(line), 0);
  await client.send(concat(Array.from({ length: 8 }, () => bytesOf(chunk("x".repeat(16_384))))));
  // The origin gave 64 KiB for the stream; the client has more.
  await server.seen.until(() => sent() === 65_535 - 6, "the window to be used up");
  assertEquals(await standsStill(sent), 65_535 - 6);
  await server.peers[0].windowUpdate(1, 1 << 20);
  await server.peers[0].windowUpdate(0, 1 << 20);
  await client.send("0\r\n\r\n");
  await server.seen.until(() => server.seen.list.at(-1)!.endsWith("+END"), "the end");
  assertEquals(sent(), 8 * 16_384);
});
