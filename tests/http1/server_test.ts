import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import type { ExchangeHandler } from "../../src/http/wire.ts";
import { FakeClock, turn } from "../support/fake_clock.ts";
import { byteByByte, splitBy } from "../support/memory_conn.ts";
import { echo, response, ScriptedBody, serving, textOf, transcript } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ok = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

const PIPELINED = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
  "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
  "\r\n" +
  "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWERED = ok("POST /a hello") + ok("POST /b abcde") + ok("GET /c ");

Deno.test("pipelined requests are answered one after another", async () => {
  assertEquals(await transcript(PIPELINED), ANSWERED);
});

Deno.test("requests are the same byte by byte", async () => {
  assertEquals(await transcript(PIPELINED, echo, { split: byteByByte }), ANSWERED);
});

Deno.test("requests are the same at random splits", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), async (splits) => {
      assertEquals(await transcript(PIPELINED, echo, { split: splitBy(splits) }), ANSWERED);
    }),
    { numRuns: 50 },
  );
});

Deno.test("the next request starts after the exchange before it has finished", async () => {
  const order: string[] = [];
  await transcript(GET + GET, async (exchange) => {
    order.push("start");
    await exchange.respond(response(200), null);
    await turn();
    order.push("end");
  });
  assertEquals(order, ["start", "end", "start", "end"]);
});

Deno.test("bytes that were peeked at before are served first", async () => {
  const { client, served } = serving(echo, { firstBytes: new TextEncoder().encode("GET /early HTT") });
  await client.writeText("P/1.1\r\nHost: a\r\n\r\n");
  assertStringIncludes(await client.readUntil("early "), "200 OK");
  client.close();
  await served;
});

Deno.test("HTTP/1.1 persists unless told to close, HTTP/1.0 closes unless told to persist", async () => {
  const close = await transcript("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET);
  assertEquals(close, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nGET / ");
  assertEquals(await transcript("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n"), ok("GET / "));
  const persistent = await transcript(
    "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
  );
  assertEquals(
    persistent,
    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: keep-alive\r\n\r\nGET / " + ok("GET / "),
  );
});

Deno.test("a body of unknown length is chunked for HTTP/1.1 and ended by close for HTTP/1.0", async () => {
  const handler: ExchangeHandler = (exchange) =>
    exchange.respond(response(200), new ScriptedBody(["ab", "cde"]));
  assertEquals(
    await transcript(GET, handler),
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
  );
  assertEquals(
    await transcript("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET, handler),
    "HTTP/1.1 200 OK\r\n\r\nabcde",
  );
});

for (
  const [what, input, status] of [
    [
      "content-length with transfer-encoding",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
      400,
    ],
    ["a folded field", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n" + GET, 400],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + GET, 400],
    ["a long request line", `GET /${"a".repeat(20000)} HTTP/1.1\r\n\r\n`, 414],
    ["a long header block", `GET / HTTP/1.1\r\nHost: a\r\nA: ${"b".repeat(70000)}\r\n\r\n`, 431],
    ["an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["endless empty lines", "\r\n".repeat(10) + GET, 400],
    ["a ClientHello", "\x16\x03\x01\x02\0\x01\0\x01", 400],
  ] as [string, string, number][]
) {
  Deno.test(`a request with ${what} reaches nobody, is answered ${status}, and the connection ends`, async () => {
    let reached = 0;
    const refused: WeirError[] = [];
    const output = await transcript(input, () => {
      reached++;
      return Promise.resolve();
    }, { onRefused: (error) => refused.push(error) });
    assertEquals([reached, refused.length, refused[0].statusCode], [0, 1, status]);
    assertMatch(output, new RegExp(`^HTTP/1.1 ${status} `));
    assertStringIncludes(output, "\r\nConnection: close\r\n");
    assertStringIncludes(output, `\n\nweir: ${refused[0].message}\n`);
    assertEquals(output.match(/^HTTP\/1\.1 /gm)?.length, 1);
  });
}

Deno.test("a refusal is not lost to a reset while the client still sends", async () => {
  const { client, server, served } = serving(echo);
  const sent = client.writeText(`GET / HTTP/9.9\r\n\r\n${"x".repeat(200_000)}`);
  assertMatch(await client.readToEnd(), /^HTTP\/1.1 505 /);
  assertEquals([server.writeEnded, server.closed], [true, false]);
  await sent;
  client.close();
  await served;
  assertEquals(server.wasReset, false);
});

Deno.test("a head that is not complete in time is answered 408", async () => {
  using clock = new FakeClock();
  const { client, server, served } = serving(echo, { headTimeoutMs: 30 });
  await client.writeText("GET / HTTP/1.1\r\nHost");
  await clock.pass(29);
  assertEquals(server.bytesWritten, 0);
  await clock.pass(2);
  assertMatch(await client.readToEnd(), /^HTTP\/1.1 408 Request Timeout\r\n/);
  client.close();
  await served;
});

Deno.test("an idle connection ends in silence, also between requests", async () => {
  for (const input of ["", GET]) {
    using clock = new FakeClock();
    const { client, server, served } = serving(echo, { idleTimeoutMs: 30 });
    await client.writeText(input);
    await clock.pass(29);
    assertEquals(server.writeEnded || server.closed, false);
    await clock.pass(2);
    assertEquals(await client.readToEnd(), input === "" ? "" : ok("GET / "));
    await served;
  }
});

Deno.test("time limits hold for heads alone: a slow exchange is not cut", async () => {
  using clock = new FakeClock();
  const { client, served } = serving(async (exchange) => {
    await clock.pass(60);
    await exchange.respond(response(200), null);
  }, { headTimeoutMs: 20, idleTimeoutMs: 20 });
  await client.writeText(GET);
  await client.readUntil("\r\n\r\n");
  client.close();
  await served;
});

Deno.test("interim responses go out at once, but not to HTTP/1.0", async () => {
  const handler: ExchangeHandler = async (exchange) => {
    await exchange.informational(response(103, [["Link", "</a>"]], "Early Hints"));
    await exchange.respond(response(204), null);
  };
  assertEquals(
    await transcript(GET, handler),
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 OK\r\n\r\n",
  );
  assertEquals(await transcript("GET / HTTP/1.0\r\n\r\n", handler), "HTTP/1.1 204 OK\r\n\r\n");
});

Deno.test("100-continue: the body comes after the interim response, the connection goes on", async () => {
  const { client, served } = serving(async (exchange) => {
    await exchange.informational(response(100, [], "Continue"));
    await echo(exchange);
  });
  await client.writeText("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  await client.readUntil("100 Continue\r\n\r\n");
  await client.writeText("hi" + GET);
  assertEquals(await client.readUntil("POST / hi"), ok("POST / hi"));
  client.close();
  await served;
});

Deno.test("100-continue refused: the final response says that the connection closes", async () => {
  const { client, served } = serving((exchange) => exchange.respond(response(417), null));
  await client.writeText("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  assertStringIncludes(await client.readToEnd(), "Connection: close\r\n");
  client.close();
  await served;
});

Deno.test("100-continue: a client that sends its body unasked keeps its connection", async () => {
  const { client, served } = serving(async (exchange) => {
    await exchange.body!.fill();
    exchange.body!.take();
    await exchange.respond(response(204), null);
  });
  await client.writeText("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nh");
  assertEquals(await client.readUntil("\r\n\r\n"), "HTTP/1.1 204 OK\r\n\r\n");
  client.close();
  await served;
});

Deno.test("a small request body that nobody read is drained for the next request", async () => {
  const input = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n${"x".repeat(30000)}` + GET;
  const output = await transcript(input, (exchange) => exchange.respond(response(204), null));
  assertEquals(output, "HTTP/1.1 204 OK\r\n\r\n".repeat(2));
});

Deno.test("a large request body that nobody reads ends the connection, after the response has arrived", async () => {
  const { client, served } = serving((exchange) => exchange.respond(response(413), null));
  const sent = client.writeText(
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300000)}`,
  );
  assertStringIncludes(await client.readToEnd(), "HTTP/1.1 413");
  await sent;
  client.close();
  await served;
});

Deno.test("a request body that was cancelled ends the connection, and the response says so", async () => {
  const output = await transcript(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET,
    (exchange) => {
      exchange.body!.cancel(new WeirError("weir", "limit", "too large"));
      return exchange.respond(response(413), null);
    },
  );
  assertEquals(output, "HTTP/1.1 413 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
});

Deno.test("a bad chunk in a request body can be answered 400, and nothing after it is taken for a request", async () => {
  const output = await transcript(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5.0\r\nhello\r\n0\r\n\r\n" + GET,
    async (exchange) => {
      const error = await assertRejects(() => textOf(exchange.body), WeirError);
      await exchange.respond(response(error.statusCode, [], "Bad Request"), null);
    },
  );
  assertEquals(output, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
});
