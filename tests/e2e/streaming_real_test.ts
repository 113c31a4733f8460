/** Contract section 4: streaming is real. Heads first, one in one out, both ways at once, honest cuts. @module */
import { assert, assertEquals } from "@std/assert";
import { absolute, Client } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { origin, type Script, sends, tcpOrigin, withLength } from "./support/origin.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import { Cut } from "./support/wire.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

const SILENT_HEADS = [
  ["content-length", "Content-Length: 5\r\n", "hello"],
  ["chunked", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"],
  ["until close", "", "hello"],
] as const;
for (const [framing, fields, rest] of SILENT_HEADS) {
  Deno.test(`the head is forwarded before the first body byte (${framing})`, async () => {
    const gate = new Gate();
    await using server = await origin(async (wire) => {
      await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
      await gate.opened;
      await wire.send(rest);
      if (fields === "") wire.close();
    });
    await using proxy = await startProxy(streamAll);
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    const body = client.body(await client.head());
    gate.open();
    assertEquals(await body.text(), "hello");
  });
}

Deno.test("a request's head is forwarded before the first body byte", async () => {
  const got = new Gate();
  await using server = await origin(async (wire, request) => {
    got.open();
    await withLength(await BodyReader.ofRequest(wire, request).text())(wire, request);
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Content-Length: 3\r\n" }));
  await within(SOON, got.opened, "the head at the origin");
  await client.send("abc");
  assertEquals((await client.response("POST")).text, "abc");
});

for (const [name, wrap] of [["chunked", true], ["until close", false]] as const) {
  Deno.test(`one event in, one event out: 100 times, by type alone (${name})`, async () => {
    const acknowledged = new Events();
    await using server = await origin(async (wire) => {
      const fields = `Content-Type: text/event-stream\r\n${wrap ? "Transfer-Encoding: chunked\r\n" : ""}`;
      await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
      for (let i = 0; i < 100; i++) {
        const event = `data: ${i}\n\n`;
        await wire.send(wrap ? `${event.length.toString(16)}\r\n${event}\r\n` : event);
        // The next is only sent when this one has arrived alone.
        await acknowledged.seen(`${i}`);
      }
      if (wrap) await wire.send("0\r\n\r\n");
      else wire.close();
    });
    await using proxy = await startProxy();
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    const body = client.body(await client.head());
    for (let i = 0; i < 100; i++) {
      assertEquals(await body.nextText(), `data: ${i}\n\n`);
      acknowledged.push(`${i}`);
    }
    assertEquals(await body.next(), null);
  });
}

Deno.test("upload and download run at the same time, piece by piece", async () => {
  await using server = await origin(async (wire, request) => {
    const upload = BodyReader.ofRequest(wire, request);
    await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let piece; (piece = await upload.nextText()) !== null;) {
      await wire.send(`${(piece.length + 1).toString(16)}\r\n${piece}!\r\n`);
    }
    await wire.send("0\r\n\r\n");
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Transfer-Encoding: chunked\r\n" }));
  const download = client.body(await client.head());
  for (const word of ["one", "two", "three"]) {
    await client.send(`${word.length.toString(16)}\r\n${word}\r\n`);
    assertEquals(await download.nextText(), `${word}!`);
  }
  await client.send("0\r\n\r\n");
  assertEquals(await download.next(), null);
});

Deno.test("an early response reaches the client while it still uploads; the upload goes on", async () => {
  const got = Promise.withResolvers<string>();
  await using server = await origin(async (wire, request) => {
    await wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
    got.resolve(await BodyReader.ofRequest(wire, request).text());
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Content-Length: 6\r\n" }) + "abc");
  const seen = await client.response("POST");
  assertEquals([seen.head.statusCode, seen.text], [401, "no"]);
  await client.send("def");
  assertEquals(await within(SOON, got.promise, "the rest of the upload"), "abcdef");
});

const CUTS: [string, Script][] = [
  ["a short content-length", async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
    wire.close();
  }],
  ["no last chunk", async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    wire.close();
  }],
  ["half a chunk", async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n5\r\n12");
    wire.close();
  }],
  ["no end of the trailers", async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nX: y\r\n");
    wire.close();
  }],
  [
    "a bad chunk size in the middle",
    sends(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n1.e1\r\nxx\r\n0\r\n\r\n",
    ),
  ],
];
for (const [what, script] of CUTS) {
  for (const version of ["HTTP/1.1", "HTTP/1.0"] as const) {
    Deno.test(`a response cut short by ${what} is cut short for the client (${version})`, async () => {
      const events = new Events();
      await using server = await origin(script);
      await using proxy = await startProxy([streamAll, recorder(events)]);
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url(), { version }));
      const seen = await client.response();
      assertEquals([seen.head.statusCode, seen.text.slice(0, 5)], [200, "12345"]);
      assert(seen.end !== "complete", "the body ended as if it were whole");
      assert(!seen.text.includes("502"), "an error page in the middle of a body");
      await events.seen("error");
      assertEquals(events.count("complete"), 0);
    });
  }
}

Deno.test("a reset in a body until close is a reset for the client", async () => {
  const gate = new Gate();
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\n\r\n12345");
    await gate.opened;
    wire.reset();
  }, { resettable: true });
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { version: "HTTP/1.0" }));
  const body = client.body(await client.head());
  assertEquals(await body.nextText(), "12345");
  gate.open();
  assertEquals(await client.untilEnd(), "reset");
});

for (
  const [framing, start] of [["Content-Length: 10", "12345"], [
    "Transfer-Encoding: chunked",
    "5\r\n12345\r\n",
  ]]
) {
  for (const how of ["closes", "resets"] as const) {
    Deno.test(`an upload whose client ${how} in mid body is cut for the origin (${framing})`, async () => {
      const events = new Events();
      const arrived = new Gate();
      const end = Promise.withResolvers<unknown>();
      await using server = await origin(async (wire, request) => {
        const body = BodyReader.ofRequest(wire, request);
        assertEquals(await body.nextText(), "12345");
        arrived.open();
        end.resolve(await body.next().catch((error) => error));
      });
      await using proxy = await startProxy([streamAll, recorder(events)]);
      await using client = await Client.connect(proxy, { resettable: true });
      await client.send(absolute(server.url(), { method: "POST", fields: `${framing}\r\n` }) + start);
      await within(SOON, arrived.opened, "the first bytes at the origin");
      if (how === "closes") client.close();
      else client.reset();
      assert(await within(1000, end.promise, "the cut at the origin") instanceof Cut);
      await events.seen("error");
      assertEquals(events.count("complete"), 0);
    });
  }
}

for (const [mode, addon] of [["streamed", streamAll], ["buffered", {}]] as const) {
  for (const before of ["the head", "the body's end"] as const) {
    Deno.test(`a client that is gone before ${before}: the origin's connection closes within 1 s (${mode})`, async () => {
      const events = new Events();
      const asked = new Gate();
      const end = Promise.withResolvers<string>();
      await using server = await origin(async (wire) => {
        if (before !== "the head") await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        asked.open();
        end.resolve(await wire.untilEnd());
      });
      await using proxy = await startProxy([addon, recorder(events)]);
      {
        await using client = await Client.connect(proxy);
        await client.send(absolute(server.url()));
        await within(SOON, asked.opened, "the request at the origin");
        if (before !== "the head") await events.seen("responseheaders");
        if (before !== "the head" && mode === "streamed") await client.head();
      }
      await within(1000, end.promise, "the origin's connection to close");
      await events.seen("error");
      assertEquals(events.count("complete"), 0);
    });
  }
}

Deno.test("an origin that goes away while it is being uploaded to: 502, and the upload stops", async () => {
  const events = new Events();
  await using server = await tcpOrigin(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    await wire.readExactly(3);
  });
  await using proxy = await startProxy([streamAll, recorder(events)]);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Content-Length: 100\r\n" }) + "abc");
  assertEquals((await client.head()).statusCode, 502);
  await events.seen("error");
});
