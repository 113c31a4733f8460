import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { UpstreamResponse } from "../../src/flow/wire.ts";
import { Http2Connection } from "../../src/http2/client.ts";
import { Code, isUnprocessed } from "../../src/http2/errors.ts";
import type { KeepAliveOptions } from "../../src/http2/keep_alive.ts";
import { PREFACE } from "../../src/http2/frames.ts";
import { settingsPayload, STREAM_WINDOW } from "../../src/http2/settings.ts";
import { type MemoryConnOptions, memoryConnPair, splitBy } from "../support/memory_conn.ts";
import { Flag, FramePeer, FrameType, pieces, requestHead, TestBody, uint32, utf8 } from "./support.ts";

/** A connection of weir's to a server that the test plays; the preface is read and answered. */
async function withClient(
  test: (connection: Http2Connection, server: FramePeer) => Promise<void>,
  options: MemoryConnOptions & KeepAliveOptions & { settings?: [number, number][] } = {},
): Promise<void> {
  const [near, far] = memoryConnPair(options);
  const connection = new Http2Connection(near, options);
  const server = new FramePeer(far);
  assertEquals(await far.readExactly(PREFACE.length), PREFACE);
  await server.start("server", options.settings);
  try {
    await test(connection, server);
  } finally {
    connection.close();
    await connection.done;
    assert(near.closed);
    far.close();
  }
}

const ignore = () => {};
const OK = [":status", "200"];

function get(connection: Http2Connection): Promise<UpstreamResponse> {
  return connection.exchange().send(requestHead(), null, ignore);
}

/** Waits until the connection has read all that the server has sent. */
async function settled(server: FramePeer): Promise<void> {
  await server.send(FrameType.PING, 0, 0, utf8("settled!"));
  for (let line = ""; line !== "PING ACK settled!"; line = await server.line());
}

Deno.test("a request goes out as one head, and the response comes back", () =>
  withClient(async (connection, server) => {
    // deno-fmt-ignore
    const head = requestHead("GET", [["Host", "h.test"], ["X-A", "1"], ["Connection", "x-hop, te"], ["X-Hop", "1"], ["Keep-Alive", "5"], ["TE", "trailers, gzip"], ["Cookie", "a=1; b=2"]]);
    const exchange = connection.exchange();
    assertEquals(exchange.reused, false);
    const answer = exchange.send(head, null, ignore);
    assertEquals(
      await server.line(),
      "HEADERS 1 :method=GET :scheme=http :authority=h.test :path=/ x-a=1 te=trailers cookie=a=1; b=2 +END",
    );
    await exchange.sent;
    await server.headers(1, [...OK, "x-b", "2", "content-length", "3"], 0);
    const { head: response, body, upgraded } = await answer;
    assertEquals([response.statusCode, response.httpVersion, response.reason], [200, "HTTP/2.0", ""]);
    assertEquals(response.headers.raw, ["x-b", "2", "content-length", "3"]);
    assertEquals([body!.size, body!.chunked, upgraded], [3, true, null]);
    await server.data(1, "abc", true);
    assertEquals(await pieces(body), ["abc"]);
    assertEquals(connection.exchange().reused, true);
  }));

Deno.test("the transcript of a response is the same byte by byte", () =>
  withClient(async (connection, server) => {
    const seen: number[] = [];
    const answer = connection.exchange().send(requestHead(), null, (head) => void seen.push(head.statusCode));
    await server.line();
    await server.headers(1, [":status", "103", "link", "</a>"], 0);
    await server.headers(1, OK, 0);
    await server.data(1, "one");
    await server.data(1, "two");
    await server.headers(1, ["grpc-status", "0"], Flag.END_STREAM);
    const { body } = await answer;
    assertEquals(await pieces(body), ["one", "two"]);
    assertEquals(body!.trailers, ["grpc-status", "0"]);
    assertEquals(seen, [103]);
  }, { split: splitBy([1]) }));

Deno.test("the final head waits for interim ones that are being passed on", () =>
  withClient(async (connection, server) => {
    const gate = Promise.withResolvers<void>(), order: string[] = [];
    const answer = connection.exchange().send(requestHead(), null, async (head) => {
      await gate.promise;
      order.push(String(head.statusCode));
    });
    void answer.then(() => order.push("final"));
    await server.line();
    for (const status of ["100", "103", "200"]) await server.headers(1, [":status", status], 0);
    await settled(server);
    assertEquals(order, []);
    gate.resolve();
    await answer;
    assertEquals(order, ["100", "103", "final"]);
  }));

Deno.test("a request body goes out piece by piece, and trailers at its end", () =>
  withClient(async (connection, server) => {
    const body = new TestBody();
    const exchange = connection.exchange();
    const answer = exchange.send(requestHead("POST"), body, ignore);
    assertEquals(await server.line(), "HEADERS 1 :method=POST :scheme=http :authority=a.test :path=/");
    await server.headers(1, OK, 0);
    const response = await answer;
    for (const word of ["one", "two"]) {
      body.push(word);
      assertEquals(await server.line(), `DATA 1 ${word}`);
      await server.data(1, word);
      await response.body!.fill();
      assertEquals(response.body!.take(), utf8(word));
    }
    body.end(["X-Sum", "9", "content-length", "3"]);
    assertEquals(await server.line(), "HEADERS 1 x-sum=9 +END");
    await exchange.sent;
  }));

Deno.test("a body whose length is known says so in its place, one that is empty ends on the head", () =>
  withClient(async (connection, server) => {
    const body = TestBody.of(["abc"]);
    body.size = 3;
    void connection.exchange().send(
      requestHead("POST", [["content-length", "99"], ["x-a", "1"]]),
      body,
      ignore,
    ).catch(ignore);
    assertEquals(await server.lines(2), [
      "HEADERS 1 :method=POST :scheme=http :authority=a.test :path=/ content-length=3 x-a=1",
      "DATA 1 abc +END",
    ]);
    void connection.exchange().send(requestHead("POST", [["content-length", "0"]]), null, ignore).catch(
      ignore,
    );
    assertEquals(
      await server.line(),
      "HEADERS 3 :method=POST :scheme=http :authority=a.test :path=/ content-length=0 +END",
    );
    void connection.exchange().send(requestHead("POST"), TestBody.of([]), ignore).catch(ignore);
    assertEquals(await server.line(), "HEADERS 5 :method=POST :scheme=http :authority=a.test :path=/ +END");
  }));

Deno.test("responses without a body have none: HEAD, 204, 304, content-length 0, END_STREAM", () =>
  withClient(async (connection, server) => {
    const cases: [method: string, fields: string[], flags: number][] = [
      ["HEAD", [...OK, "content-length", "500"], Flag.END_STREAM],
      ["GET", [":status", "204"], 0],
      ["GET", [":status", "304", "content-length", "500"], Flag.END_STREAM],
      ["GET", [...OK, "content-length", "0"], 0],
      ["GET", OK, Flag.END_STREAM],
    ];
    let id = 1;
    for (const [method, fields, flags] of cases) {
      const answer = connection.exchange().send(requestHead(method), null, ignore);
      await server.line();
      await server.headers(id, fields, flags);
      assertEquals((await answer).body, null);
      if (flags === 0) await server.data(id, "", true);
      id += 2;
    }
    await settled(server);
    assertEquals(connection.active, 0);
  }));

Deno.test("malformed responses are protocol errors of the server", () =>
  withClient(async (connection, server) => {
    const cases: [name: string, fields: string[], flags: number][] = [
      ["no :status", ["x-a", "1"], 0],
      ["a :status that is none", [":status", "abc"], 0],
      [":status twice", [...OK, ...OK], 0],
      ["a late :status", ["x-a", "1", ...OK], 0],
      ["a request's pseudo-header field", [...OK, ":path", "/"], 0],
      ["101", [":status", "101"], 0],
      ["an interim response that ends", [":status", "100"], Flag.END_STREAM],
      ["an upper-case name", [...OK, "X-A", "1"], 0],
      ["CR LF in a value", [...OK, "x-a", "1\r\nb: 2"], 0],
      ["connection", [...OK, "connection", "close"], 0],
      ["transfer-encoding", [...OK, "transfer-encoding", "chunked"], 0],
      ["a content-length without a body", [...OK, "content-length", "5"], Flag.END_STREAM],
      ["more than 200 fields", [...OK, ...Array.from({ length: 201 }, (_, i) => [`x-${i}`, "1"]).flat()], 0],
    ];
    let id = 1;
    for (const [name, fields, flags] of cases) {
      const answer = get(connection);
      await server.line();
      await server.headers(id, fields, flags);
      const error = await assertRejects(() => answer, WeirError, undefined, name);
      assertEquals([error.side, error.code, error.statusCode], ["server", "protocol", 502], name);
      assertEquals(await server.line(), `RST_STREAM ${id} PROTOCOL_ERROR`, name);
      id += 2;
    }
    assert(connection.usable);
  }));

Deno.test("a response that differs from its content-length is cut, not ended", () =>
  withClient(async (connection, server) => {
    let id = 1;
    for (const payload of ["toolong", "abc"]) {
      const answer = get(connection);
      await server.line();
      await server.headers(id, [...OK, "content-length", "5"], 0);
      const { body } = await answer;
      await server.data(id, payload, true);
      assertEquals(await server.line(), `RST_STREAM ${id} PROTOCOL_ERROR`);
      await assertRejects(() => pieces(body), WeirError, "content-length");
      id += 2;
    }
  }));

Deno.test("a reset cuts the body after what had come, and its code is known", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, 0);
    await server.data(1, "half");
    await server.rst(1, Code.INTERNAL_ERROR);
    const { body } = await answer;
    await settled(server);
    assertEquals(new TextDecoder().decode(body!.take()!), "half");
    const error = assertThrows(() => body!.take(), WeirError, "INTERNAL_ERROR");
    assertEquals([error.side, error.code, isUnprocessed(error)], ["server", "closed", false]);
  }));

Deno.test("REFUSED_STREAM, and streams beyond GOAWAY, may be sent again; others may not", () =>
  withClient(async (connection, server) => {
    let unusable = 0;
    connection.onUnusable(() => unusable++);
    const answers = [get(connection), get(connection), get(connection), get(connection)];
    await server.lines(4);
    await server.rst(1, Code.REFUSED_STREAM);
    assert(isUnprocessed(await assertRejects(() => answers[0], WeirError, "REFUSED_STREAM")));
    assertEquals([connection.usable, unusable], [true, 0]);
    await server.rst(5, Code.CANCEL);
    assert(!isUnprocessed(await assertRejects(() => answers[2], WeirError, "CANCEL")));
    const last = new Uint8Array(8);
    last.set(uint32(3));
    await server.send(FrameType.GOAWAY, 0, 0, last);
    assert(isUnprocessed(await assertRejects(() => answers[3], WeirError, "GOAWAY")));
    assertEquals([connection.usable, connection.capacity, unusable], [false, 0, 1]);
    assertThrows(() => connection.exchange(), WeirError);
    // The one that the server has seen is finished, then the connection closes by itself.
    await server.headers(3, OK, Flag.END_STREAM);
    assertEquals((await answers[1]).head.statusCode, 200);
    await connection.done;
    assertEquals(unusable, 1);
  }));

Deno.test("an exchange that was handed out before GOAWAY fails as unprocessed, its body untouched", () =>
  withClient(async (connection, server) => {
    const exchange = connection.exchange();
    await server.send(FrameType.GOAWAY, 0, 0, new Uint8Array(8));
    await connection.done;
    const body = TestBody.of(["abc"]);
    const error = await assertRejects(() => exchange.send(requestHead("POST"), body, ignore), WeirError);
    assert(isUnprocessed(error));
    assertEquals([body.taken, body.cancelled], [0, error]);
    await assertRejects(() => exchange.sent, WeirError);
  }));

Deno.test("a lost connection fails what is open: head, body and sender", async () => {
  const request = new TestBody();
  await withClient(async (connection, server) => {
    const waiting = get(connection);
    const exchange = connection.exchange();
    const streaming = exchange.send(requestHead("POST"), request, ignore);
    await server.lines(2);
    await server.headers(3, OK, 0);
    const { body } = await streaming;
    server.conn.reset();
    const error = await assertRejects(() => waiting, WeirError);
    assertEquals([error.side, error.code, isUnprocessed(error)], ["server", "closed", false]);
    await assertRejects(() => pieces(body), WeirError);
    await assertRejects(() => exchange.sent, WeirError);
    assert(request.cancelled !== null);
    assertEquals([connection.usable, connection.active], [false, 0]);
  });
});

Deno.test("a request body that breaks resets the stream and says who broke it", () =>
  withClient(async (connection, server) => {
    const body = new TestBody();
    const exchange = connection.exchange();
    const answer = exchange.send(requestHead("POST"), body, ignore);
    await server.line();
    const gone = new WeirError("client", "closed", "The client has gone.");
    body.fail(gone);
    assertEquals(await server.line(), "RST_STREAM 1 CANCEL");
    assertEquals(await assertRejects(() => answer), gone);
    assertEquals(await assertRejects(() => exchange.sent), gone);
    assertEquals(connection.active, 0);
  }));

Deno.test("abort resets the stream at any point, and frees the place of an exchange that sent nothing", () =>
  withClient(async (connection, server) => {
    const killed = new WeirError("weir", "killed", "Killed.");
    const exchange = connection.exchange();
    const answer = exchange.send(requestHead(), null, ignore);
    await server.line();
    exchange.abort(killed);
    exchange.abort(killed);
    assertEquals(await server.line(), "RST_STREAM 1 CANCEL");
    assertEquals(await assertRejects(() => answer), killed);
    const later = connection.exchange();
    const streaming = later.send(requestHead(), null, ignore);
    await server.line();
    await server.headers(3, OK, 0);
    const { body } = await streaming;
    later.abort(killed);
    assertThrows(() => body!.take(), WeirError, "Killed");
    assertEquals(await server.line(), "RST_STREAM 3 CANCEL");
    const unsent = connection.exchange();
    assertEquals(connection.active, 1);
    unsent.abort(killed);
    assertEquals(connection.active, 0);
    await assertRejects(() => unsent.send(requestHead(), null, ignore), WeirError, "Killed");
  }));

Deno.test("a response body that is cancelled tells the server at once", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, 0);
    (await answer).body!.cancel(new WeirError("client", "closed", "The client has gone."));
    assertEquals(await server.line(), "RST_STREAM 1 CANCEL");
  }));

Deno.test("an early response with NO_ERROR stays whole, only the rest of the request is dropped", () =>
  withClient(async (connection, server) => {
    const body = new TestBody();
    const exchange = connection.exchange();
    const answer = exchange.send(requestHead("POST"), body, ignore);
    await server.line();
    await server.headers(1, [":status", "413"], 0);
    await server.data(1, "too large", true);
    await server.rst(1, Code.NO_ERROR);
    const response = await answer;
    assertEquals(await pieces(response.body), ["too large"]);
    await assertRejects(() => exchange.sent, WeirError, "NO_ERROR");
    assert(body.cancelled !== null);
  }));

Deno.test("capacity follows the server's limit and is announced when it changes", () =>
  withClient(async (connection, server) => {
    await settled(server);
    assertEquals(connection.capacity, 2);
    const answers = [get(connection), get(connection)];
    assertEquals([connection.capacity, connection.active], [0, 2]);
    assertThrows(() => connection.exchange(), WeirError);
    await server.lines(2);
    const changed = Promise.withResolvers<void>();
    connection.onChange(changed.resolve);
    await server.headers(1, OK, Flag.END_STREAM);
    await answers[0];
    await changed.promise;
    assertEquals(connection.capacity, 1);
    await server.headers(3, OK, Flag.END_STREAM);
    await answers[1];
  }, { settings: [[3, 2]] }));

Deno.test("streams open in the order of their identifiers, also when heads had to wait for room", () =>
  withClient(async (connection, server) => {
    // Heads of 8 KiB fill the output and the memory connection, so later ones wait their turn.
    const answers = Array.from(
      { length: 60 },
      () =>
        connection.exchange().send(requestHead("GET", [["x-big", "v".repeat(8000)]]), null, ignore).catch(
          ignore,
        ),
    );
    for (let id = 1; id < 120; id += 2) {
      const frame = await server.read();
      if (frame.type !== FrameType.HEADERS) {
        id -= 2;
        continue;
      }
      assertEquals(frame.streamId, id);
    }
    void answers;
  }, { capacity: 1000 }));

Deno.test("heads that still wait for room when GOAWAY comes fail as unprocessed", () =>
  withClient(async (connection, server) => {
    const answers = Array.from(
      { length: 60 },
      () => connection.exchange().send(requestHead("GET", [["x-big", "v".repeat(8000)]]), null, ignore),
    );
    await server.send(FrameType.GOAWAY, 0, 0, new Uint8Array(8));
    for (const answer of answers) assert(isUnprocessed(await assertRejects(() => answer, WeirError)));
    assertEquals(connection.active, 0);
  }, { capacity: 1000 }));

Deno.test("a consumer that takes nothing stops the server at the stream's window", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, 0);
    const { body } = await answer;
    const frame = new Uint8Array(16_384);
    for (let sent = 0; sent < STREAM_WINDOW.client; sent += frame.length) await server.data(1, frame);
    await settled(server);
    let taken = 0;
    while (taken < STREAM_WINDOW.client / 2) taken += body!.take()!.length;
    assertEquals(await server.line(true), `WINDOW_UPDATE 1 ${STREAM_WINDOW.client / 2}`);
  }));

Deno.test("CONNECT gives a tunnel", () =>
  withClient(async (connection, server) => {
    const head = { ...requestHead("CONNECT"), form: "authority" as const, port: 443, path: "", scheme: "" };
    const answer = connection.exchange().send(head, null, ignore);
    assertEquals(await server.line(), "HEADERS 1 :method=CONNECT :authority=a.test:443");
    await server.headers(1, OK, 0);
    const conn = (await answer).upgraded!;
    await conn.write(utf8("ping"));
    assertEquals(await server.line(), "DATA 1 ping");
    await server.data(1, "pong", true);
    const into = new Uint8Array(10);
    assertEquals(await conn.read(into), 4);
    assertEquals(await conn.read(into), null);
    conn.close();
    assertEquals(await server.line(), "DATA 1  +END");
  }));

Deno.test("PUSH_PROMISE, and frames on streams that weir has not opened, end the connection", async () => {
  for (
    const send of [
      (server: FramePeer) => server.send(FrameType.PUSH_PROMISE, 4, 1, uint32(2)),
      (server: FramePeer) => server.headers(2, OK, 0),
      (server: FramePeer) => server.data(3, "x"),
    ]
  ) {
    await withClient(async (connection, server) => {
      const answer = get(connection);
      await server.line();
      await send(server);
      const error = await assertRejects(() => answer, WeirError, "PROTOCOL_ERROR");
      assertEquals([error.side, error.code], ["server", "protocol"]);
      assertEquals(await server.line(), "GOAWAY 0 PROTOCOL_ERROR");
      await connection.done;
    });
  }
});

Deno.test("a silent server is asked by PING while streams are open, and given up without an answer", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    assertEquals((await server.line()).slice(0, 4), "PING");
    await server.send(FrameType.PING, Flag.ACK, 0, new Uint8Array(8));
    assertEquals((await server.line()).slice(0, 4), "PING");
    const error = await assertRejects(() => answer, WeirError, "PING");
    assertEquals([error.side, error.code], ["server", "timeout"]);
    await connection.done;
  }, { pingAfterMs: 20, pingTimeoutMs: 60 }));

Deno.test("an idle connection without streams is not asked", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, Flag.END_STREAM);
    await answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
    connection.drain();
    assertEquals(await server.rest(), ["GOAWAY 0 NO_ERROR"]);
  }, { pingAfterMs: 10, pingTimeoutMs: 10 }));

Deno.test("a window that SETTINGS made smaller while a head waited holds for its body", () =>
  withClient(async (connection, server) => {
    const fill = Array.from(
      { length: 40 },
      () =>
        connection.exchange().send(requestHead("GET", [["x-big", "v".repeat(8000)]]), null, ignore).catch(
          ignore,
        ),
    );
    const body = TestBody.of([new Uint8Array(500)]);
    void connection.exchange().send(requestHead("POST"), body, ignore).catch(ignore);
    await server.send(FrameType.SETTINGS, 0, 0, settingsPayload([[4, 100]]));
    let line = "";
    while (!line.startsWith("DATA")) line = await server.line();
    assertEquals(line, "DATA 81 100 bytes");
    void fill;
  }, { capacity: 1000 }));

Deno.test("a server that sends interim responses without end is stopped", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    for (let i = 0; i < 101; i++) await server.headers(1, [":status", "103"], 0);
    await assertRejects(() => answer, WeirError, "interim");
    assertEquals(await server.line(), "RST_STREAM 1 PROTOCOL_ERROR");
  }));
