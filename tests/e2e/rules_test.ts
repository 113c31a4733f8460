/** Rules hold over HTTP/1.1 and HTTP/2, for buffered and streamed bodies (rules.md, one section for each option). @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import zlib from "node:zlib";
import { absolute, Client, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { inAllWays, type Reply, valuesOf } from "./support/ways.ts";
import { runWeir } from "./support/weir.ts";
import { bytesOf, textOf } from "./support/wire.ts";

const html = (body: string): Reply => ({ fields: [["content-type", "text/html"]], body });

// modify_headers

inAllWays("modify_headers sets, adds and removes fields of requests and responses", {
  options: {
    modify_headers: [
      "/~q/X-Set/one\\x21",
      "/~q/X-Set/two",
      "/X-Gone/",
      "/~s & ~c 200/Server/weir",
      "/~s & ~c 404/X-No/x",
    ],
  },
  reply: () => ({ fields: [["Server", "origin"], ["X-Gone", "1"], ["X-Kept", "1"]], body: "x" }),
}, async (way) => {
  const answer = await way.send("GET", "/", { fields: [["x-set", "old"], ["x-gone", "a"], ["x-gone", "b"]] });
  const [request] = way.received;
  assertEquals(valuesOf(request.fields, "x-set"), ["one!", "two"]);
  assertEquals(valuesOf(request.fields, "x-gone"), []);
  assertEquals(valuesOf(answer.fields, "server"), ["weir"]);
  assertEquals(valuesOf(answer.fields, "x-gone"), []);
  assertEquals(valuesOf(answer.fields, "x-kept"), ["1"]);
  assertEquals(valuesOf(answer.fields, "x-no"), []);
});

inAllWays("all filters of modify_headers are asked before anything is changed", {
  options: { modify_headers: ["/~q/X-A/1", "/~hq x-a/X-B/2"] },
}, async (way) => {
  await way.send();
  await way.send("GET", "/", { fields: [["x-a", "0"]] });
  assertEquals(way.received.map(({ fields }) => [valuesOf(fields, "x-a"), valuesOf(fields, "x-b")]), [
    [["1"], []],
    [["1"], ["2"]],
  ]);
});

inAllWays("a head waits for its body where a filter of modify_headers asks for it", {
  options: {
    modify_headers: [
      "/~bq needle/X-Found/request",
      "/~bs needle/X-Found/response",
      "/!~bs needle & ~s/X-Not/1",
    ],
  },
  reply: ({ body }) => ({ body: `you said ${body}` }),
}, async (way) => {
  const found = await way.send("POST", "/", { body: "a needle" });
  const missed = await way.send("POST", "/", { body: "nothing" });
  assertEquals(way.received.map(({ fields }) => valuesOf(fields, "x-found")), [["request"], []]);
  // Of the response, too, it is true that the request had it.
  assertEquals([found, missed].map(({ fields }) => valuesOf(fields, "x-found")), [
    ["request", "response"],
    [],
  ]);
  assertEquals([found, missed].map(({ fields }) => valuesOf(fields, "x-not")), [[], ["1"]]);
});

Deno.test("modify_headers takes a value out of a file, as it is when it is used", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "first\n");
  await using server = await origin(withLength("x"));
  await using proxy = await startProxy([], { modify_headers: [`|~q|Authorization|@${file}`] });
  await exchange(proxy, server.url());
  await Deno.writeTextFile(file, "Bearer s3cret");
  await exchange(proxy, server.url());
  assertEquals(server.requests.map((head) => head.get("authorization")), ["first", "Bearer s3cret"]);
  await Deno.remove(file);
});

// modify_body

const CODINGS: [string, (text: string) => Uint8Array, (bytes: Uint8Array) => Uint8Array][] = [
  ["identity", (text) => bytesOf(text), (bytes) => bytes],
  ["gzip", (text) => zlib.gzipSync(bytesOf(text)), zlib.gunzipSync],
  ["br", (text) => zlib.brotliCompressSync(bytesOf(text)), zlib.brotliDecompressSync],
  ["zstd", (text) => zlib.zstdCompressSync(bytesOf(text)), zlib.zstdDecompressSync],
  ["deflate", (text) => zlib.deflateSync(bytesOf(text)), zlib.inflateSync],
];
for (const [coding, encode, decode] of CODINGS) {
  inAllWays(`modify_body edits bodies of both directions (${coding})`, {
    options: {
      modify_body: ["/~q/up/down", "|~s & ~t html|(?P<x>\\d+) EUR|\\g<x> $ \\1\\x21", "/USD/never"],
    },
    reply: ({ path }) =>
      path === "/html"
        ? {
          ...html(textOf(encode("it is 12 EUR, \xff 7 EUR"))),
          fields: [["content-type", "text/html"], ["content-encoding", coding]],
        }
        : { body: "it is 12 EUR" },
  }, async (way) => {
    const answer = await way.send("POST", "/html", {
      body: textOf(encode("up and up")),
      fields: [["content-encoding", coding]],
    });
    assertEquals(textOf(decode(bytesOf(way.received[0].body))), "down and down");
    assertEquals(textOf(decode(bytesOf(answer.text))), "it is 12 $ 12!, \xff 7 $ 7!");
    const length = valuesOf(answer.fields, "content-length");
    assert(length.length === 0 || Number(length[0]) === answer.text.length);
    assertEquals((await way.send("GET", "/text")).text, "it is 12 EUR");
  });
}

inAllWays("each rule of modify_body works on what those before it made", {
  options: { modify_body: ["/a/b", "/~bs bb/b/c", "/~c 404/b/d"] },
  reply: ({ path }) => ({ body: path.slice(1) }),
}, async (way) => {
  assertEquals((await way.send("GET", "/aa")).text, "cc");
  assertEquals((await way.send("GET", "/ax")).text, "bx");
});

inAllWays("modify_body buffers where the expression cannot be followed while text flows", {
  options: { modify_body: ["/foo(?=bar)/x", "/end$/END"], stream_large_bodies: 0 },
  reply: () => ({ body: "foobar foobaz end" }),
}, async (way) => {
  const answer = await way.send();
  assertEquals(answer.text, "xbar foobaz END");
  assertEquals(valuesOf(answer.fields, "content-length"), [`${answer.text.length}`]);
});

inAllWays(
  "a body that modify_body must buffer and that is larger than body_buffer_limit never passes as it was",
  {
    options: { modify_body: ["/foo(?=bar)/x"], body_buffer_limit: 1000, stream_large_bodies: 0 },
    reply: () => ({ body: "foobar".repeat(1000) }),
  },
  async (way) => {
    const answer = await way.send();
    assertEquals(answer.status, 502);
    assertStringIncludes(answer.text, "modify_body: /foo(?=bar)/ has a lookahead");
    assertStringIncludes(answer.text, "the response body is larger than body_buffer_limit (1000 bytes)");
    const upload = await way.send("POST", "/", { body: "foobar".repeat(1000) });
    assertEquals(upload.status, 413);
  },
);

inAllWays("modify_body leaves bodies alone whose coding it does not know, and says so", {
  options: { modify_body: ["/a/b"] },
  reply: () => ({ fields: [["content-encoding", "x-none"]], body: "aaa" }),
}, async (way) => {
  assertEquals((await way.send()).text, "aaa");
  await way.proxy.logged(/warn: modify_body: GET .*: the body is left as it is \(.*x-none/);
});

inAllWays("a body that is not in the coding that it claims is not passed on", {
  options: { modify_body: ["/a/b"] },
  reply: () => ({ fields: [["content-encoding", "gzip"]], body: "aaa not gzip at all" }),
}, async (way) => {
  const answer = await way.send().catch(() => null);
  assert(answer === null || answer.isCut || answer.text === "", JSON.stringify(answer));
});

inAllWays("modify_body takes a replacement out of a file, literally", {
  options: () => {
    const file = Deno.makeTempFileSync();
    Deno.writeTextFileSync(file, "\\1 $1 $&");
    globalThis.addEventListener("unload", () => Deno.removeSync(file));
    return { modify_body: [`|(a)|@${file}`] };
  },
  reply: () => ({ body: "xax" }),
}, async (way) => assertEquals((await way.send()).text, "x\\1 $1 $&x"));

inAllWays("parts (206) are edited like any body, and 304 and HEAD have none", {
  options: { modify_body: ["/a/bb"] },
  reply: ({ path }) =>
    path === "/304"
      ? { status: 304, fields: [["etag", '"x"']] }
      : { status: 206, fields: [["content-range", "bytes 0-2/9"]], body: "aaa" },
}, async (way) => {
  const part = await way.send("GET", "/206");
  assertEquals([part.status, part.text], [206, "bbbbbb"]);
  assertEquals((await way.send("GET", "/304")).status, 304);
});

Deno.test("modify_body edits an event stream event by event, each on its own", async () => {
  const acknowledged = Promise.withResolvers<void>();
  await using server = await origin(async (wire) => {
    await wire.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = (text: string) => wire.send(`${text.length.toString(16)}\r\n${text}\r\n`);
    await chunk("data: foo 1\n\n");
    await acknowledged.promise;
    await chunk("data: fo");
    await chunk("obar\n\ndata: x\n");
    await wire.send("0\r\n\r\n");
  });
  // Neither of the two could be followed over the whole stream: one is greedy, the other looks ahead.
  await using proxy = await startProxy([], { modify_body: ["/foo.*/<\\g<0>>", "/x(?=\n)/y"] });
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  assertEquals(await body.nextText(), "data: <foo 1\n\n>");
  acknowledged.resolve();
  assertEquals(await body.text(), "data: <foobar\n\n>data: y\n");
});

Deno.test("modify_body edits an answer that an addon puts in the place of another", async () => {
  await using server = await origin(withLength("from the origin"));
  const addon = {
    response: (flow: { response: unknown }) => void (flow.response = new Response("from the addon")),
  };
  await using proxy = await startProxy([addon], { modify_body: ["/from the/by an"] });
  assertEquals((await exchange(proxy, server.url())).text, "by an addon");
});

// map_remote

inAllWays("map_remote sends requests to another URL, Host and groups with it", {
  options: ({ authority }) => ({
    map_remote: [
      `|https://old\\.example/(.*)-(?P<n>\\d)|https://${authority}/\\g<n>/\\1`,
      `|~m POST|/never/|/posted/`,
      "|/two|/three",
      "|^.*/broken|ftp://x",
    ],
    // The connection is to the origin; only the name differs.
    modify_headers: ["|~q & ~u /named|Host|old.example"],
  }),
}, async (way) => {
  for (const path of ["/named/x-7?q=/two", "/never/1", "/two/%2e%2e/a|b", "/broken"]) {
    await way.send("GET", path);
  }
  await way.send("POST", "/never/2", { body: "upload" });
  assertEquals(way.received.map(({ method, path, body }) => `${method} ${path} ${body}`), [
    "GET /7/named/x?q=/three ",
    "GET /never/1 ",
    "GET /three/%2e%2e/a|b ",
    "GET /broken ",
    "POST /posted/2 upload",
  ]);
  assertEquals(valuesOf(way.received[0].fields, "host"), [way.origin.authority]);
  assertMatch(await way.proxy.logged(/map_remote/), /would become ftp:\/\/x, which is no http or https URL/);
});

Deno.test("map_remote: a streamed upload flows to the new place, which differs in scheme, host and port", async () => {
  const arrived = Promise.withResolvers<void>();
  await using server = await origin(async (wire, request) => {
    assertEquals(await wire.readUntil("\r\n"), "3\r\n");
    arrived.resolve();
    await wire.readUntil("0\r\n\r\n");
    await withLength(`${request.get("host")} ${request.target}`)(wire, request);
  });
  await using proxy = await startProxy([], {
    stream_large_bodies: 0,
    map_remote: [`|^https?://[^/]*\\.example|${server.url("")}`],
  });
  await using client = await Client.connect(proxy);
  await client.send(
    "POST http://shop.example/up HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  );
  await arrived.promise;
  await client.send("0\r\n\r\n");
  assertEquals((await client.response("POST")).text, `${server.authority} /up`);
});

// block_list

inAllWays("block_list answers with a status and nothing else, or not at all; the last match counts", {
  options: {
    block_list: [
      "/~u blocked/403",
      "/~u teapot/418",
      "/~u silent/444",
      "/~bq forbidden/451",
      "/~u blocked2/204",
    ],
  },
  reply: () => ({ body: "from the origin" }),
}, async (way) => {
  assertEquals((await way.send()).text, "from the origin");
  for (const [path, status] of [["/blocked", 403], ["/teapot", 418], ["/blocked2", 204]] as const) {
    const answer = await way.send("GET", path);
    assertEquals([answer.status, answer.text], [status, ""]);
  }
  assertEquals((await way.send("POST", "/", { body: "something forbidden" })).status, 451);
  assertEquals((await way.send("POST", "/", { body: "something else" })).status, 200);
  assertEquals(way.received.length, 2);
  if (way.version === "HTTP/2.0") {
    await way.send("GET", "/silent").then(
      () => assert(false),
      (error) => assertMatch(String(error), /reset|RST_STREAM|CANCEL/i),
    );
    assertEquals((await way.send()).status, 200);
  } else await way.send("GET", "/silent").then(() => assert(false), () => {});
});

Deno.test("block_list answers at the head, whatever is still to be uploaded; 444 says nothing", async () => {
  await using proxy = await startProxy([], { block_list: ["/~d one.example/403", "/~d two.example/444"] });
  await using client = await Client.connect(proxy);
  await client.send("POST http://one.example/ HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1000\r\n\r\n");
  const head = await client.head();
  assertEquals([head.statusCode, head.get("content-length")], [403, "0"]);
  await using other = await Client.connect(proxy);
  await other.send("GET http://two.example/ HTTP/1.1\r\nHost: two.example\r\n\r\n");
  await other.untilEnd();
});

// anticache, anticomp

inAllWays("anticache and anticomp ask for whole and plain answers", {
  options: { anticache: true, anticomp: true },
}, async (way) => {
  await way.send("GET", "/", {
    fields: [["if-none-match", '"a"'], ["if-modified-since", "x"], ["accept-encoding", "gzip, br"], [
      "if-match",
      "*",
    ]],
  });
  const { fields } = way.received[0];
  assertEquals(
    ["if-none-match", "if-modified-since", "accept-encoding", "if-match"].map((name) =>
      valuesOf(fields, name)
    ),
    [[], [], ["identity"], ["*"]],
  );
});

// alt_svc

const ALT_SVC = 'h3=":443"; ma=86400, h2="alt.example:443", h3-29=":443"; persist="a, b"';
for (
  const [options, expected] of [
    [{}, ['h2="alt.example:443"']],
    [{ alt_svc: "keep" }, [ALT_SVC]],
  ] as const
) {
  inAllWays(`Alt-Svc with ${JSON.stringify(options)}`, {
    options,
    reply: ({ path }) => ({
      fields: [["alt-svc", path === "/only" ? 'h3=":443"' : path === "/clear" ? "clear" : ALT_SVC]],
    }),
  }, async (way) => {
    assertEquals(valuesOf((await way.send()).fields, "alt-svc"), [...expected]);
    assertEquals(
      valuesOf((await way.send("GET", "/only")).fields, "alt-svc"),
      "alt_svc" in options ? ['h3=":443"'] : [],
    );
    assertEquals(valuesOf((await way.send("GET", "/clear")).fields, "alt-svc"), ["clear"]);
  });
}

for (const keep_alt_svc_header of [false, true]) {
  Deno.test(`in reverse mode ports in Alt-Svc become the listener's (keep_alt_svc_header=${keep_alt_svc_header})`, async () => {
    await using server = await origin(withLength("x", `Alt-Svc: ${ALT_SVC}\r\n`));
    await using proxy = await startProxy([], { mode: [`reverse:${server.url("")}`], keep_alt_svc_header });
    await using client = await Client.connect(proxy);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const { head } = await client.response();
    const expected = keep_alt_svc_header ? ALT_SVC : ALT_SVC.replaceAll(":443", `:${proxy.port}`);
    assertEquals(head.get("alt-svc"), expected);
  });
}

// What is wrong

const WRONG: [flag: string, spec: string, message: string][] = [
  ["-H", "/a", 'option modify_headers: "/a": a part is missing at 3; expected /[filter/]name/[@]value'],
  [
    "-H",
    "/~m/x/y",
    'option modify_headers: "/~m/x/y": ~m needs a regular expression at 4; expected /[filter/]name/[@]value',
  ],
  [
    "-H",
    "/a b/v",
    'option modify_headers: "/a b/v": "a b" cannot be the name of a field at 2; expected /[filter/]name/[@]value',
  ],
  [
    "-B",
    "/~q/[/x",
    'option modify_body: "/~q/[/x": a closing ] of the pattern is missing at 6; expected /[filter/]regex/[@]replacement',
  ],
  [
    "-M",
    "/(a)/b\\2",
    'option map_remote: "/(a)/b\\\\2": there is no group 2 at 7; expected /[filter/]url-regex/replacement',
  ],
  [
    "--map-local",
    "|a|/no/such",
    'option map_local: "|a|/no/such": /no/such cannot be served (No such file or directory); expected /[filter/]url-regex/path',
  ],
  [
    "--block-list",
    "/~q/abc",
    'option block_list: "/~q/abc": the status must be a number from 200 to 599 at 5; expected /filter/status',
  ],
];
for (const [flag, spec, message] of WRONG) {
  Deno.test(`${flag} ${spec} ends weir before it listens, with option, spec, place and what was expected`, async () => {
    const { code, stderr } = await runWeir({ args: [flag, spec] });
    assertEquals([code, stderr], [1, `weir: error: ${message}`]);
  });
}
