import { assert, assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { HALF_CLOSE_GRACE_MS } from "../../src/http1/server_exchange.ts";
import { FakeClock, settled } from "../support/fake_clock.ts";
import { latin1 } from "../support/memory_conn.ts";
import { echo, held, response, ScriptedBody, serving, textOf, transcript } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
Deno.test("a response whose source breaks is visibly cut: chunked", async () => {
  const broken = new WeirError("server", "closed", "cut");
  const output = await transcript(GET + GET, async (exchange) => {
    const error = await assertRejects(
      () => exchange.respond(response(200), new ScriptedBody(["ab", broken])),
      WeirError,
    );
    assertEquals(error, broken);
  });
  assertEquals(output, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
});

Deno.test("a response whose source breaks is visibly cut: content-length", async () => {
  const body = new ScriptedBody(["ab", new WeirError("server", "closed", "cut")], { size: 5 });
  const output = await transcript(GET, (exchange) => exchange.respond(response(200), body).catch(() => {}));
  assertEquals(output, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
});

Deno.test("a response whose source breaks is visibly cut: ended by close, by a reset", async () => {
  const { client, server, served } = serving((exchange) =>
    exchange.respond(response(200), new ScriptedBody(["ab", new WeirError("server", "closed", "cut")])).catch(
      () => {},
    )
  );
  await client.writeText("GET / HTTP/1.0\r\n\r\n");
  await assertRejects(() => client.readToEnd(), Deno.errors.ConnectionReset);
  await served;
  assertEquals(server.wasReset, true);
});

Deno.test("a head that cannot be written leaves the exchange open for another answer", async () => {
  const output = await transcript(GET, async (exchange) => {
    await assertRejects(() => exchange.respond(response(200, [], "a\r\nb"), null), WeirError);
    await exchange.respond(response(502, [], "Bad Gateway"), null);
  });
  assertEquals(output, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
});

Deno.test("a handler that fails or does not answer closes the connection", async () => {
  assertEquals(await transcript(GET + GET, () => Promise.reject(new Error("oops"))), "");
  assertEquals(await transcript(GET + GET, () => Promise.resolve()), "");
});

Deno.test("a response to HEAD has no body, and its source is told", async () => {
  const body = new ScriptedBody(["abc"], { size: 3 });
  const output = await transcript(
    "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    (exchange) => exchange.respond(response(200), body),
  );
  assertEquals(output, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  assert(body.cancelled !== null);
});

Deno.test("abort at any moment closes at once and settles a response that waits for its body", async () => {
  const { handler, exchange, finish } = held(), { client, served } = serving(handler);
  await client.writeText(GET);
  const given = await exchange, waiting = Promise.withResolvers<void>();
  const body = new ScriptedBody(["ab", waiting.promise]);
  const responded = given.respond(response(200), body);
  await client.readUntil("2\r\nab\r\n");
  const killed = new WeirError("weir", "killed", "killed");
  given.abort(killed);
  assertEquals(await responded.catch((thrown) => thrown), killed);
  assertEquals(body.cancelled, killed);
  assertEquals(await client.readToEnd(), "");
  waiting.resolve();
  finish();
  await served;
});

Deno.test("a client that resets is noticed while the handler runs", async () => {
  const { handler, exchange, finish } = held(), { client, served } = serving(handler);
  await client.writeText(GET);
  const given = await exchange;
  const gone = new Promise<WeirError>((resolve) => given.onGone(resolve));
  client.reset();
  assertEquals([(await gone).side, (await gone).code], ["client", "closed"]);
  await assertRejects(() => given.respond(response(200), null), WeirError);
  finish();
  await served;
});

Deno.test("a client that pipelines and resets is noticed too", async () => {
  const { handler, exchange, finish } = held(), { client, served } = serving(handler);
  await client.writeText(GET + GET);
  const given = await exchange;
  const gone = new Promise<WeirError>((resolve) => given.onGone(resolve));
  client.reset();
  await gone;
  finish();
  await served;
});

Deno.test("a half-closed client still gets its response while it flows", async () => {
  using clock = new FakeClock();
  const step = () => new Promise((resolve) => setTimeout(resolve, HALF_CLOSE_GRACE_MS * 0.6));
  let gone = 0;
  const output = transcript(GET, async (exchange) => {
    exchange.onGone(() => gone++);
    await exchange.respond(
      response(200),
      new ScriptedBody([step(), "a", step().then(step), "b"], { size: 2 }),
    );
  });
  await clock.pass(HALF_CLOSE_GRACE_MS * 2);
  assertEquals([await output, gone], ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 0]);
});

Deno.test("a client that closed counts as gone when nothing flows, within 1 s", async () => {
  using clock = new FakeClock();
  const { handler, exchange, finish } = held(), { client, served } = serving(handler);
  await client.writeText(GET);
  const given = await exchange;
  const gone = new Promise<WeirError>((resolve) => given.onGone(resolve));
  client.close();
  await clock.pass(1000);
  assertEquals((await gone).side, "client");
  given.abort(await gone);
  finish();
  await served;
});

Deno.test("a client that closes in the middle of its body is a cut body and gone", async () => {
  const { handler, exchange, finish } = held(), { client, served } = serving(handler);
  await client.writeText("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  const given = await exchange;
  const gone = new Promise<WeirError>((resolve) => given.onGone(resolve));
  const read = assertRejects(() => textOf(given.body), WeirError);
  await client.closeWrite();
  assertEquals([(await read).side, (await read).code], ["client", "closed"]);
  assertEquals(await gone, await read);
  given.abort(await gone);
  finish();
  await served;
});

Deno.test("a client that leaves while nobody takes its body is noticed within a second", async () => {
  using clock = new FakeClock();
  const { handler, exchange, finish } = held(), { client, served } = serving(handler);
  await client.writeText("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  const given = await exchange;
  const gone = new Promise<WeirError>((resolve) => given.onGone(resolve));
  client.reset();
  await clock.pass(1000);
  given.abort(await gone);
  finish();
  await served;
});

Deno.test("a stalled client stops the response's source, within one buffer", async () => {
  const { handler, exchange, finish } = held(),
    { client, served } = serving(handler, { capacity: 64 * 1024 });
  await client.writeText(GET);
  const piece = new Uint8Array(16 * 1024),
    body = new ScriptedBody(Array(200).fill(piece), { size: 200 * piece.length });
  const responded = (await exchange).respond(response(200), body);
  await client.peerStuck;
  await settled(() => body.taken);
  assert(body.taken <= 400 * 1024, `${body.taken} bytes taken`);
  const counted = client.countToEnd();
  await responded;
  finish();
  await client.closeWrite();
  assertEquals(
    await counted - 200 * piece.length,
    "HTTP/1.1 200 OK\r\nContent-Length: 3276800\r\n\r\n".length,
  );
  await served;
});

Deno.test("CONNECT: the connection is taken over with the bytes that came early", async () => {
  const { client, server, served } = serving(async (exchange) => {
    assertEquals([exchange.head.host, exchange.head.port, exchange.body], ["a.example", 443, null]);
    await exchange.respond(response(200, [], "Connection established"), null);
    const raw = exchange.takeOver(), into = new Uint8Array(100);
    let text = "";
    for (let count; (count = await raw.read(into)) !== null;) text += latin1(into.subarray(0, count));
    await raw.write(new TextEncoder().encode(`got ${text}`));
    raw.close();
  });
  await client.writeText("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nearly ");
  assertEquals(await client.readUntil("\r\n\r\n"), "HTTP/1.1 200 Connection established\r\n\r\n");
  await client.writeText("late");
  await client.closeWrite();
  assertEquals(await client.readToEnd(), "got early late");
  await served;
  assertEquals(server.wasReset, false);
});

Deno.test("an upgrade is taken over after its 101, and not without one", async () => {
  const { client, served } = serving(async (exchange) => {
    await exchange.respond(
      response(101, [["Upgrade", "x"], ["Connection", "Upgrade"]], "Switching Protocols"),
      null,
    );
    const raw = exchange.takeOver();
    await raw.write(new TextEncoder().encode("raw"));
    raw.close();
  });
  await client.writeText("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  assertEquals(
    await client.readToEnd(),
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw",
  );
  await served;
  await transcript(GET, async (exchange) => {
    await exchange.respond(response(200), null);
    await assertRejects(() => Promise.resolve().then(() => exchange.takeOver()), WeirError);
  });
});

Deno.test("a graceful stop closes an idle connection at once", async () => {
  const stop = new AbortController(), { client, served } = serving(echo, { signal: stop.signal });
  await client.writeText(GET);
  await client.readUntil("GET / ");
  stop.abort();
  await served;
  assertEquals(await client.readToEnd(), "");
});

Deno.test("a graceful stop lets the running exchange finish, and tells the client", async () => {
  const stop = new AbortController(), { handler, exchange, finish } = held();
  const { client, served } = serving(handler, { signal: stop.signal });
  await client.writeText(GET);
  const given = await exchange;
  stop.abort();
  await given.respond(response(204), null);
  finish();
  assertEquals(await client.readToEnd(), "HTTP/1.1 204 OK\r\nConnection: close\r\n\r\n");
  await served;
});
