import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import type { IncomingExchange } from "../../src/flow/wire.ts";
import { Code } from "../../src/http2/errors.ts";
import { PREFACE } from "../../src/http2/frames.ts";
import { type Http2Handler, serveHttp2, type ServeHttp2Options } from "../../src/http2/server.ts";
import { MAX_CONCURRENT_STREAMS, settingsPayload, STREAM_WINDOW } from "../../src/http2/settings.ts";
import { type MemoryConnOptions, memoryConnPair, splitBy } from "../support/memory_conn.ts";
import {
  Flag,
  frameBytes,
  FramePeer,
  FrameType,
  GET,
  pieces,
  POST,
  responseHead,
  TestBody,
  uint32,
  utf8,
} from "./support.ts";

/** Runs a server and a client that has said its preface; afterwards the client leaves and the server must end. */
async function withServer(
  handler: Http2Handler,
  test: (peer: FramePeer, signal: AbortController) => Promise<void>,
  options: MemoryConnOptions & ServeHttp2Options & { settings?: [number, number][] } = {},
): Promise<void> {
  const [client, server] = memoryConnPair(options);
  const controller = new AbortController();
  const served = serveHttp2(server, handler, { signal: controller.signal, ...options });
  const peer = new FramePeer(client);
  try {
    await peer.start("client", options.settings ?? []);
    await test(peer, controller);
  } finally {
    client.reset();
    await served;
    assert(server.closed);
  }
}

const hello: Http2Handler = (x) => x.respond(responseHead(), TestBody.of(["hello"]));

Deno.test("a GET is answered, with END_STREAM on the last DATA frame", () =>
  withServer((x) => {
    assertEquals(x.body, null);
    const { method, form, scheme, host, port, path, httpVersion } = x.head;
    assertEquals([method, form, scheme, host, port, path, httpVersion], [
      "GET",
      "origin",
      "http",
      "a.test",
      80,
      "/",
      "HTTP/2.0",
    ]);
    assertEquals(x.head.headers.raw, ["host", "a.test", "x-one", "1"]);
    return x.respond(
      responseHead(200, [["X-Two", "2"], ["Connection", "x-hop"], ["X-Hop", "1"], ["Upgrade", "h9"]]),
      TestBody.of(["a", "b"]),
    );
  }, async (peer) => {
    await peer.request(1, [...GET, "x-one", "1"]);
    assertEquals(await peer.lines(3), ["HEADERS 1 :status=200 x-two=2", "DATA 1 a", "DATA 1 b +END"]);
  }));

Deno.test("the transcript is the same at any split of the bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (counts) => {
      await withServer(async (x) => {
        const got = await pieces(x.body);
        await x.respond(responseHead(), TestBody.of([...got, "!"], ["x-end", "1"]));
      }, async (peer) => {
        await peer.request(1, [...POST, "content-length", "8"], false);
        await peer.data(1, "abc");
        await peer.data(1, "defgh", true);
        await peer.request(3);
        const lines = await peer.lines(8);
        const of = (id: number) => lines.filter((line) => line.split(" ")[1] === String(id));
        assertEquals(of(1), [
          "HEADERS 1 :status=200",
          "DATA 1 abc",
          "DATA 1 defgh",
          "DATA 1 !",
          "HEADERS 1 x-end=1 +END",
        ]);
        assertEquals(of(3).length, 3);
      }, { split: splitBy(counts) });
    }),
    { numRuns: 25 },
  );
});

Deno.test("bytes that were read before, the preface in them, are not lost", async () => {
  const [client, server] = memoryConnPair();
  const peer = new FramePeer(client);
  const first = [
    PREFACE,
    frameBytes(FrameType.SETTINGS, 0, 0),
    frameBytes(FrameType.HEADERS, 5, 1, peer.encoder.encode(GET)),
  ];
  const served = serveHttp2(server, hello, {
    firstBytes: Uint8Array.from(first.flatMap((part) => [...part])),
  });
  assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 hello +END"]);
  client.reset();
  await served;
});

Deno.test("a response without body ends on its HEADERS; HEAD keeps its content-length", () =>
  withServer((x) => {
    const status = Number(x.head.path.slice(1));
    return x.respond(responseHead(status, [["content-length", "7"]]), null);
  }, async (peer) => {
    const path = (
      method: string,
      path: string,
    ) => [":method", method, ":scheme", "http", ":path", path, ":authority", "a"];
    await peer.request(1, path("GET", "/200"));
    assertEquals(await peer.line(), "HEADERS 1 :status=200 content-length=0 +END");
    await peer.request(3, path("HEAD", "/200"));
    assertEquals(await peer.line(), "HEADERS 3 :status=200 content-length=7 +END");
    await peer.request(5, path("GET", "/204"));
    assertEquals(await peer.line(), "HEADERS 5 :status=204 +END");
    await peer.request(7, path("GET", "/304"));
    assertEquals(await peer.line(), "HEADERS 7 :status=304 content-length=7 +END");
  }));

Deno.test("interim responses come before the final one; 101 has no place", () =>
  withServer(async (x) => {
    await x.informational(responseHead(103, [["link", "</a>"]]));
    await x.informational(responseHead(101));
    await x.informational(responseHead(100));
    await x.respond(responseHead(), null);
  }, async (peer) => {
    await peer.request(1);
    assertEquals(await peer.lines(3), [
      "HEADERS 1 :status=103 link=</a>",
      "HEADERS 1 :status=100",
      "HEADERS 1 :status=200 +END",
    ]);
  }));

Deno.test("the head goes out before the body has a byte, and each piece as it comes", async () => {
  const body = new TestBody();
  await withServer((x) => x.respond(responseHead(), body), async (peer) => {
    await peer.request(1);
    assertEquals(await peer.line(), "HEADERS 1 :status=200");
    for (let i = 0; i < 5; i++) {
      body.push(`event ${i}`);
      assertEquals(await peer.line(), `DATA 1 event ${i}`);
    }
    body.end();
    assertEquals(await peer.line(), "DATA 1  +END");
  });
});

Deno.test("a body that breaks is cut by RST_STREAM, never ended", async () => {
  const body = new TestBody();
  await withServer(async (x) => {
    await assertRejects(() => x.respond(responseHead(), body), WeirError, "origin died");
  }, async (peer) => {
    await peer.request(1);
    await peer.line();
    body.push("half");
    assertEquals(await peer.line(), "DATA 1 half");
    body.fail(new WeirError("server", "closed", "The origin died."));
    assertEquals(await peer.line(), "RST_STREAM 1 INTERNAL_ERROR");
  });
});

Deno.test("abort resets the stream: killed is CANCEL, a handler that throws is INTERNAL_ERROR; others go on", () =>
  withServer((x) => {
    if (x.head.path === "/kill") return Promise.resolve(x.abort(new WeirError("weir", "killed", "Killed.")));
    if (x.head.path === "/throw") throw new Error("oops");
    if (x.head.path === "/nothing") return Promise.resolve();
    return hello(x);
  }, async (peer) => {
    const path = (path: string) => [":method", "GET", ":scheme", "http", ":path", path, ":authority", "a"];
    await peer.request(1, path("/kill"));
    assertEquals(await peer.line(), "RST_STREAM 1 CANCEL");
    await peer.request(3, path("/throw"));
    assertEquals(await peer.line(), "RST_STREAM 3 INTERNAL_ERROR");
    await peer.request(5, path("/nothing"));
    assertEquals(await peer.line(), "RST_STREAM 5 INTERNAL_ERROR");
    await peer.request(7);
    assertEquals(await peer.lines(2), ["HEADERS 7 :status=200", "DATA 7 hello +END"]);
  }));

Deno.test("a client that resets, or leaves, is gone: the listener hears it once and the body is cancelled", async () => {
  for (
    const leave of [
      (peer: FramePeer) => peer.rst(1, Code.CANCEL),
      (peer: FramePeer) => peer.conn.closeWrite(),
    ]
  ) {
    const gone = Promise.withResolvers<WeirError>();
    const body = new TestBody();
    let responded: Promise<void> = Promise.resolve();
    await withServer(async (x) => {
      x.onGone(gone.resolve);
      responded = x.respond(responseHead(), body);
      await responded.catch(() => {});
    }, async (peer) => {
      await peer.request(1);
      await peer.line();
      await leave(peer);
      const error = await gone.promise;
      assertEquals([error.side, error.code], ["client", "closed"]);
      await assertRejects(() => responded, WeirError);
      assertEquals(body.cancelled, error);
    });
  }
});

Deno.test("an early response ends the stream with NO_ERROR only when nobody wants the rest of the request", () =>
  withServer(async (x) => {
    await x.respond(responseHead(413), null);
    if (x.head.path === "/drain") assertEquals(await pieces(x.body), ["later"]);
  }, async (peer) => {
    await peer.request(1, POST, false);
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=413 +END", "RST_STREAM 1 NO_ERROR"]);
    // Late DATA of the reset stream is ignored.
    await peer.data(1, "late");
    await peer.request(
      3,
      [":method", "POST", ":scheme", "http", ":path", "/drain", ":authority", "a"],
      false,
    );
    assertEquals(await peer.line(), "HEADERS 3 :status=413 +END");
    await peer.data(3, "later", true);
    await peer.send(FrameType.PING, 0, 0, utf8("12345678"));
    assertEquals(await peer.line(), "PING ACK 12345678");
  }));

Deno.test("upload and download of one stream run at the same time", () =>
  withServer(async (x) => {
    const echo = new TestBody();
    const done = x.respond(responseHead(), echo);
    for (;;) {
      const piece = x.body!.take();
      if (piece === null) break;
      if (piece === undefined) await x.body!.fill();
      else echo.push(piece.slice());
    }
    echo.end(x.body!.trailers);
    await done;
  }, async (peer) => {
    await peer.request(1, POST, false);
    assertEquals(await peer.line(), "HEADERS 1 :status=200");
    for (const word of ["one", "two", "three"]) {
      await peer.data(1, word);
      assertEquals(await peer.line(), `DATA 1 ${word}`);
    }
    await peer.headers(1, ["grpc-status", "0"], Flag.END_STREAM);
    assertEquals(await peer.line(), "HEADERS 1 grpc-status=0 +END");
  }));

Deno.test("one DATA frame is one piece, padding taken off, whatever the splits", () =>
  withServer(async (x) => {
    assertEquals([x.body!.chunked, x.body!.size], [true, null]);
    assertEquals(await pieces(x.body), ["a".repeat(16_000), "b", "c"]);
    await x.respond(responseHead(), null);
  }, async (peer) => {
    await peer.request(1, POST, false);
    await peer.data(1, "a".repeat(16_000));
    await peer.data(1, "b");
    await peer.data(1, "");
    await peer.send(FrameType.DATA, Flag.PADDED | Flag.END_STREAM, 1, Uint8Array.from([3, 99, 0, 0, 0]));
    assertEquals(await peer.line(), "HEADERS 1 :status=200 +END");
  }, { split: splitBy([1000, 7]) }));

const malformed: [name: string, fields: string[]][] = [
  ["an upper-case name", [...GET, "X-A", "1"]],
  ["an empty name", [...GET, "", "1"]],
  ["a name with a space", [...GET, "x a", "1"]],
  ["a name with a colon", [...GET, "x:a", "1"]],
  ["CR LF in a value", [...GET, "x-a", "1\r\nevil: 1"]],
  ["LF in a value", [...GET, "x-a", "1\nevil: 1"]],
  ["NUL in a value", [...GET, "x-a", "1\0"]],
  ["a leading space in a value", [...GET, "x-a", " 1"]],
  ["a trailing tab in a value", [...GET, "x-a", "1\t"]],
  ["connection", [...GET, "connection", "close"]],
  ["transfer-encoding", [...GET, "transfer-encoding", "chunked"]],
  ["upgrade", [...GET, "upgrade", "h2c"]],
  ["keep-alive", [...GET, "keep-alive", "1"]],
  ["proxy-connection", [...GET, "proxy-connection", "close"]],
  ["te other than trailers", [...GET, "te", "gzip"]],
  ["a pseudo-header field after a field", ["x-a", "1", ...GET]],
  ["a pseudo-header field twice", [...GET, ":path", "/"]],
  ["a late pseudo-header field", [...GET.slice(0, 6), "x-a", "1", ":authority", "a.test"]],
  [":status in a request", [...GET, ":status", "200"]],
  ["an unknown pseudo-header field", [...GET, ":protocol", "websocket"]],
  ["no :method", GET.slice(2)],
  ["a :method with a space", [":method", "GET /evil", ...GET.slice(2)]],
  ["no :path", [...GET.slice(0, 4), ":authority", "a"]],
  ["an empty :path", [...GET.slice(0, 4), ":path", "", ":authority", "a"]],
  ["a :path with a space", [...GET.slice(0, 4), ":path", "/a HTTP/1.1", ":authority", "a"]],
  ["a :path with CR LF", [...GET.slice(0, 4), ":path", "/a\r\nx: y", ":authority", "a"]],
  ["a :path that is no path", [...GET.slice(0, 4), ":path", "a", ":authority", "a"]],
  ["a :path with a fragment", [...GET.slice(0, 4), ":path", "/a#b", ":authority", "a"]],
  ["* with GET", [...GET.slice(0, 4), ":path", "*", ":authority", "a"]],
  ["no :scheme", [...GET.slice(0, 2), ...GET.slice(4)]],
  ["an unknown :scheme", [":method", "GET", ":scheme", "ftp", ...GET.slice(4)]],
  ["neither :authority nor host", GET.slice(0, 6)],
  ["userinfo in :authority", [...GET.slice(0, 6), ":authority", "me@a.test"]],
  ["a space in :authority", [...GET.slice(0, 6), ":authority", "a.test b"]],
  ["a port that is none", [...GET.slice(0, 6), ":authority", "a.test:99999"]],
  ["a host that differs from :authority", [...GET, "host", "b.test"]],
  ["two host fields", [...GET, "host", "a.test", "host", "a.test"]],
  ["CONNECT with a :path", [":method", "CONNECT", ":path", "/", ":authority", "a:1"]],
  ["CONNECT without a port", [":method", "CONNECT", ":authority", "a"]],
  ["differing content-lengths", [...POST, "content-length", "1", "content-length", "2"]],
  ["a signed content-length", [...POST, "content-length", "+1"]],
  ["a content-length list", [...POST, "content-length", "1, 1"]],
  ["a content-length without a body", [...POST, "content-length", "1"]],
];

Deno.test("malformed requests are refused before any handler runs, and the connection goes on", async () => {
  const seen: string[] = [];
  await withServer((x) => {
    seen.push(x.head.method);
    return hello(x);
  }, async (peer) => {
    let id = 1;
    for (const [name, fields] of malformed) {
      await peer.request(id, fields);
      assertEquals(await peer.line(), `RST_STREAM ${id} PROTOCOL_ERROR`, name);
      id += 2;
    }
    assertEquals(seen, []);
    await peer.request(id);
    assertEquals(await peer.line(), `HEADERS ${id} :status=200`);
  });
});

Deno.test("what is well-formed and unusual is let through", () =>
  withServer((x) => {
    const { form, host, port, path, headers } = x.head;
    return x.respond(
      responseHead(200, [[
        "x-saw",
        [form, host, port, path, headers.get("host"), headers.get("cookie")].join("|"),
      ]]),
      null,
    );
  }, async (peer) => {
    const base = [":method", "GET", ":scheme", "https", ":path", "/"];
    const cases: [string[], string][] = [
      [[...base, ":authority", "[::1]:8443"], "origin|::1|8443|/|[::1]:8443|"],
      [[...base, ":authority", "A.test", "host", "a.TEST:443"], "origin|A.test|443|/|a.TEST:443|"],
      [[...base, "host", "a.test"], "origin|a.test|443|/|a.test|"],
      [
        [...base, ":authority", "a", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"],
        "origin|a|443|/|a|a=1; b=2; c=3",
      ],
      [[":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "a"], "asterisk|a|80|*|a|"],
      [[...base, ":authority", "a", "te", "trailers"], "origin|a|443|/|a|"],
    ];
    let id = 1;
    for (const [fields, saw] of cases) {
      await peer.request(id, fields);
      assertEquals(await peer.line(), `HEADERS ${id} :status=200 x-saw=${saw} +END`);
      id += 2;
    }
  }));

Deno.test("a body that differs from its content-length is an error, not an end", async () => {
  for (
    const send of [
      // Known before the end comes.
      (peer: FramePeer) => peer.data(1, "toolong"),
      (peer: FramePeer) => peer.data(1, "abc", true),
      (peer: FramePeer) => peer.headers(1, ["x-end", "1"], Flag.END_STREAM),
    ]
  ) {
    const error = Promise.withResolvers<unknown>();
    await withServer((x) => pieces(x.body).then(() => {}, error.resolve), async (peer) => {
      await peer.request(1, [...POST, "content-length", "4"], false);
      await send(peer);
      assertEquals(await peer.line(), "RST_STREAM 1 PROTOCOL_ERROR");
      const thrown = await error.promise;
      assert(thrown instanceof WeirError);
      assertEquals([thrown.side, thrown.code], ["client", "protocol"]);
    });
  }
});

Deno.test("trailers: with a pseudo-header field, or without END_STREAM, they are malformed", async () => {
  for (const [fields, flags] of [[[":path", "/"], Flag.END_STREAM], [["x-a", "1"], 0]] as const) {
    await withServer((x) => pieces(x.body).then(() => {}), async (peer) => {
      await peer.request(1, POST, false);
      await peer.headers(1, [...fields], flags);
      assertEquals(await peer.line(), "RST_STREAM 1 PROTOCOL_ERROR");
    });
  }
});

Deno.test("a head over 64 KiB or 200 fields is answered with 431 and the connection goes on", () =>
  withServer(hello, async (peer) => {
    await peer.request(1, [...GET, ...Array.from({ length: 201 }, (_, i) => [`x-${i}`, "1"]).flat()]);
    assertEquals(await peer.line(), "HEADERS 1 :status=431 +END");
    const block = peer.encoder.encode([...GET, "x-big", "\x01".repeat(66_000)]).slice();
    for (let at = 0; at < block.length; at += 16_384) {
      const flags = at + 16_384 >= block.length ? Flag.END_HEADERS : 0;
      await peer.send(
        at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION,
        flags,
        3,
        block.subarray(at, at + 16_384),
      );
    }
    assertEquals(await peer.lines(2), ["HEADERS 3 :status=431 +END", "RST_STREAM 3 NO_ERROR"]);
    await peer.request(5, [...GET, "x-0", "1"]);
    assertEquals(await peer.line(), "HEADERS 5 :status=200");
  }));

Deno.test("CONNECT opens a tunnel of DATA frames", () =>
  withServer(async (x) => {
    assertEquals([x.head.form, x.head.host, x.head.port, x.body], ["authority", "a.test", 443, null]);
    await x.respond(responseHead(), null);
    const conn = x.takeOver(), into = new Uint8Array(3);
    for (let count = await conn.read(into); count !== null; count = await conn.read(into)) {
      await conn.write(into.subarray(0, count));
    }
    await conn.closeWrite();
    conn.close();
  }, async (peer) => {
    await peer.request(1, [":method", "CONNECT", ":authority", "a.test:443"], false);
    assertEquals(await peer.line(), "HEADERS 1 :status=200");
    await peer.data(1, "hello");
    assertEquals(await peer.lines(2), ["DATA 1 hel", "DATA 1 lo"]);
    await peer.data(1, "", true);
    assertEquals(await peer.line(), "DATA 1  +END");
  }));

Deno.test("a stream stops its client at its window and holds up no other; credit comes when bytes are taken", async () => {
  const stalled = Promise.withResolvers<IncomingExchange>();
  const go = Promise.withResolvers<void>();
  await withServer(async (x) => {
    if (x.head.path !== "/stall") {
      return await x.respond(responseHead(200, [["x-n", String((await pieces(x.body)).length)]]), null);
    }
    stalled.resolve(x);
    await go.promise;
    await pieces(x.body);
    await x.respond(responseHead(), null);
  }, async (peer) => {
    const frame = new Uint8Array(16_384);
    await peer.request(
      1,
      [":method", "POST", ":scheme", "http", ":path", "/stall", ":authority", "a"],
      false,
    );
    for (let sent = 0; sent < STREAM_WINDOW.server; sent += frame.length) await peer.data(1, frame);
    await stalled.promise;
    // Many times a stream's window goes through on the same connection, with its credit given back.
    let id = 3, credit = 0;
    for (; id < 3 + 2 * 8; id += 2) {
      await peer.request(id, POST, false);
      for (let i = 0; i < 16; i++) await peer.data(id, frame, i === 15);
      for (;;) {
        const line = await peer.line(true);
        if (line.startsWith("WINDOW_UPDATE 1 ")) credit++;
        if (line === `HEADERS ${id} :status=200 x-n=16 +END`) break;
      }
    }
    assertEquals(credit, 0, "credit for bytes that nobody took");
    go.resolve();
    for (let line = ""; !line.startsWith("WINDOW_UPDATE 1 "); line = await peer.line(true));
    // More than the window is a fault of the stream alone.
    await peer.data(1, "", true);
    assertEquals(await peer.line(), "HEADERS 1 :status=200 +END");
  });
});

Deno.test("a client that sends beyond the window of a stream loses that stream", () =>
  withServer((x) => new Promise((resolve) => x.onGone(() => resolve())), async (peer) => {
    await peer.request(1, POST, false);
    for (let sent = 0; sent <= STREAM_WINDOW.server; sent += 16_384) {
      await peer.data(1, new Uint8Array(16_384));
    }
    assertEquals(await peer.line(), "RST_STREAM 1 FLOW_CONTROL_ERROR");
  }));

Deno.test("weir sends no more than the client's windows allow, and streams share what there is", async () => {
  const bodies = new Map<string, TestBody>();
  await withServer((x) => {
    const body = new TestBody();
    bodies.set(x.head.path, body);
    body.push(new Uint8Array(40_000));
    body.end();
    return x.respond(responseHead(), body);
  }, async (peer) => {
    const get = (path: string) => [":method", "GET", ":scheme", "http", ":path", path, ":authority", "a"];
    await peer.request(1, get("/1"));
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 1000 bytes"]);
    // A shrinking window is counted too (§6.9.2).
    await peer.send(FrameType.SETTINGS, 0, 0, settingsPayload([[4, 500]]));
    await peer.windowUpdate(1, 600);
    assertEquals(await peer.line(), "DATA 1 100 bytes");
    await peer.request(3, get("/3"));
    assertEquals(await peer.lines(2), ["HEADERS 3 :status=200", "DATA 3 500 bytes"]);
    await peer.windowUpdate(3, 39_500);
    assertEquals(await peer.lines(3), ["DATA 3 16384 bytes", "DATA 3 16384 bytes", "DATA 3 6732 bytes +END"]);
    await peer.windowUpdate(1, 40_000);
    // 65535 for the connection: 1600 and 39500 are used.
    assertEquals(await peer.lines(2), ["DATA 1 16384 bytes", "DATA 1 8051 bytes"]);
    // The connection's window is empty: a head passes, DATA waits.
    await peer.request(5, get("/5"));
    assertEquals(await peer.line(), "HEADERS 5 :status=200");
    await peer.windowUpdate(5, 40_000);
    await peer.windowUpdate(0, 100_000);
    const lines = await peer.lines(4);
    assertEquals(lines.slice(0, 2).sort(), ["DATA 1 14465 bytes +END", "DATA 5 16384 bytes"]);
  }, { settings: [[4, 1000]] });
});

Deno.test("streams take turns, frame by frame", () =>
  withServer((x) => x.respond(responseHead(), TestBody.of([new Uint8Array(400_000)])), async (peer) => {
    await peer.windowUpdate(0, 10_000_000);
    for (const id of [1, 3, 5]) {
      await peer.windowUpdate(0, 1);
      await peer.request(id);
    }
    const order: string[] = [];
    for (let line = ""; order.length < 60; order.push(line.split(" ")[1])) {
      do line = await peer.line(); while (!line.startsWith("DATA"));
    }
    // After the first buffer no stream gets two frames in a row.
    const later = order.slice(20);
    for (let i = 1; i < later.length; i++) assert(later[i] !== later[i - 1], `order: ${order.join("")}`);
  }, { settings: [[4, 1_000_000]], capacity: 32 * 1024 }));

Deno.test("a client that reads nothing makes weir take a bounded part of the body", async () => {
  const body = new TestBody();
  for (let i = 0; i < 200; i++) body.push(new Uint8Array(65_536));
  await withServer((x) => x.respond(responseHead(), body).catch(() => {}), async (peer) => {
    await peer.windowUpdate(0, 1_000_000_000);
    await peer.request(1);
    // Everything that can happen without reading has happened when a PING's answer would be due.
    for (let turn = 0, last = -1; last !== body.taken || turn < 5; turn++) {
      last = body.taken;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert(body.taken <= 512 * 1024, `${body.taken} bytes were taken`);
  }, { settings: [[4, 0x7fffffff]] });
});

/** What a client does, and how the connection ends. */
const fatal: [name: string, ending: string, run: (peer: FramePeer) => Promise<void>][] = [
  ["DATA on stream 0", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.data(0, "x")],
  ["DATA on an idle stream", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.data(1, "x")],
  ["RST_STREAM on an idle stream", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.rst(1, 8)],
  ["WINDOW_UPDATE on an idle stream", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.windowUpdate(1, 1)],
  ["CONTINUATION without HEADERS", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.send(FrameType.CONTINUATION, 4, 1)],
  ["PUSH_PROMISE", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.send(FrameType.PUSH_PROMISE, 4, 1, uint32(2))],
  ["HEADERS on an even stream", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.request(2)],
  ["a frame that is too large", "GOAWAY 0 FRAME_SIZE_ERROR", (p) => p.data(1, new Uint8Array(16_385))],
  ["WINDOW_UPDATE by 0 on the connection", "GOAWAY 0 PROTOCOL_ERROR", (p) => p.windowUpdate(0, 0)],
  ["WINDOW_UPDATE over the maximum", "GOAWAY 0 FLOW_CONTROL_ERROR", (p) => p.windowUpdate(0, 0x7fffffff)],
  [
    "a broken header block",
    "GOAWAY 0 COMPRESSION_ERROR",
    (p) => p.send(FrameType.HEADERS, 5, 1, Uint8Array.of(0xff, 0xff)),
  ],
  ["a header block that another frame interrupts", "GOAWAY 0 PROTOCOL_ERROR", async (p) => {
    await p.send(FrameType.HEADERS, Flag.END_STREAM, 1, p.encoder.encode(GET));
    await p.send(FrameType.PING, 0, 0, new Uint8Array(8));
  }],
  ["endless CONTINUATION", "GOAWAY 0 ENHANCE_YOUR_CALM", async (p) => {
    await p.send(FrameType.HEADERS, 0, 1, p.encoder.encode(GET));
    for (let i = 0; i < 70; i++) await p.send(FrameType.CONTINUATION, 0, 1);
  }],
  ["a header block of 140 KiB", "GOAWAY 0 ENHANCE_YOUR_CALM", async (p) => {
    await p.send(FrameType.HEADERS, 0, 1, p.encoder.encode(GET));
    for (let i = 0; i < 9; i++) await p.send(FrameType.CONTINUATION, 0, 1, new Uint8Array(16_000));
  }],
  ["a flood of SETTINGS", "GOAWAY 0 ENHANCE_YOUR_CALM", async (p) => {
    for (let i = 0; i < 110; i++) await p.send(FrameType.SETTINGS, 0, 0);
  }],
  ["a flood of PING", "GOAWAY 0 ENHANCE_YOUR_CALM", async (p) => {
    for (let i = 0; i < 2000; i++) await p.send(FrameType.PING, 0, 0, new Uint8Array(8));
  }],
  ["a flood of PRIORITY", "GOAWAY 0 ENHANCE_YOUR_CALM", async (p) => {
    for (let i = 0; i < 2000; i++) await p.send(FrameType.PRIORITY, 0, 1, new Uint8Array(5));
  }],
  ["a flood of empty DATA", "GOAWAY 1 ENHANCE_YOUR_CALM", async (p) => {
    await p.request(1, [":method", "POST", ":scheme", "http", ":path", "/read", ":authority", "a"], false);
    for (let i = 0; i < 1200; i++) await p.data(1, "");
  }],
];
for (const [name, ending, run] of fatal) {
  Deno.test(`the connection ends after ${name}`, () =>
    withServer((x) => x.head.path === "/read" ? pieces(x.body).then(() => {}) : hello(x), async (peer) => {
      // The server may close while the client still floods.
      const writing = run(peer).catch(() => {});
      const lines = await peer.rest();
      assertEquals(lines.filter((line) => !line.startsWith("PING ACK")).at(-1), ending);
      await writing;
    }, { capacity: 1 << 20 }));
}

Deno.test("a first frame that is not SETTINGS ends the connection, and so does text", async () => {
  for (const bytes of [frameBytes(FrameType.PING, 0, 0, new Uint8Array(8)), utf8("GET / HTTP/1.1\r\n\r\n")]) {
    const [client, server] = memoryConnPair();
    const served = serveHttp2(server, hello);
    if (bytes[0] !== 71) await client.write(PREFACE);
    await client.write(bytes);
    assertEquals((await new FramePeer(client).rest()).at(-1), "GOAWAY 0 PROTOCOL_ERROR");
    client.close();
    await served;
  }
});

Deno.test("the connection ends after HEADERS with a lower identifier or on a closed stream", async () => {
  for (const [id, ending] of [[3, "GOAWAY 5 PROTOCOL_ERROR"], [5, "GOAWAY 5 STREAM_CLOSED"]] as const) {
    await withServer(hello, async (peer) => {
      await peer.request(5);
      await peer.lines(2);
      await peer.request(id);
      assertEquals(await peer.rest(), [ending]);
    });
  }
});

Deno.test("rapid reset: after a thousand at once the connection is closed, and handlers were bounded", async () => {
  let running = 0, most = 0;
  const gate = Promise.withResolvers<void>();
  await withServer(async () => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
  }, async (peer) => {
    const writing = (async () => {
      for (let id = 1; id < 4000; id += 2) {
        await peer.request(id);
        await peer.rst(id, Code.CANCEL);
      }
    })().catch(() => {});
    const lines = await peer.rest();
    gate.resolve();
    await writing;
    assertStringIncludes(lines.at(-1)!, "ENHANCE_YOUR_CALM");
    assert(most <= 2 * MAX_CONCURRENT_STREAMS, `${most} handlers ran at a time`);
  }, { capacity: 1 << 20 });
});

Deno.test("streams over the limit are refused, and places are free again after", async () => {
  const gate = Promise.withResolvers<void>();
  await withServer(async (x) => {
    await gate.promise;
    await x.respond(responseHead(204), null);
  }, async (peer) => {
    let id = 1;
    for (let i = 0; i < MAX_CONCURRENT_STREAMS; i++, id += 2) await peer.request(id);
    await peer.request(id);
    assertEquals(await peer.line(), `RST_STREAM ${id} REFUSED_STREAM`);
    gate.resolve();
    await peer.lines(MAX_CONCURRENT_STREAMS);
    await peer.request(id + 2);
    assertEquals(await peer.line(), `HEADERS ${id + 2} :status=204 +END`);
  });
});

Deno.test("faults of one stream reset that stream only", () =>
  withServer(
    (x) => pieces(x.body).then(() => x.respond(responseHead(204), null)).catch(() => {}),
    async (peer) => {
      await peer.request(1, POST, false);
      await peer.windowUpdate(1, 0);
      assertEquals(await peer.line(), "RST_STREAM 1 PROTOCOL_ERROR");
      await peer.request(3, POST, false);
      await peer.windowUpdate(3, 0x7fffffff);
      assertEquals(await peer.line(), "RST_STREAM 3 FLOW_CONTROL_ERROR");
      await peer.request(5, GET);
      assertEquals(await peer.line(), "HEADERS 5 :status=204 +END");
      await peer.data(5, "late");
      assertEquals(await peer.line(), "RST_STREAM 5 STREAM_CLOSED");
      // Harmless on closed streams (§5.1).
      await peer.windowUpdate(5, 1);
      await peer.rst(5, 0);
      await peer.send(0x99, 0, 77, utf8("unknown frame"));
      await peer.send(FrameType.PING, 0, 0, utf8("12345678"));
      assertEquals(await peer.line(), "PING ACK 12345678");
    },
  ));

Deno.test("shutdown says GOAWAY, finishes what is open, refuses what is new, then closes", async () => {
  const gate = Promise.withResolvers<void>();
  await withServer(async (x) => {
    await gate.promise;
    await x.respond(responseHead(), TestBody.of(["done"]));
  }, async (peer, controller) => {
    await peer.request(1);
    await peer.send(FrameType.PING, 0, 0, utf8("12345678"));
    assertEquals(await peer.line(), "PING ACK 12345678");
    controller.abort();
    assertEquals(await peer.line(), "GOAWAY 1 NO_ERROR");
    await peer.request(3);
    assertEquals(await peer.line(), "RST_STREAM 3 REFUSED_STREAM");
    gate.resolve();
    assertEquals(await peer.rest(), ["HEADERS 1 :status=200", "DATA 1 done +END"]);
  });
});

Deno.test("an incomplete head is not waited for longer than the limit, a slow body is", async () => {
  await withServer(hello, async (peer) => {
    await peer.send(FrameType.HEADERS, Flag.END_STREAM, 1, peer.encoder.encode(GET));
    assertEquals(await peer.rest(), []);
  }, { headTimeoutMs: 20 });
  await withServer((x) => pieces(x.body).then(() => x.respond(responseHead(204), null)), async (peer) => {
    await peer.request(1, POST, false);
    await peer.conn.write(frameBytes(FrameType.DATA, 1, 1, utf8("slow")).subarray(0, 11));
    await new Promise((resolve) => setTimeout(resolve, 60));
    await peer.conn.write(frameBytes(FrameType.DATA, 1, 1, utf8("slow")).subarray(11));
    assertEquals(await peer.line(), "HEADERS 1 :status=204 +END");
  }, { headTimeoutMs: 20 });
});

Deno.test("garbage after the preface ends the connection and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 400 }), async (garbage) => {
      await withServer(
        (x) => pieces(x.body).then(() => x.respond(responseHead(), null)).catch(() => {}),
        async (peer) => {
          await peer.conn.write(garbage).catch(() => {});
          await peer.conn.closeWrite().catch(() => {});
          await peer.rest();
        },
      );
    }),
    { numRuns: 150 },
  );
});

Deno.test("a body that is cancelled after the whole response ends the stream with NO_ERROR at once", async () => {
  const cancel = Promise.withResolvers<void>(), end = Promise.withResolvers<void>();
  await withServer(async (x) => {
    await x.respond(responseHead(413), null);
    await cancel.promise;
    x.body!.cancel(new WeirError("server", "closed", "The origin wants no more."));
    await end.promise;
  }, async (peer) => {
    await peer.request(1, POST, false);
    assertEquals(await peer.line(), "HEADERS 1 :status=413 +END");
    cancel.resolve();
    assertEquals(await peer.line(), "RST_STREAM 1 NO_ERROR");
    end.resolve();
  });
});

Deno.test("a body that was cancelled before the response ended is dropped with it, not before", async () => {
  const end = Promise.withResolvers<void>();
  await withServer(async (x) => {
    x.body!.cancel(new WeirError("server", "closed", "The origin wants no more."));
    await x.respond(responseHead(), TestBody.of(["no"]));
    await end.promise;
  }, async (peer) => {
    await peer.request(1, POST, false);
    await peer.data(1, "ignored");
    assertEquals(await peer.lines(3), ["HEADERS 1 :status=200", "DATA 1 no +END", "RST_STREAM 1 NO_ERROR"]);
    end.resolve();
  });
});

Deno.test("padding is credited although nobody can take it", () =>
  withServer((x) => pieces(x.body).then(() => x.respond(responseHead(204), null)), async (peer) => {
    await peer.request(1, POST, false);
    const padded = new Uint8Array(256);
    padded[0] = 255;
    let credit = 0;
    const reading = (async () => {
      for (let line = ""; !line.startsWith("HEADERS"); line = await peer.line(true)) {
        if (line.startsWith("WINDOW_UPDATE 1 ")) credit += Number(line.split(" ")[2]);
      }
    })();
    const frames = STREAM_WINDOW.server / 2 / padded.length;
    for (let i = 0; i < frames; i++) await peer.send(FrameType.DATA, Flag.PADDED, 1, padded);
    await peer.data(1, "", true);
    await reading;
    assertEquals(credit, STREAM_WINDOW.server / 2);
  }));

Deno.test("the connection's credit comes back on receipt: 40 MiB go through while one stream stalls", async () => {
  const leave = Promise.withResolvers<void>();
  await withServer(async (x) => {
    if (x.head.path === "/stall") return await leave.promise;
    await pieces(x.body);
    await x.respond(responseHead(204), null);
  }, async (peer) => {
    const frame = new Uint8Array(16_384);
    await peer.request(
      1,
      [":method", "POST", ":scheme", "http", ":path", "/stall", ":authority", "a"],
      false,
    );
    for (let i = 0; i < 16; i++) await peer.data(1, frame);
    await peer.request(3, POST, false);
    // Counts as a client does.
    let connection = 65_535 - 16 * frame.length, stream: number = STREAM_WINDOW.server, wake = () => {};
    const reading = (async () => {
      for (;;) {
        const line = await peer.line(true);
        const [what, id, count] = line.split(" ");
        if (what === "HEADERS") return line;
        if (what === "WINDOW_UPDATE" && id === "0") connection += Number(count);
        if (what === "WINDOW_UPDATE" && id === "3") stream += Number(count);
        wake();
      }
    })();
    for (let sent = 0; sent < 40 * 1024 * 1024; sent += frame.length) {
      while (connection < frame.length || stream < frame.length) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      connection -= frame.length;
      stream -= frame.length;
      await peer.data(3, frame);
    }
    await peer.data(3, "", true);
    assertEquals(await reading, "HEADERS 3 :status=204 +END");
    leave.resolve();
  });
});

Deno.test("rapid reset of streams whose handlers end at once is counted too", () =>
  withServer((x) => new Promise((resolve) => x.onGone(() => resolve())), async (peer) => {
    const writing = (async () => {
      for (let id = 1; id < 4000; id += 2) {
        await peer.request(id);
        await peer.rst(id, Code.CANCEL);
      }
    })().catch(() => {});
    const lines = await peer.rest();
    await writing;
    assertEquals(lines.map((line) => line.split(" ").at(-1)), ["ENHANCE_YOUR_CALM"]);
  }));

Deno.test("DATA and HEADERS behind END_STREAM are refused while the response is still awaited", async () => {
  for (
    const send of [
      (peer: FramePeer) => peer.data(1, "x"),
      (peer: FramePeer) => peer.headers(1, ["x-a", "1"], 1),
    ]
  ) {
    await withServer((x) => new Promise((resolve) => x.onGone(() => resolve())), async (peer) => {
      await peer.request(1);
      await send(peer);
      assertEquals(await peer.line(), "RST_STREAM 1 STREAM_CLOSED");
    });
  }
});

Deno.test("a client that is slow but gets on keeps its connection", () =>
  withServer((x) => x.respond(responseHead(204), null), async (peer) => {
    const heads = Array.from(
      { length: 10 },
      (_, i) => frameBytes(FrameType.HEADERS, 5, 2 * i + 1, peer.encoder.encode(GET).slice()),
    );
    const bytes = Uint8Array.from(heads.flatMap((head) => [...head]));
    // Always in the middle of some head, never of one for longer than the limit.
    const step = heads.at(-1)!.length;
    for (let at = 0; at < bytes.length; at += step) {
      await peer.conn.write(bytes.subarray(at, at + step));
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assertEquals((await peer.lines(10)).at(-1), "HEADERS 19 :status=204 +END");
  }, { headTimeoutMs: 100 }));
