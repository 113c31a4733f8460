import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { Code } from "../../src/http2/errors.ts";
import { PREFACE } from "../../src/http2/frames.ts";
import { serveHttp2 } from "../../src/http2/server.ts";
import { memoryConnPair, splitBy } from "../support/memory_conn.ts";
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
  utf8,
} from "./support.ts";
import { hello, withServer } from "./serve_support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

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
    assertEquals(await peer.line(), "HEADERS 1 :status=413 +END");
    assertEquals(await peer.afterPing(), "RST_STREAM 1 NO_ERROR");
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

Deno.test("an early response is reset behind: not for a client that ends by itself, in time for one that answers no PING", () =>
  withServer(async (x) => {
    await x.respond(responseHead(413), TestBody.of(["no"]));
  }, async (peer) => {
    await peer.request(1, POST, false);
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=413", "DATA 1 no +END"]);
    const ping = await peer.readOn();
    assertEquals([ping.type, ping.flags], [FrameType.PING, 0]);
    // Nothing comes before the answer: the client may still be reading.
    await peer.data(1, "rest", true);
    await peer.send(FrameType.PING, Flag.ACK, 0, ping.payload);
    await peer.request(3, POST, false);
    assertEquals(await peer.lines(2), ["HEADERS 3 :status=413", "DATA 3 no +END"]);
    assertEquals((await peer.readOn()).type, FrameType.PING);
    assertEquals(await peer.line(), "RST_STREAM 3 NO_ERROR");
  }));

Deno.test("a client that resets its upload behind an early response is left alone", () =>
  withServer(async (x) => {
    await x.respond(responseHead(413), null);
  }, async (peer) => {
    await peer.request(1, POST, false);
    assertEquals(await peer.line(), "HEADERS 1 :status=413 +END");
    const { payload } = await peer.readOn();
    await peer.rst(1, Code.CANCEL);
    await peer.send(FrameType.PING, Flag.ACK, 0, payload);
    await peer.send(FrameType.PING, 0, 0, utf8("12345678"));
    assertEquals(await peer.line(), "PING ACK 12345678");
  }));

Deno.test("a client that ends its upload too soon once it has seen the response's head still gets the response", async () => {
  const body = new TestBody(), upload = Promise.withResolvers<WeirError>();
  await withServer(async (x) => {
    const read = pieces(x.body).then(() => upload.reject("it ended"), upload.resolve);
    await x.respond(responseHead(413), body);
    await read;
  }, async (peer) => {
    await peer.request(1, [...POST, "content-length", "8"], false);
    await peer.data(1, "1234");
    assertEquals(await peer.line(), "HEADERS 1 :status=413");
    // As curl does: END_STREAM, with four bytes of the content-length still to come.
    await peer.data(1, "", true);
    const { side, code, message } = await upload.promise;
    assertEquals([side, code], ["client", "closed"]);
    assertEquals(message, "The body has 4 bytes, its content-length says 8.");
    body.push("too large");
    body.end();
    assertEquals(await peer.line(), "DATA 1 too large +END");
    // Nothing comes behind it.
    await peer.send(FrameType.PING, 0, 0, utf8("12345678"));
    assertEquals(await peer.line(), "PING ACK 12345678");
  });
});

Deno.test("a client that ends its upload too soon before there is a response made a protocol error", () =>
  withServer(async (x) => {
    await assertRejects(() => pieces(x.body), WeirError);
  }, async (peer) => {
    await peer.request(1, [...POST, "content-length", "8"], false);
    await peer.data(1, "1234", true);
    assertEquals(await peer.line(), "RST_STREAM 1 PROTOCOL_ERROR");
  }));

Deno.test("trailers of which nothing may be sent: END_STREAM is on the last DATA, or on the head, not on empty HEADERS", () =>
  withServer(
    (x) =>
      x.respond(
        responseHead(),
        TestBody.of(x.head.path === "/empty" ? [] : ["a"], ["Host", "h", "Connection", "x"]),
      ),
    async (peer) => {
      await peer.request(1);
      assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 a +END"]);
      await peer.request(3, [":method", "GET", ":scheme", "http", ":path", "/empty", ":authority", "a"]);
      assertEquals(await peer.line(), "HEADERS 3 :status=200 +END");
    },
  ));

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

Deno.test("a body that is cancelled after the whole response ends the stream with NO_ERROR", async () => {
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
    assertEquals(await peer.afterPing(), "RST_STREAM 1 NO_ERROR");
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
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 no +END"]);
    assertEquals(await peer.afterPing(), "RST_STREAM 1 NO_ERROR");
    end.resolve();
  });
});
