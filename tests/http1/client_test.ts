import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import type { ResponseHead } from "../../src/http/wire.ts";
import { Http1Connection } from "../../src/http1/mod.ts";
import { settled } from "../support/fake_clock.ts";
import {
  byteByByte,
  latin1,
  type MemoryConn,
  memoryConnPair,
  type Split,
  splitBy,
  whole,
} from "../support/memory_conn.ts";
import { piecesOf, request, ScriptedBody, textOf } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

const ignore = () => {};

function connected(split: Split = whole, capacity?: number) {
  const [conn, origin] = memoryConnPair({ split, capacity });
  const connection = new Http1Connection(conn);
  const events: string[] = [];
  void connection.done.then(() => events.push("done"));
  return { connection, conn, origin, events };
}

/** Sends a GET and gives what comes back when the origin answers `text`. */
async function answered(text: string, method = "GET", split: Split = whole) {
  const { connection, origin, events } = connected(split);
  const sent = connection.exchange().send(request(method, "/"), null, ignore);
  await origin.readUntil("\r\n\r\n");
  await origin.writeText(text);
  return { ...await sent, connection, origin, events };
}

const LOST = new WeirError("server", "closed", "The server closed its connection.");

Deno.test("a request goes out, a response comes back, the connection serves the next", async () => {
  const { connection, origin, events } = connected();
  for (const turn of [0, 1]) {
    const exchange = connection.exchange();
    assertEquals([exchange.repeatable(LOST), connection.capacity], [
      turn === 1 ? "idempotent" : "none",
      0,
    ]);
    assertEquals(exchange.repeatable(new WeirError("server", "timeout", "Slow.")), "none");
    const answer = exchange.send(request("GET", "/x"), null, ignore);
    assertEquals(await origin.readUntil("\r\n\r\n"), "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
    await origin.writeText("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    const { head, body, upgraded } = await answer;
    assertEquals([head.statusCode, body?.size, upgraded, connection.capacity], [200, 2, null, 0]);
    assertEquals(await textOf(body), "hi");
    await exchange.sent;
    assertEquals(connection.capacity, 1);
  }
  assertEquals(events, []);
  connection.close();
  await connection.done;
  assertEquals(events, ["done"]);
});

Deno.test("an origin that answers with SETTINGS speaks HTTP/2 alone, and has not looked at the request", async () => {
  const settings = "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
  for (const split of [whole, byteByByte]) {
    const { connection, origin, events } = connected(split);
    assertEquals(connection.speaksHttp2, false);
    const exchange = connection.exchange();
    const answer = exchange.send(request("POST", "/"), null, ignore);
    await origin.writeText(settings);
    const error = await assertRejects(() => answer, WeirError, "speaks HTTP/2 and not HTTP/1.1");
    assertEquals([exchange.repeatable(error), connection.speaksHttp2], ["any", true]);
    await connection.done;
    assertEquals(events, ["done"]);
  }
});

Deno.test("what only resembles SETTINGS, or comes later, is a malformed response", async () => {
  const ping = "\0\0\x08\x06\0\0\0\0\x0012345678\r\n\r\n", ack = "\0\0\0\x04\x01\0\0\0\0\r\n\r\n";
  for (const reply of [ping, ack, "\0\0\x07\x04\0\0\0\0\x001234567\r\n\r\n"]) {
    await assertRejects(() => answered(reply), WeirError, "0x00");
  }
  const { connection, origin } = connected();
  const first = await (async () => {
    const sent = connection.exchange().send(request("GET", "/"), null, ignore);
    await origin.writeText("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    return await sent;
  })();
  assertEquals([first.body, connection.capacity], [null, 1]);
  const second = connection.exchange();
  const sent = second.send(request("POST", "/"), null, ignore);
  await origin.writeText("\0\0\0\x04\0\0\0\0\0\r\n\r\n");
  const error = await assertRejects(() => sent, WeirError, "0x00");
  assertEquals([second.repeatable(error), connection.speaksHttp2], ["none", false]);
});

const CHUNKED =
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";

Deno.test("a response is the same byte by byte and at random splits, its chunks seen", async () => {
  const check = async (split: Split) => {
    const { body, connection } = await answered(CHUNKED, "GET", split);
    let text = "", boundaries = 0;
    for (const piece of await piecesOf(body)) {
      text += piece.text;
      if (piece.left === 0) boundaries++;
    }
    assertEquals([text, boundaries, body!.trailers, connection.capacity], ["abcde", 2, ["T", "1"], 1]);
    connection.close();
  };
  await check(byteByByte);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (splits) => check(splitBy(splits)),
    ),
    { numRuns: 50 },
  );
});

Deno.test("responses without a body leave the connection free at once", async () => {
  for (
    const [method, text] of [
      ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
      ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
      ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
      ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ]
  ) {
    const { body, connection } = await answered(text, method);
    assertEquals([body, connection.capacity], [null, 1]);
    connection.close();
  }
});

Deno.test("RFC 9112 §9.3: which connections persist", async () => {
  for (
    const [text, reusable] of [
      ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", false],
      ["HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false],
      ["HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", true],
      ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n", false],
    ] as [string, boolean][]
  ) {
    const { body, connection, events } = await answered(text);
    await textOf(body);
    assertEquals([connection.capacity, events], [reusable ? 1 : 0, reusable ? [] : ["done"]], text);
    connection.close();
  }
});

Deno.test("a body until close ends with the connection, which is not used again", async () => {
  const { body, connection, origin } = await answered("HTTP/1.1 200 OK\r\n\r\nall");
  await origin.closeWrite();
  assertEquals([await textOf(body), connection.capacity], ["all", 0]);
});

Deno.test("RFC 9112 §9.8: a body until close without close_notify is an error of the server", async () => {
  const { connection, conn, origin } = connected();
  const sent = connection.exchange().send(request("GET", "/"), null, ignore);
  await origin.readUntil("\r\n\r\n");
  await origin.writeText("HTTP/1.1 200 OK\r\n\r\nall");
  const { body } = await sent;
  conn.truncated = true;
  await origin.closeWrite();
  const error = await assertRejects(() => textOf(body), WeirError, "ended without close_notify");
  assertEquals([error.side, error.code, connection.capacity], ["server", "closed", 0]);
});

Deno.test("an idle connection is given up when the server closes, resets or speaks unasked", async () => {
  for (
    const leave of [
      (origin: MemoryConn) => origin.closeWrite(),
      (origin: MemoryConn) => origin.reset(),
      (origin: MemoryConn) => origin.writeText("HTTP/1.1 408 Request Timeout\r\n\r\n"),
    ]
  ) {
    const { connection, origin, conn } = connected();
    await leave(origin);
    await connection.done;
    assertEquals([connection.capacity, conn.closed], [0, true]);
    assertThrows(() => connection.exchange(), WeirError);
  }
});

Deno.test("interim responses are passed on in order, each before the next is read", async () => {
  const { connection, origin } = connected(), seen: number[] = [];
  const answer = connection.exchange().send(request("GET", "/"), null, async (head: ResponseHead) => {
    await Promise.resolve();
    seen.push(head.statusCode);
  });
  await origin.writeText(
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  );
  assertEquals([(await answer).head.statusCode, seen], [204, [100, 103]]);
  connection.close();
});

Deno.test("a server that sends nothing but interim responses is refused", async () => {
  const { connection, origin } = connected();
  const answer = connection.exchange().send(request("GET", "/"), null, ignore);
  await origin.writeText("HTTP/1.1 102 Processing\r\n\r\n".repeat(101));
  const error = await assertRejects(() => answer, WeirError, "interim");
  assertEquals([error.side, error.statusCode, connection.capacity], ["server", 502, 0]);
});

Deno.test("an upgrade gives the raw connection with its early bytes", async () => {
  const { connection, origin, events } = connected();
  const head = request("GET", "/", [["Host", "a"], ["Connection", "Upgrade"], ["Upgrade", "x"]]);
  const answer = connection.exchange().send(head, null, ignore);
  await origin.writeText(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nearly",
  );
  const { upgraded, body } = await answer, into = new Uint8Array(20);
  assertEquals(body, null);
  assertEquals(latin1(into.subarray(0, (await upgraded!.read(into))!)), "early");
  await origin.readUntil("\r\n\r\n");
  await upgraded!.write(new Uint8Array([65]));
  assertEquals(await origin.readUntil("A"), "A");
  assertEquals([connection.capacity, events], [0, ["done"]]);
  upgraded!.close();
});

Deno.test("a 101 that nobody asked for is refused", async () => {
  await assertRejects(() => answered("HTTP/1.1 101 Switching Protocols\r\n\r\n"), WeirError, "unasked");
});

for (
  const [what, text] of [
    [
      "content-length with transfer-encoding",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["differing lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
    ["a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["what is not HTTP", "220 mail.example ESMTP\r\n\r\n"],
    ["an HTTP/2 text line", "HTTP/2.0 200 OK\r\n\r\n"],
    ["an endless header block", `HTTP/1.1 200 OK\r\nA: ${"b".repeat(70_000)}`],
    ["an endless status line", `HTTP/1.1 200 ${"b".repeat(20_000)}`],
  ]
) {
  Deno.test(`a server that sends ${what} is refused with 502, its connection closed`, async () => {
    const { connection, conn, origin } = connected(whole, 200_000);
    const answer = connection.exchange().send(request("GET", "/"), null, ignore);
    await origin.readUntil("\r\n\r\n");
    await origin.writeText(text);
    const error = await assertRejects(() => answer, WeirError);
    assertEquals([error.side, error.statusCode, conn.closed, connection.capacity], [
      "server",
      502,
      true,
      0,
    ]);
  });
}

Deno.test("a server that closes before or within its head is an error of the server", async () => {
  for (const text of ["", "HTTP/1.1 200 OK\r\nA: b"]) {
    const { connection, origin } = connected();
    const answer = connection.exchange().send(request("GET", "/"), null, ignore);
    await origin.readUntil("\r\n\r\n");
    await origin.writeText(text);
    origin.close();
    const error = await assertRejects(() => answer, WeirError);
    assertEquals([error.side, error.code, connection.capacity], ["server", "closed", 0]);
  }
});

Deno.test("a response body that is cut is an error, the connection closed", async () => {
  const { body, origin, connection } = await answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  origin.close();
  const error = await assertRejects(() => textOf(body), WeirError);
  assertEquals([error.side, error.code, connection.capacity], ["server", "closed", 0]);
});

Deno.test("cancelling a response body closes the connection", async () => {
  const { body, origin, connection } = await answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  body!.cancel(new WeirError("client", "closed", "gone"));
  assertEquals(connection.capacity, 0);
  await assertRejects(() => origin.readToEnd(), Deno.errors.ConnectionReset).catch(() => {});
});

Deno.test("an early response is delivered while the upload goes on, both ways at once", async () => {
  const { connection, origin, events } = connected(), gates = [1, 2].map(() => Promise.withResolvers<void>());
  const exchange = connection.exchange();
  const upload = new ScriptedBody(["a", gates[0].promise, "b", gates[1].promise, "c"]);
  const answer = exchange.send(request("POST", "/"), upload, ignore);
  await origin.readUntil("1\r\na\r\n");
  await origin.writeText("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n");
  const { body } = await answer;
  await body!.fill();
  assertEquals(latin1(body!.take()!), "A");
  gates[0].resolve();
  assertEquals(await origin.readUntil("b\r\n"), "1\r\nb\r\n");
  await origin.writeText("0\r\n\r\n");
  assertEquals(await textOf(body), "");
  assertEquals([connection.capacity, events], [0, []]);
  gates[1].resolve();
  await exchange.sent;
  assertEquals([await origin.readUntil("0\r\n\r\n"), connection.capacity], ["1\r\nc\r\n0\r\n\r\n", 1]);
  connection.close();
});

Deno.test("a request body that breaks is visibly cut, and is what send reports", async () => {
  const { connection, origin } = connected(), broken = new WeirError("client", "closed", "cut");
  const exchange = connection.exchange();
  const answer = exchange.send(request("POST", "/"), new ScriptedBody(["ab", broken]), ignore);
  assertEquals(await answer.catch((thrown) => thrown), broken);
  assertEquals(await exchange.sent.catch((thrown) => thrown), broken);
  assertEquals(
    await origin.readToEnd(),
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
  );
  assertEquals(connection.capacity, 0);
});

Deno.test("a response that is there beats the failure to send the request", async () => {
  const { connection, origin } = connected(whole, 1024);
  const exchange = connection.exchange(), upload = new ScriptedBody(Array(100).fill(new Uint8Array(1000)));
  const answer = exchange.send(request("POST", "/"), upload, ignore);
  await origin.writeText("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  const { head } = await answer;
  origin.reset();
  assertEquals(head.statusCode, 413);
  const error = await assertRejects(() => exchange.sent, WeirError);
  assertEquals([error.side, error.code], ["server", "closed"]);
  assert(upload.cancelled !== null);
});

Deno.test("abort at any moment settles send and sent with its reason and closes", async () => {
  const { connection, conn } = connected(), exchange = connection.exchange();
  const never = Promise.withResolvers<void>(), upload = new ScriptedBody(["ab", never.promise]);
  const answer = exchange.send(request("POST", "/"), upload, ignore);
  const killed = new WeirError("weir", "killed", "killed");
  exchange.abort(killed);
  assertEquals(await answer.catch((thrown) => thrown), killed);
  assertEquals(await exchange.sent.catch((thrown) => thrown), killed);
  assertEquals([conn.closed, upload.cancelled], [true, killed]);
  never.resolve();
});

Deno.test("a request that cannot be written reaches nobody", async () => {
  const { connection, origin } = connected();
  await assertRejects(() => connection.exchange().send(request("GET", "/a\r\nb"), null, ignore), WeirError);
  assertEquals(await origin.readToEnd(), "");
});

Deno.test("a server that stops reading stops the request body's source", async () => {
  const { connection, origin } = connected(whole, 64 * 1024), piece = new Uint8Array(16 * 1024);
  const exchange = connection.exchange();
  const upload = new ScriptedBody(Array(200).fill(piece), { size: 200 * piece.length });
  const answer = exchange.send(request("POST", "/"), upload, ignore);
  await origin.peerStuck;
  await settled(() => upload.taken);
  assert(upload.taken <= 400 * 1024, `${upload.taken} bytes taken`);
  await origin.readUntil("\r\n\r\n");
  await origin.readExactly(200 * piece.length);
  await exchange.sent;
  await origin.writeText("HTTP/1.1 204 No Content\r\n\r\n");
  assertEquals((await answer).head.statusCode, 204);
  connection.close();
});
