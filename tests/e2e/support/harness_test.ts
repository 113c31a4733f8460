/** The harness itself: origins and clients directly against each other, no proxy between. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { originCa } from "./certs.ts";
import { Client, curl } from "./client.ts";
import { bulk, echo, origin, tcpOrigin, untilClose, withChunks, withLength } from "./origin.ts";
import { Events, Gate, SOON, within } from "./within.ts";

Deno.test("a response with content-length arrives whole, and the connection serves a second", async () => {
  await using server = await origin(withLength("hello"));
  await using client = await Client.connect(server);
  for (let i = 0; i < 2; i++) {
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const seen = await client.response();
    assertEquals([seen.head.statusCode, seen.text, seen.end], [200, "hello", "complete"]);
  }
  assertEquals([server.connections, server.requests.length], [1, 2]);
});

Deno.test("chunk boundaries and trailers are seen", async () => {
  await using server = await origin(withChunks(["a", "bcd", "ef"], "", "X-Sum: 6\r\n"));
  await using client = await Client.connect(server);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const seen = await client.response();
  assertEquals(seen.pieces, ["a", "bcd", "ef"]);
  assertEquals(seen.trailers, [["X-Sum", "6"]]);
});

Deno.test("a body until close is complete; one that is short of its length is cut", async () => {
  await using good = await origin(untilClose("to the end"));
  await using short = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    wire.close();
  });
  for (const [server, end] of [[good, "complete"], [short, "fin"]] as const) {
    await using client = await Client.connect(server);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assertEquals((await client.response()).end, end);
  }
});

Deno.test("a reset in mid body is seen as a reset, in both directions", async () => {
  const ended = Promise.withResolvers<string>();
  const seen = new Gate();
  await using server = await origin(async (wire, request) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    if (request.target === "/wait") return ended.resolve(await wire.untilEnd());
    await seen.opened;
    wire.reset();
  }, { resettable: true });
  {
    await using client = await Client.connect(server);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const body = client.body(await client.head());
    assertEquals(await body.nextText(), "123");
    seen.open();
    const error = await assertRejects(() => body.next()) as { end?: string };
    assertEquals(error.end, "reset");
  }
  await using client = await Client.connect(server, { resettable: true });
  await client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.head();
  client.reset();
  assertEquals(await within(SOON, ended.promise, "the reset"), "reset");
});

Deno.test("half-close: the origin still answers", async () => {
  await using server = await tcpOrigin(async (wire) => {
    const { text } = await wire.readToEnd();
    await wire.send(text.toUpperCase());
    await wire.closeWrite();
  });
  await using client = await Client.connect(server);
  await client.send("abc");
  await client.closeWrite();
  assertEquals(await client.readToEnd(), { text: "ABC", end: "fin" });
});

Deno.test("an https origin is trusted through its own authority, by raw client and curl", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  await using client = await Client.connect(server);
  await client.startTls("localhost", await originCa());
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assertEquals((await client.response()).text, "secret");
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, await originCa());
  const result = await curl("--cacert", file, server.url());
  await Deno.remove(file);
  assertEquals([result.code, new TextDecoder().decode(result.stdout), result.stderr], [0, "secret", ""]);
});

Deno.test("echo and bulk", async () => {
  await using server = await origin(echo);
  await using client = await Client.connect(server);
  await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  assertEquals((await client.response("POST")).text, "abc");
  await using big = await origin(bulk(3_000_000));
  await using other = await Client.connect(big);
  await other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assertEquals((await other.response()).bytes.length, 3_000_000);
});

Deno.test("a deadline names what was waited for", async () => {
  await assertRejects(() => within(5, new Promise(() => {}), "Godot"), Error, "Godot");
  const events = new Events();
  const seen = events.seen("b");
  events.push("a");
  events.push("b");
  await seen;
  assert(events.count("a") === 1);
});
