/** How streams and sessions end early over HTTP/2, and what the other leg, and the other streams, see of it. @module */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Code } from "../../src/http2/errors.ts";
import { absolute, Client } from "./support/client.ts";
import {
  Flag,
  FrameType,
  Http2Client,
  type Http2Origin,
  http2Origin,
  requestTo,
  uint32,
} from "./support/http2.ts";
import { origin } from "./support/origin.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import { Cut } from "./support/wire.ts";
import { Events, SOON, within } from "./support/within.ts";

const END = Flag.END_STREAM;

/** What the origin's RST_STREAM becomes for the client. */
const FROM_ORIGIN: [code: keyof typeof Code, answer: RegExp, midBody: string][] = [
  ["CANCEL", /^RST_STREAM 1 CANCEL$/, "CANCEL"],
  ["INTERNAL_ERROR", /^RST_STREAM 1 INTERNAL_ERROR$/, "INTERNAL_ERROR"],
  ["REFUSED_STREAM", /^RST_STREAM 1 REFUSED_STREAM$/, "REFUSED_STREAM"],
  ["PROTOCOL_ERROR", /^HEADERS 1 :status=502 /, "INTERNAL_ERROR"],
];
for (const [code, answer, midBody] of FROM_ORIGIN) {
  Deno.test(`the origin resets a stream with ${code}: before it answered, and in mid body`, async () => {
    const events = new Events();
    await using server = await http2Origin(async (peer, id, request) => {
      if (request.includes("/half")) {
        await peer.headers(id, [":status", "200"], 0);
        await peer.data(id, "half");
        await events.seen("half was seen");
      }
      await peer.rst(id, Code[code]);
    });
    await using proxy = await startProxy([recorder(events), streamAll]);
    await using client = await Http2Client.connect(proxy, server);
    const { peer } = client;
    await peer.request(1, requestTo(server));
    assertMatch(await peer.line(), answer);
    await events.seen("error");
    assertEquals(events.count("complete"), 0);
    const rest: string[] = [];
    await peer.request(3, requestTo(server, "GET", "/half"));
    while (!rest.includes("DATA 3 half")) rest.push(await peer.line());
    events.push("half was seen");
    assertEquals(await peer.line(), `RST_STREAM 3 ${midBody}`);
    // HTTP/1 has a page, and then the connection's end.
    await using old = await Client.connect(proxy);
    await old.send(absolute(server.url()));
    assertEquals((await old.response()).head.statusCode, 502);
    await old.send(absolute(server.url("/half")));
    const { text, end } = await old.response();
    assertEquals([text, end === "complete"], ["half", false]);
  });
}

const FROM_CLIENT: [code: keyof typeof Code, upstream: string][] = [
  ["CANCEL", "CANCEL"],
  ["INTERNAL_ERROR", "INTERNAL_ERROR"],
  ["NO_ERROR", "CANCEL"],
  ["REFUSED_STREAM", "CANCEL"],
];
for (const [code, upstream] of FROM_CLIENT) {
  Deno.test(`a client resets a stream with ${code}: the origin's is reset, both connections live`, async () => {
    const events = new Events();
    await using server = await http2Origin(async (peer, id, request) => {
      if (request.includes("/quick")) return await peer.headers(id, [":status", "200"], END);
      if (request.includes("/half")) {
        await peer.headers(id, [":status", "200"], 0);
        await peer.data(id, "half");
      }
    });
    await using proxy = await startProxy([recorder(events), streamAll]);
    await using client = await Http2Client.connect(proxy, server);
    const { peer } = client;
    // In mid body, then before the answer, then in mid upload.
    await peer.request(1, requestTo(server, "GET", "/half"));
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 half"]);
    await peer.rst(1, Code[code]);
    await within(1000, server.seen.seen(`RST_STREAM 1 ${upstream}`), "the origin's reset");
    await peer.request(3, requestTo(server, "GET", "/never"));
    await events.seen("request", 2);
    await server.seen.until(
      () => server.seen.list.some((line) => line.startsWith("HEADERS 3")),
      "the request",
    );
    await peer.rst(3, Code[code]);
    await within(1000, server.seen.seen(`RST_STREAM 3 ${upstream}`), "the origin's reset");
    await peer.request(5, requestTo(server, "POST", "/never"), false);
    await peer.data(5, "part");
    await server.seen.seen("DATA 5 part");
    await peer.rst(5, Code[code]);
    await within(1000, server.seen.seen(`RST_STREAM 5 ${upstream}`), "the origin's reset");
    await events.seen("error", 3);
    await peer.request(7, requestTo(server, "GET", "/quick"));
    assertEquals(await peer.line(), "HEADERS 7 :status=200 +END");
    assertEquals(server.connections, 1);
  });
}

Deno.test("a client that leaves takes its streams with it, and leaves the pooled session to others", async () => {
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200"], 0);
    await peer.data(id, `${id}`);
  });
  await using proxy = await startProxy(streamAll);
  await using other = await Http2Client.connect(proxy, server);
  await other.peer.request(1, requestTo(server));
  assertEquals(await other.peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 1"]);
  {
    await using client = await Http2Client.connect(proxy, server);
    for (const id of [1, 3]) {
      await client.peer.request(id, requestTo(server));
      await client.peer.lines(2);
    }
  }
  for (const id of [3, 5]) await within(1000, server.seen.seen(`RST_STREAM ${id} CANCEL`), "the resets");
  await server.peers[0].data(1, "more", true);
  assertEquals(await other.peer.line(), "DATA 1 more +END");
  assertEquals(server.connections, 1);
});

Deno.test("flow.kill() resets both streams with CANCEL at once, and nothing else", async () => {
  const killing: (() => void)[] = [];
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200"], 0);
    await peer.data(id, "half");
  });
  await using proxy = await startProxy([streamAll, {
    responseheaders: (flow) => void killing.push(() => flow.kill()),
  }]);
  await using client = await Http2Client.connect(proxy, server);
  for (const id of [1, 3]) {
    await client.peer.request(id, requestTo(server));
    await client.peer.lines(2);
  }
  killing[0]();
  assertEquals(await client.peer.line(), "RST_STREAM 1 CANCEL");
  await server.seen.seen("RST_STREAM 1 CANCEL");
  await server.peers[0].data(3, "goes on", true);
  assertEquals(await client.peer.line(), "DATA 3 goes on +END");
});

Deno.test("an HTTP/1 origin that cuts its response is INTERNAL_ERROR for the client", async () => {
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    wire.close();
  }, { tls: true });
  await using proxy = await startProxy(streamAll, { http2_upstream: "any" });
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server));
  assertEquals(await client.peer.lines(3), [
    "HEADERS 1 :status=200 content-length=9",
    "DATA 1 half",
    "RST_STREAM 1 INTERNAL_ERROR",
  ]);
});

/** Answers each connection's requests beyond the first `bad` connections. */
function badFirst(
  bad: number,
  misbehave: (server: Http2Origin, id: number) => Promise<void>,
): Promise<Http2Origin> {
  const server: Promise<Http2Origin> = http2Origin(async (peer, id) => {
    const self = await server;
    if (self.connections <= bad) return await misbehave(self, id);
    await peer.headers(id, [":status", "200", "x-connection", `${self.connections}`], END);
  });
  return server;
}

const goaway = async (server: Http2Origin, last: number) =>
  await server.peers.at(-1)!.send(
    FrameType.GOAWAY,
    0,
    0,
    Uint8Array.of(...uint32(last), ...uint32(Code.NO_ERROR)),
  );

Deno.test("a request that GOAWAY left out is sent again, once, on a new session", async () => {
  await using server = await badFirst(1, (server) => goaway(server, 0));
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server, "POST", "/"), false);
  await client.peer.data(1, "body", true);
  assertEquals(await client.peer.line(), "HEADERS 1 :status=200 x-connection=2 +END");
  assertEquals(server.seen.list.filter((line) => line === "DATA 1 body +END").length, 2);
});

for (const [mode, addons] of [["buffered", []], ["streamed", [streamAll]]] as const) {
  Deno.test(`NO_ERROR in the place of END_STREAM is a cut body, with or without its whole length (${mode})`, async () => {
    await using server = await http2Origin(async (peer, id, request) => {
      if (request.includes("/headless")) return await peer.rst(id, Code.NO_ERROR);
      const length = request.includes("/short") ? "9" : "5";
      await peer.headers(id, [
        ":status",
        "200",
        ...request.includes("/open") ? [] : ["content-length", length],
      ], 0);
      await peer.data(id, "hello");
      await peer.rst(id, Code.NO_ERROR);
    });
    const ends = new Events();
    await using proxy = await startProxy([...addons, recorder(ends)]);
    await using http2 = await Http2Client.connect(proxy, server);
    const cut = mode === "streamed" ? " INTERNAL_ERROR" : ":status=502";
    for (const [i, path] of ["/open", "/short", "/whole"].entries()) {
      await http2.peer.request(2 * i + 1, requestTo(server, "GET", path));
      const lines = [];
      do lines.push(await http2.peer.line()); while (!lines.at(-1)!.includes(cut));
      if (mode === "streamed") assert(!/END/.test(lines.join()), lines.join());
    }
    // Before the head it is no answer at all.
    await http2.peer.request(7, requestTo(server, "GET", "/headless"));
    for (let line = ""; !line.startsWith("HEADERS 7 :status=502");) line = await http2.peer.line();
    // HTTP/1.1: no last chunk.
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url("/open")));
    if (mode === "streamed") {
      assertStringIncludes(await client.readUntil("hello"), "chunked");
      await assertRejects(() => client.readUntil("0\r\n\r\n"), Cut);
    } else assertEquals((await client.response()).head.statusCode, 502);
    await ends.until(() => ends.list.filter((hook) => hook === "error").length === 5, "five errors");
    assert(!ends.list.includes("complete"));
  });
}

for (const sent of ["nothing", "a part", "all"]) {
  Deno.test(`a streamed request that GOAWAY left out is sent again, ${sent} of its body included`, async () => {
    await using server = await badFirst(1, () => Promise.resolve());
    await using proxy = await startProxy(streamAll);
    await using client = await Http2Client.connect(proxy, server);
    const { peer } = client;
    await peer.request(1, requestTo(server, "POST", "/"), false);
    if (sent !== "nothing") await peer.data(1, "part", sent === "all");
    const frames = sent === "nothing" ? 1 : 2;
    await server.seen.until(() => server.seen.list.length === frames, "the first attempt");
    await goaway(server, 0);
    if (sent !== "all") {
      await server.seen.until(
        () => server.seen.list.filter((line) => line.includes("POST")).length === 2,
        "the second attempt",
      );
      await peer.data(1, "rest", true);
    }
    assertEquals(await peer.line(), "HEADERS 1 :status=200 x-connection=2 +END");
    const data = server.seen.list.filter((line) => line.startsWith("DATA"));
    // deno-fmt-ignore
    assertEquals(data, {
      "nothing": ["DATA 1 rest +END"],
      "a part": ["DATA 1 part", "DATA 1 part", "DATA 1 rest +END"],
      "all": ["DATA 1 part +END", "DATA 1 part +END"],
    }[sent]!);
  });
}

Deno.test("a request whose stream the origin has reset is not sent again: it was seen", async () => {
  await using server = await http2Origin(async (peer, id, request) => {
    if (request.includes("/reset")) await peer.rst(id, Code.CANCEL);
    else await peer.headers(id, [":status", "200"], END);
  });
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server));
  assertEquals(await client.peer.line(), "HEADERS 1 :status=200 +END");
  await client.peer.request(3, requestTo(server, "GET", "/reset"));
  assertEquals(await client.peer.line(), "RST_STREAM 3 CANCEL");
  assertEquals(server.seen.list.filter((line) => line.includes("/reset")).length, 1);
});

Deno.test("a request that two sessions leave out is refused to the client, who may send it again", async () => {
  await using server = await badFirst(2, (server) => goaway(server, 0));
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server));
  assertEquals(await client.peer.line(), "RST_STREAM 1 REFUSED_STREAM");
  assertEquals(server.connections, 2);
});

Deno.test("REFUSED_STREAM is tried again, once", async () => {
  await using server = await badFirst(1, (server, id) => server.peers[0].rst(id, Code.REFUSED_STREAM));
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server));
  assertEquals(await client.peer.line(), "HEADERS 1 :status=200 x-connection=2 +END");
});

Deno.test("GOAWAY lets streams finish that it covers, and the others share one new session", async () => {
  const count = 40;
  await using server = await badFirst(1, async (server, id) => {
    if (id !== 2 * count - 1) return;
    await goaway(server, 1);
    await server.peers[0].headers(1, [":status", "200", "x-connection", "1"], END);
  });
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  await peer.request(1, requestTo(server));
  await server.seen.until(() => server.seen.list.length === 1, "the first request");
  for (let i = 1; i < count; i++) await peer.request(2 * i + 1, requestTo(server));
  const lines = (await peer.lines(count)).sort();
  assertEquals(lines.filter((line) => line.endsWith("x-connection=2 +END")).length, count - 1);
  assert(lines.includes("HEADERS 1 :status=200 x-connection=1 +END"));
  assertEquals(server.connections, 2);
});

Deno.test("a session that the origin closes while idle is replaced, one that it loses is retried where it may be", async () => {
  await using server = await http2Origin(async (peer, id, request) => {
    if (request.includes("/lose") && server.connections === 2) return peer.wire.close();
    await peer.headers(id, [":status", "200", "x-connection", `${server.connections}`], END);
  });
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  await peer.request(1, requestTo(server));
  assertEquals(await peer.line(), "HEADERS 1 :status=200 x-connection=1 +END");
  server.peers[0].wire.close();
  await peer.request(3, requestTo(server));
  assertEquals(await peer.line(), "HEADERS 3 :status=200 x-connection=2 +END");
  await peer.request(5, requestTo(server, "GET", "/lose"));
  assertEquals(await peer.line(), "HEADERS 5 :status=200 x-connection=3 +END");
});

Deno.test("a POST whose session is lost is not sent again", async () => {
  await using server = await http2Origin((peer) => peer.wire.close());
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  await client.peer.request(1, requestTo(server, "POST"));
  assertMatch(await client.peer.line(), /^HEADERS 1 :status=502/);
  assertEquals(server.seen.list.length, 1);
});

Deno.test("many requests at once share one session, as far as the origin's limit allows", async () => {
  const waiting: (() => Promise<void>)[] = [];
  const count = 120, limit = 50;
  await using server = await http2Origin((peer, id) => {
    waiting.push(() => peer.headers(id, [":status", "200"], END));
  }, { settings: [[3, limit]] });
  await using proxy = await startProxy();
  await using client = await Http2Client.connect(proxy, server);
  // The certificate was looked at over the session that the first request takes, so its settings are known.
  for (let i = 0; i < count; i++) await client.peer.request(2 * i + 1, requestTo(server));
  await server.seen.until(() => server.seen.list.length === count, "all requests");
  assertEquals(server.connections, 3);
  for (const answer of waiting) await answer();
  const lines = await client.peer.lines(count);
  assert(lines.every((line) => line.endsWith(":status=200 +END")));
});

Deno.test("shutdown lets a stream finish, refuses new ones, and closes", async () => {
  const events = new Events();
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200"], 0);
    await peer.data(id, "half");
    await events.seen("go on");
    await peer.data(id, "done", true);
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Http2Client.connect(proxy, server);
  const { peer } = client;
  await peer.request(1, requestTo(server));
  await peer.lines(2);
  const stopped = proxy.stop();
  assertEquals(await peer.line(), "GOAWAY 1 NO_ERROR");
  await peer.request(3, requestTo(server));
  assertEquals(await peer.line(), "RST_STREAM 3 REFUSED_STREAM");
  events.push("go on");
  assertEquals(await peer.rest(), ["DATA 1 done +END"]);
  client.wire.close();
  await within(SOON, stopped, "weir to stop");
});
