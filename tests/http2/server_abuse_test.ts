import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { Code } from "../../src/http2/errors.ts";
import { PREFACE } from "../../src/http2/frames.ts";
import { serveHttp2 } from "../../src/http2/server.ts";
import { MAX_CONCURRENT_STREAMS } from "../../src/http2/settings.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { memoryConnPair } from "../support/memory_conn.ts";
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
import { hello, withServer } from "./serve_support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

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
    assertEquals(await peer.line(), "HEADERS 3 :status=431 +END");
    assertEquals(await peer.afterPing(), "RST_STREAM 3 NO_ERROR");
    await peer.request(5, [...GET, "x-0", "1"]);
    assertEquals(await peer.line(), "HEADERS 5 :status=200");
  }));

Deno.test("the crumbs of a cookie are one field, however many there are", () =>
  withServer(async (x) => {
    await x.respond(responseHead(200, [["x-cookie", `${x.head.headers.get("cookie")?.length}`]]), null);
  }, async (peer) => {
    const crumbs = Array.from({ length: 400 }, (_, i) => ["cookie", `a${i}=1`]).flat();
    await peer.request(1, [...GET, ...crumbs]);
    const length = crumbs.filter((_, i) => i % 2 === 1).join("; ").length;
    assertEquals(await peer.line(), `HEADERS 1 :status=200 x-cookie=${length} +END`);
    await peer.request(3, [
      ...GET,
      ...crumbs,
      ...Array.from({ length: 200 }, (_, i) => [`x-${i}`, "1"]).flat(),
    ]);
    assertEquals(await peer.line(), "HEADERS 3 :status=431 +END");
  }));

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

Deno.test("an incomplete head is not waited for longer than the limit, a slow body is", async () => {
  using clock = new FakeClock();
  await withServer(hello, async (peer) => {
    await peer.send(FrameType.HEADERS, Flag.END_STREAM, 1, peer.encoder.encode(GET));
    let isOver = false;
    const rest = peer.rest().finally(() => isOver = true);
    await clock.pass(19);
    assert(!isOver);
    await clock.pass(1);
    assertEquals(await rest, []);
  }, { headTimeoutMs: 20 });
  await withServer((x) => pieces(x.body).then(() => x.respond(responseHead(204), null)), async (peer) => {
    await peer.request(1, POST, false);
    await peer.conn.write(frameBytes(FrameType.DATA, 1, 1, utf8("slow")).subarray(0, 11));
    await clock.pass(60);
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

Deno.test("a client that is slow but gets on keeps its connection", async () => {
  using clock = new FakeClock();
  await withServer((x) => x.respond(responseHead(204), null), async (peer) => {
    const heads = Array.from(
      { length: 10 },
      (_, i) => frameBytes(FrameType.HEADERS, 5, 2 * i + 1, peer.encoder.encode(GET).slice()),
    );
    // Always in the middle of some head, never of one for longer than the limit.
    const begun = 10;
    await peer.conn.write(heads[0].subarray(0, begun));
    for (let i = 0; i < heads.length; i++) {
      await clock.pass(25);
      await peer.conn.write(heads[i].subarray(begun));
      if (i + 1 < heads.length) await peer.conn.write(heads[i + 1].subarray(0, begun));
    }
    assertEquals((await peer.lines(10)).at(-1), "HEADERS 19 :status=204 +END");
  }, { headTimeoutMs: 100 });
});

Deno.test("a connection without streams is closed after the idle limit, one with a stream is not", async () => {
  using clock = new FakeClock();
  await withServer(
    async (x) => {
      await clock.pass(150);
      await x.respond(responseHead(), TestBody.of(["late"]));
    },
    async (peer) => {
      await peer.request(1);
      assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 late +END"]);
      await clock.pass(50);
      assertEquals(await peer.rest(), ["GOAWAY 1 NO_ERROR"]);
    },
    { idleTimeoutMs: 50 },
  );
});
