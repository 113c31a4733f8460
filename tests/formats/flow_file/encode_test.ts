/** What is written, and what of it comes back. @module */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodeFlow, encodeMessage, readFlowFile } from "../../../src/formats/mod.ts";
import { type HttpFlow, TCP_HISTORY } from "../../../src/flow/flow.ts";
import { makeHttpFlow, makeServerConnection, makeTcpFlow } from "../../../src/flow/make.ts";
import { internals } from "../../../src/internals.ts";
import { markClosed } from "../../../src/flow/connection.ts";
import { WeirError } from "../../../src/errors.ts";
import { StoredBody } from "../../../src/streams/mod.ts";
import { cut, facts, readAll } from "../support.ts";

const MIB = 1024 * 1024;
const latin1 = new TextDecoder("latin1");

async function again<F>(flow: F & Parameters<typeof encodeFlow>[0]): Promise<F> {
  const { flows: [copy], error } = await readAll(readFlowFile(cut(encodeFlow(flow).bytes(), [777])));
  assertEquals(error, null);
  return copy as F;
}

Deno.test("version, type and id come first, content comes last", () => {
  const flow = makeHttpFlow({
    id: "x",
    request: { url: "http://a/", body: "up" },
    response: { body: "down" },
  });
  const text = latin1.decode(encodeFlow(flow).bytes());
  assert(/^\d+:7:version;2:17#4:type;4:http;2:id;1:x;/.test(text), text.slice(0, 80));
  assertStringIncludes(text, "7:content;2:up,}8:response;");
  assertStringIncludes(text, "7:content;4:down,}9:websocket;0:~}");
  assertEquals(encodeFlow(flow).size, text.length);
});

Deno.test("what mitmproxy has no place for goes into the metadata, and comes back", async () => {
  const cause = new WeirError("server", "timeout", "too slow");
  const flow = makeHttpFlow({
    request: { url: "http://a/", body: null, streamedBy: "addon" },
    response: { streamedBy: "size" },
    error: { message: "too slow", timestamp: 5000, cause },
    metadata: { "weir.timeline": [[0, 3], [12.5, 9]], note: "ä", skipped: () => 1 },
  });
  const copy = await again(flow);
  assertEquals(copy.metadata, {
    "weir.timeline": [[0, 3], [12.5, 9]],
    note: "ä",
    "weir.error": { side: "server", code: "timeout" },
    "weir.streamed_by": { request: "addon", response: "size" },
  });
  assertEquals([copy.error?.cause.side, copy.error?.cause.code, copy.error?.timestamp], [
    "server",
    "timeout",
    5000,
  ]);
  assertEquals([copy.request.streamedBy, copy.response?.streamedBy], ["addon", "size"]);
  assertEquals([copy.request.content, copy.response?.content?.length], [null, 0]);
});

Deno.test("Host of HTTP/2 is written as :authority, that of HTTP/1 as the field that it is", async () => {
  const headers: [string, string][] = [["host", "a.example:81"], ["x", "1"]];
  for (const httpVersion of ["HTTP/2.0", "HTTP/1.1"] as const) {
    const flow = makeHttpFlow({ request: { url: "http://a.example:81/", httpVersion, headers } });
    const text = latin1.decode(encodeFlow(flow).bytes());
    assertEquals(text.includes("9:authority;12:a.example:81,"), httpVersion === "HTTP/2.0");
    assertEquals(text.includes("4:host,12:a.example:81,"), httpVersion === "HTTP/1.1");
    assertEquals((await again(flow)).request.headers.raw, headers.flat());
  }
});

Deno.test("heads may have any byte, and text that is none of Latin-1", async () => {
  const text = fc.string({ unit: "binary" });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        method: fc.stringMatching(/^[A-Z]{1,5}$/),
        path: fc.string({
          unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)),
        }),
        value: fc.string({
          unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
        }),
        body: fc.uint8Array(),
        comment: text,
        reason: fc.string({
          unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
        }),
      }),
      async ({ method, path, value, body, comment, reason }) => {
        const flow = makeHttpFlow({
          request: {
            method,
            scheme: "http",
            host: "a",
            port: 80,
            path: `/${path}`,
            headers: [["x", value]],
            body,
          },
          response: { reason, trailers: [["t", value]] },
          serverConn: makeServerConnection({
            address: { hostname: "a", port: 80 },
            timestampStart: 1234.567,
          }),
          comment,
        });
        const copy = await again(flow);
        // Half a surrogate pair has no bytes.
        assertEquals({ ...facts(copy), comment }, { ...facts(flow), comment });
        assertEquals(copy.comment, comment.toWellFormed());
      },
    ),
    { numRuns: 200 },
  );
});

/** Bytes that differ everywhere, so that no piece can take another's place. */
function pattern(size: number): Uint8Array {
  const words = new Uint32Array(size / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 2654435761);
  return new Uint8Array(words.buffer);
}

async function stored(...pieces: Uint8Array[]): Promise<StoredBody> {
  const body = new StoredBody();
  for (const piece of pieces) await body.append(piece);
  body.end(null);
  return body;
}

Deno.test("a stored body is written from its file and read into another", async () => {
  const large = pattern(9 * MIB), other = pattern(5 * MIB);
  using up = await stored(large), down = await stored(other);
  const flow = makeHttpFlow({ request: { url: "http://a/", body: up }, response: { body: down } });
  const encoded = encodeFlow(flow);
  assertEquals(encoded.isLong, true);
  assertThrows(() => encoded.bytes(), RangeError);
  const chunks: Uint8Array[] = [];
  for await (const chunk of encoded.chunks()) chunks.push(chunk.slice());
  const bytes = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  assertEquals(bytes.length, encoded.size);
  for (const lengths of [[bytes.length], [64 * 1024], [13, 1, 99_999]]) {
    const { flows: [copy], error } = await readAll(readFlowFile(cut(bytes, lengths)));
    assertEquals(error, null);
    const { request, response } = copy as HttpFlow;
    assert(request[internals].stored !== null, "a long body is not in memory");
    assertEquals([request.size, response?.size], [large.length, other.length]);
    assert(request.rawContent!.every((byte, i) => byte === large[i]));
    assert(response!.rawContent!.every((byte, i) => byte === other[i]));
    request[internals].stored?.dispose();
    response![internals].stored?.dispose();
  }
});

Deno.test("a copy that stopped before the body's end is no body", async () => {
  using body = new StoredBody();
  body.append(new Uint8Array(10));
  const flow = makeHttpFlow({ request: { url: "http://a/", body } });
  assertStringIncludes(latin1.decode(encodeFlow(flow).bytes()), "7:content;0:~}");
  await Promise.resolve();
});

Deno.test("a long record that is cut throws the bodies away that were read of it", async () => {
  using body = await stored(pattern(9 * MIB));
  const flow = makeHttpFlow({ request: { url: "http://a/", body }, response: {} });
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeFlow(flow).chunks()) chunks.push(chunk.slice());
  const bytes = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  for (const missing of [1, 100, 300, MIB]) {
    const { flows, error } = await readAll(readFlowFile(cut(bytes.subarray(0, -missing), [MIB])));
    assertEquals(flows, []);
    assertStringIncludes(
      String(error),
      `at byte 0: the file ends in the middle of a flow; ${bytes.length - missing}`,
    );
  }
});

Deno.test("messages that were put aside while a conversation ran are those of the record", async () => {
  const messages = Array.from({ length: 3 * TCP_HISTORY }, (_, i) => ({
    fromClient: i % 2 === 0,
    content: new TextEncoder().encode(`message ${i}`),
    timestamp: 1000 + i,
  }));
  const flow = makeTcpFlow({ messages: messages.slice(-TCP_HISTORY) });
  using aside = await stored(...messages.map(encodeMessage));
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeFlow(flow, { messages: aside }).chunks()) chunks.push(chunk.slice());
  const { flows: [copy] } = await readAll(readFlowFile(new Blob(chunks as BlobPart[]).stream()));
  assertEquals((facts(copy) as { messages: unknown }).messages, messages);
});

Deno.test("WebSocket messages come back, those that were put aside, too", async () => {
  const messages = [
    { isText: true, fromClient: true, content: "grüße", timestamp: 1001 },
    { isText: false, fromClient: false, content: pattern(6 * MIB), timestamp: 1002.125, injected: true },
    { isText: true, fromClient: true, content: "", timestamp: 1003, dropped: true },
  ];
  const websocket = {
    messages,
    closedByClient: true,
    closeCode: 1000,
    closeReason: "done",
    timestampEnd: 1004,
  };
  const flow = makeHttpFlow({ request: { url: "http://a/" }, response: { statusCode: 101 }, websocket });
  const copy = await again(flow);
  const list = (of: typeof flow) =>
    of.websocket!.messages.map(({ isText, fromClient, timestamp, dropped, injected, content }) =>
      [isText, fromClient, timestamp, dropped, injected, content.length, content.at(-1)].join()
    );
  assertEquals(list(copy), list(flow));
  using aside = await stored(...flow.websocket!.messages.map(encodeMessage));
  flow.websocket!.messages.length = 0;
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeFlow(flow, { messages: aside }).chunks()) chunks.push(chunk.slice());
  const { flows: [other] } = await readAll(readFlowFile(new Blob(chunks as BlobPart[]).stream()));
  assertEquals(list(other as HttpFlow), list(copy));
  assertEquals((other as HttpFlow).websocket?.closeReason, "done");
});

/** A long conversation in pieces, as a file has it. */
async function* conversation(kind: "http" | "tcp", count: number, size: number): AsyncGenerator<Uint8Array> {
  using aside = new StoredBody();
  const content = new Uint8Array(size);
  for (let i = 0; i < count; i++) {
    content.fill(i);
    const message = { fromClient: i % 2 === 0, content, timestamp: 1000 + i };
    const one = kind === "tcp" ? makeTcpFlow({ messages: [message] }).messages[0] : makeHttpFlow({
      request: { url: "http://a/" },
      websocket: { messages: [{ ...message, isText: false }] },
    })
      .websocket!.messages[0];
    await aside.append(encodeMessage(one));
  }
  aside.end(null);
  const flow = kind === "tcp"
    ? makeTcpFlow()
    : makeHttpFlow({ request: { url: "http://a/" }, response: { statusCode: 101 }, websocket: {} });
  yield* encodeFlow(flow, { messages: aside }).chunks();
}

for (const kind of ["http", "tcp"] as const) {
  Deno.test(`a long ${kind === "tcp" ? "raw" : "WebSocket"} conversation stays in a file until it is looked at`, async () => {
    const [count, size] = [400, 100_000];
    const before = Deno.memoryUsage().external;
    const { flows: [flow], error } = await readAll(readFlowFile(conversation(kind, count, size)));
    assertEquals(error, null);
    const messages = flow.type === "tcp" ? flow.messages : flow.websocket!.messages;
    assertEquals(messages.length, count);
    assert(Deno.memoryUsage().external - before < count * size / 2, "it is not in memory");
    for (const [i, { content, fromClient, timestamp }] of messages.entries()) {
      assertEquals([content.length, content[0], content[size - 1], fromClient, timestamp], [
        size,
        i % 256,
        i % 256,
        i % 2 === 0,
        1000 + i,
      ]);
    }
    messages[3].content = new TextEncoder().encode("edited");
    const encoded = encodeFlow(flow);
    assertEquals(encoded.isLong, true);
    using _ = encoded.hold();
    const { flows: [copy] } = await readAll(readFlowFile(encoded.chunks()));
    const copies = copy.type === "tcp" ? copy.messages : copy.websocket!.messages;
    assertEquals(copies.map(({ content }) => content.length), messages.map(({ content }) => content.length));
    assertEquals(new TextDecoder().decode(copies[3].content), "edited");
  });
}

Deno.test("metadata may have any names, also those that objects inherit", async () => {
  const metadata = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2, "": 3}');
  const flow = makeHttpFlow({ request: { url: "http://a/" }, metadata });
  const copy = await again(flow);
  assertEquals(Object.keys(copy.metadata), ["__proto__", "constructor", ""]);
  assertEquals(JSON.stringify(copy.metadata), JSON.stringify(metadata));
});

Deno.test("records around the sizes at which a reader changes its ways come back as they were", async () => {
  for (const size of [65_000, 200_000, 260_000, 1_048_576, 4_193_000, 4_194_200, 4_195_000]) {
    const body = pattern(Math.ceil(size / 4) * 4).subarray(0, size);
    const flow = makeHttpFlow({
      request: { url: "http://a/", body: body.slice(0, 70_000) },
      response: { body },
    });
    const bytes = encodeFlow(flow).bytes();
    const two = new Uint8Array(2 * bytes.length);
    two.set(bytes);
    two.set(bytes, bytes.length);
    for (const lengths of [[two.length], [64 * 1024], [4099], [1_000_001, 17]]) {
      const { flows, error } = await readAll(readFlowFile(cut(two, lengths)));
      assertEquals([error, flows.length], [null, 2]);
      for (const copy of flows as HttpFlow[]) {
        assertEquals([copy.request.size, copy.response!.size], [Math.min(size, 70_000), size]);
        const content = copy.response!.rawContent!;
        assert(content.every((byte, i) => byte === body[i]), `${size} bytes in pieces of ${lengths}`);
        copy.response![internals].stored?.dispose();
      }
    }
  }
});

Deno.test("a connection is written as it is when the flow is", async () => {
  const serverConn = makeServerConnection({ address: { hostname: "a", port: 80 }, timestampStart: 1000 });
  const flow = makeHttpFlow({ request: { url: "http://a/" }, serverConn });
  assertEquals((await again(flow)).serverConn?.timestampEnd, null);
  markClosed(serverConn);
  assertEquals((await again(flow)).serverConn?.timestampEnd, serverConn.timestampEnd);
});

Deno.test("the proxy on the way is kept without credentials; SOCKS5, which mitmproxy refuses, is left out", async () => {
  const address = { hostname: "a", port: 443 };
  for (
    const [via, kept] of [
      ["http://proxy.example:3128", "http://proxy.example:3128"],
      ["https://[::1]:443", "https://[::1]:443"],
      ["socks5://127.0.0.1:1080", null],
      [null, null],
    ]
  ) {
    const serverConn = makeServerConnection({ address, via });
    const flow = makeHttpFlow({ request: { url: "https://a/" }, serverConn });
    assertEquals((await again(flow)).serverConn.via, kept);
  }
});
