import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Code, ResetError } from "../../src/http2/errors.ts";
import { Flag, FramePeer, FrameType, pieces, requestHead, TestBody, uint32 } from "./support.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { get, ignore, OK, settled, withClient } from "./connect_support.ts";

function isUnprocessed(error: unknown): boolean {
  return error instanceof ResetError && error.unprocessed;
}

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
      ["a control character in a value", [...OK, "x-a", "1\x01"], 0],
      ["DEL in a value", [...OK, "x-a", "\x7f"], 0],
      ["a form feed around a value", [...OK, "x-a", "\f1"], 0],
      ["a control character in an interim response", [":status", "103", "x-a", "\x07"], 0],
      ["a NBSP in a content-length", [...OK, "content-length", "\xa01"], 0],
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
    assert(connection.capacity > 0);
  }));

Deno.test("blanks around a server's values are removed with a warning, in heads and trailers", () =>
  withClient(async (connection, server) => {
    const warnings: string[] = [], hints: unknown[] = [];
    const answer = connection.exchange().send(
      requestHead(),
      null,
      (head) => void hints.push(head.headers.raw),
      (text) => warnings.push(text),
    );
    await server.line();
    await server.headers(1, [":status", "103", "link", " a\t"], 0);
    await server.headers(1, [...OK, "csp", "none ", "x-empty", " \t", "x-a", "1"], 0);
    const { head, body } = await answer;
    assertEquals([hints, head.headers.raw], [[["link", "a"]], ["csp", "none", "x-empty", "", "x-a", "1"]]);
    await server.headers(1, ["x-sum", "\t9"], Flag.END_STREAM);
    assertEquals(await pieces(body), []);
    assertEquals(body!.trailers, ["x-sum", "9"]);
    assertEquals(warnings.map((text) => /value of "([^"]+)"/.exec(text)?.[1]), ["link", "csp", "x-sum"]);
  }));

Deno.test("HTTP_1_1_REQUIRED, by RST_STREAM or GOAWAY, asks for the request over HTTP/1.1", async () => {
  const asked: [what: string, say: (server: FramePeer) => Promise<void>][] = [
    ["RST_STREAM", (server) => server.rst(1, Code.HTTP_1_1_REQUIRED)],
    ["GOAWAY before the stream", (server) => server.send(FrameType.GOAWAY, 0, 0, goaway(0))],
    ["GOAWAY with the stream", (server) => server.send(FrameType.GOAWAY, 0, 0, goaway(1))],
    ["GOAWAY without a last stream", (server) => server.send(FrameType.GOAWAY, 0, 0, goaway(0x7fffffff))],
  ];
  for (const [what, say] of asked) {
    await withClient(async (connection, server) => {
      const exchange = connection.exchange();
      const answer = exchange.send(requestHead("POST"), TestBody.of(["up"]), ignore);
      await server.line();
      assertEquals(connection.requiresHttp1, false);
      await say(server);
      const error = await assertRejects(() => answer, ResetError, undefined, what);
      assertEquals([exchange.repeatable(error), connection.requiresHttp1], ["over HTTP/1.1", true], what);
    });
  }
});

function goaway(last: number): Uint8Array {
  const payload = new Uint8Array(8);
  payload.set(uint32(last), 0);
  payload.set(uint32(Code.HTTP_1_1_REQUIRED), 4);
  return payload;
}

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
    const answers = [get(connection), get(connection), get(connection), get(connection)];
    await server.lines(4);
    await server.rst(1, Code.REFUSED_STREAM);
    assert(isUnprocessed(await assertRejects(() => answers[0], WeirError, "REFUSED_STREAM")));
    assertEquals(connection.capacity > 0, true);
    await server.rst(5, Code.CANCEL);
    assert(!isUnprocessed(await assertRejects(() => answers[2], WeirError, "CANCEL")));
    const last = new Uint8Array(8);
    last.set(uint32(3));
    await server.send(FrameType.GOAWAY, 0, 0, last);
    assert(isUnprocessed(await assertRejects(() => answers[3], WeirError, "GOAWAY")));
    assertEquals(connection.capacity, 0);
    assertThrows(() => connection.exchange(), WeirError);
    // The one that the server has seen is finished, then the connection closes by itself.
    await server.headers(3, OK, Flag.END_STREAM);
    assertEquals((await answers[1]).head.statusCode, 200);
    await connection.done;
  }));

Deno.test("what may be sent again: all after a refusal, idempotent requests when a used connection is lost, none otherwise", () =>
  withClient(async (connection, server) => {
    const first = connection.exchange();
    const refused = first.send(requestHead(), null, ignore);
    const second = connection.exchange();
    const cancelled = second.send(requestHead(), null, ignore);
    await server.lines(2);
    await server.rst(1, Code.REFUSED_STREAM);
    assertEquals(first.repeatable(await assertRejects(() => refused)), "any");
    await server.rst(3, Code.CANCEL);
    assertEquals(second.repeatable(await assertRejects(() => cancelled)), "none");
    const third = connection.exchange();
    const lost = third.send(requestHead(), null, ignore);
    await server.line();
    server.conn.reset();
    const error = await assertRejects(() => lost);
    assertEquals([first.repeatable(error), third.repeatable(error)], ["none", "idempotent"]);
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
    assertEquals([connection.capacity, connection.active], [0, 0]);
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

Deno.test("heads that still wait for room when GOAWAY comes fail as unprocessed", () =>
  withClient(async (connection, server) => {
    const answers = Array.from(
      { length: 60 },
      () => connection.exchange().send(requestHead("GET", [["x-big", "v".repeat(8000)]]), null, ignore),
    );
    await server.send(FrameType.GOAWAY, 0, 0, new Uint8Array(8));
    for (const answer of answers) assert(isUnprocessed(await assertRejects(() => answer, WeirError)));
    assertEquals(connection.active, 0);
    // Nobody reads: nothing more can be said before it closes.
    server.conn.reset();
  }, { capacity: 1000 }));

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

Deno.test("a silent server is asked by PING while streams are open, and given up without an answer", async () => {
  using clock = new FakeClock();
  await withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await clock.pass(20);
    assertEquals((await server.line()).slice(0, 4), "PING");
    await server.send(FrameType.PING, Flag.ACK, 0, new Uint8Array(8));
    await clock.pass(80);
    assertEquals((await server.line()).slice(0, 4), "PING");
    await clock.pass(60);
    const error = await assertRejects(() => answer, WeirError, "PING");
    assertEquals([error.side, error.code], ["server", "timeout"]);
    await connection.done;
  }, { pingAfterMs: 20, pingTimeoutMs: 60 });
});

Deno.test("an idle connection without streams is not asked", async () => {
  using clock = new FakeClock();
  await withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, Flag.END_STREAM);
    await answer;
    await clock.pass(60_000);
    connection.close();
    assertEquals(await server.rest(), ["GOAWAY 0 NO_ERROR"]);
  }, { pingAfterMs: 10, pingTimeoutMs: 10 });
});

Deno.test("a server that sends interim responses without end is stopped", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    for (let i = 0; i < 101; i++) await server.headers(1, [":status", "103"], 0);
    await assertRejects(() => answer, WeirError, "interim");
    assertEquals(await server.line(), "RST_STREAM 1 PROTOCOL_ERROR");
  }));
