import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Headers } from "../../src/http/headers.ts";
import type { RequestHead } from "../../src/http/wire.ts";
import { Code } from "../../src/http2/errors.ts";
import { MAX_STREAM_WINDOW, settingsPayload, STREAM_WINDOW } from "../../src/http2/settings.ts";
import { splitBy } from "../support/memory_conn.ts";
import { Flag, FrameType, pieces, requestHead, TestBody, utf8 } from "./support.ts";
import { get, ignore, OK, settled, withClient } from "./connect_support.ts";

Deno.test("a request goes out as one head, and the response comes back", () =>
  withClient(async (connection, server) => {
    // deno-fmt-ignore
    const head = requestHead("GET", [["Host", "h.test"], ["X-A", "1"], ["Connection", "x-hop, te"], ["X-Hop", "1"], ["Keep-Alive", "5"], ["TE", "trailers, gzip"], ["Cookie", "a=1; b=2"]]);
    const exchange = connection.exchange();
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
  }));

Deno.test("what would change a request's meaning stays, also when Connection names it; Proxy-Authorization never leaves", () =>
  withClient(async (connection, server) => {
    const names = ["authorization", "cookie", "content-type", "content-encoding", "cache-control", "trailer"];
    const fields = [...names, "x-hop", "x\xa0"].join(", ");
    void connection.exchange().send(
      requestHead("GET", [
        ["Connection", `${fields}, proxy-authorization`],
        ["Connection", "\xa0x-stays"],
        ...names.map((name): [string, string] => [name, "v"]),
        ["X-Hop", "1"],
        ["X-Stays", "1"],
        ["Proxy-Authorization", "Basic eA=="],
      ]),
      null,
      ignore,
    ).catch(ignore);
    assertEquals(
      await server.line(),
      `HEADERS 1 :method=GET :scheme=http :authority=a.test :path=/ ${
        names.map((name) => `${name}=v`).join(" ")
      } x-stays=1 +END`,
    );
  }));

Deno.test("what was set in hooks is refused when it could not be received", () =>
  withClient(async (connection) => {
    const bad: Partial<RequestHead>[] = [
      ...["/a b", "/a#b", "/\x01", "/\u0100"].map((path) => ({ path })),
      { method: "GET " },
      { headers: Headers.fromRaw(["x", "a\x01"]) },
      { headers: Headers.fromRaw(["x", "\u0100"]) },
      { headers: Headers.fromRaw(["x y", "1"]) },
    ];
    for (const part of bad) {
      const answer = connection.exchange().send({ ...requestHead(), ...part }, null, ignore);
      await assertRejects(() => answer, WeirError);
    }
    assertEquals(connection.active, 0);
  }));

Deno.test("fields that frame, route or authenticate are no trailers", () =>
  withClient(async (connection, server) => {
    const body = TestBody.of(["x"], [
      "X-Sum",
      "1",
      "Authorization",
      "a",
      "Cookie",
      "b",
      "Trailer",
      "c",
      "Host",
      "d",
    ]);
    void connection.exchange().send(requestHead("POST"), body, ignore).catch(ignore);
    assertEquals((await server.lines(3)).at(-1), "HEADERS 1 x-sum=1 +END");
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

Deno.test("a response body that is cancelled tells the server at once", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, 0);
    (await answer).body!.cancel(new WeirError("client", "closed", "The client has gone."));
    assertEquals(await server.line(), "RST_STREAM 1 CANCEL");
  }));

Deno.test("an early response with NO_ERROR stays whole, trailers too, only the rest of the request is dropped", () =>
  withClient(async (connection, server) => {
    const body = new TestBody();
    const exchange = connection.exchange();
    const answer = exchange.send(requestHead("POST"), body, ignore);
    await server.line();
    await server.headers(1, [":status", "413"], 0);
    await server.data(1, "too large");
    // What gRPC's servers do when they answer before the request has ended.
    await server.headers(1, ["grpc-status", "8"], Flag.END_STREAM);
    await server.rst(1, Code.NO_ERROR);
    const response = await answer;
    assertEquals(await pieces(response.body), ["too large"]);
    assertEquals(response.body!.trailers, ["grpc-status", "8"]);
    await assertRejects(() => exchange.sent, WeirError, "NO_ERROR");
    assert(body.cancelled !== null);
  }));

Deno.test("capacity follows the limit of the server, and comes back as streams end", () =>
  withClient(async (connection, server) => {
    await settled(server);
    assertEquals(connection.capacity, 2);
    const answers = [get(connection), get(connection)];
    assertEquals([connection.capacity, connection.active], [0, 2]);
    assertThrows(() => connection.exchange(), WeirError);
    await server.lines(2);
    await server.headers(1, OK, Flag.END_STREAM);
    await answers[0];
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

Deno.test("a consumer that takes nothing stops the server at the stream's window", () =>
  withClient(async (connection, server) => {
    const answer = get(connection);
    await server.line();
    await server.headers(1, OK, 0);
    const { body } = await answer;
    const frame = new Uint8Array(16_384);
    for (let sent = 0; sent < STREAM_WINDOW; sent += frame.length) await server.data(1, frame);
    await settled(server);
    let taken = 0;
    while (taken < STREAM_WINDOW / 2) taken += body!.take()!.length;
    // Half a window is given back; and since it was taken, the window doubles.
    assertEquals(await server.line(true), `WINDOW_UPDATE 1 ${STREAM_WINDOW / 2 + STREAM_WINDOW}`);
    let window = STREAM_WINDOW;
    const credit = async () => {
      for (let taken = 0; taken < window / 2;) {
        const piece = body!.take();
        if (piece) taken += piece.length;
        else await server.data(1, frame).then(() => body!.fill());
      }
      return (await server.line(true)).split(" ").map(Number)[2];
    };
    for (window *= 2; window < MAX_STREAM_WINDOW; window *= 2) assertEquals(await credit(), window * 1.5);
    assertEquals(await credit(), MAX_STREAM_WINDOW / 2);
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
