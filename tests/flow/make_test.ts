/** Flows that no proxy ran. @module */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { newId } from "../../src/flow/connection.ts";
import { makeHttpFlow, makeServerConnection, makeTcpFlow } from "../../src/flow/make.ts";
import { snapshot } from "../../src/flow/snapshot.ts";
import { StoredBody } from "../../src/streams/mod.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A body in a file, as what is longer than 1 MiB is. */
async function stored(content: Uint8Array): Promise<StoredBody> {
  const body = new StoredBody();
  await body.append(content);
  body.end(null);
  return body;
}

Deno.test("ids have the shape of UUIDs and count up", () => {
  const [one, two] = [newId(), newId()];
  for (const id of [one, two]) assertMatch(id, /^[0-9a-f]{8}-0000-4000-8000-[0-9a-f]{12}$/);
  assert(one < two);
});

Deno.test("a made flow is over, and is what it was made of", () => {
  const flow = makeHttpFlow({
    id: "an-id",
    request: {
      method: "PUT",
      url: "https://example.com:8443/a%2fb?q=1",
      headers: [["Host", "example.com:8443"], ["X-A", "1"]],
      httpVersion: "HTTP/2.0",
      body: "up",
      timestampStart: 1000,
      timestampEnd: 1100,
    },
    response: {
      statusCode: 404,
      headers: { "content-length": "4" },
      body: bytes("gone"),
      trailers: { t: "1" },
    },
    marked: ":star:",
    comment: "why",
    isReplay: "response",
    metadata: { "weir.timeline": [[0, 4]] },
    serverConn: makeServerConnection({ address: { hostname: "example.com", port: 8443 } }),
    error: "it broke",
  });
  const { request, response } = flow;
  assertEquals(flow.live, false);
  assertEquals([flow.id, flow.timestampStart, flow.marked, flow.comment, flow.isReplay], [
    "an-id",
    1000,
    ":star:",
    "why",
    "response",
  ]);
  assertEquals([request.method, request.url, request.text, request.timestampEnd], [
    "PUT",
    "https://example.com:8443/a%2fb?q=1",
    "up",
    1100,
  ]);
  assertEquals(request.headers.raw, ["Host", "example.com:8443", "X-A", "1"]);
  assertEquals([response?.statusCode, response?.reason, response?.text], [404, "Not Found", "gone"]);
  assertEquals(response?.trailers?.get("t"), "1");
  assertEquals([flow.error?.message, flow.error?.cause.code], ["it broke", "closed"]);
  assertEquals(flow.metadata, { "weir.timeline": [[0, 4]] });
  assertEquals(flow.clientConn.address, { hostname: "", port: 0 });
  assertEquals(flow.serverConn?.timestampEnd, null);
});

Deno.test("parts of a URL are kept as they are, and the Host field with them", () => {
  const { request } = makeHttpFlow({
    request: { scheme: "http", host: "10.0.0.1", port: 81, path: "/a b?ü", headers: [["host", "other"]] },
  });
  assertEquals([request.url, request.headers.get("host")], ["http://10.0.0.1:81/a b?ü", "other"]);
});

Deno.test("a made flow needs an http URL, fields that can be ones, and bytes", () => {
  assertThrows(() => makeHttpFlow({ request: { url: "ftp://example.com/" } }), TypeError, "not http");
  assertThrows(() => makeHttpFlow({ request: { url: "http://a/", headers: { "a b": "" } } }), TypeError);
  const body = 5 as unknown as string;
  assertThrows(
    () => makeHttpFlow({ request: { url: "http://a/", body } }),
    TypeError,
    "bytes, a string or null",
  );
});

Deno.test("bodies are absent, bytes, or stored; content can be assigned to all", async () => {
  const large = new Uint8Array(3 * 1024 * 1024).fill(7);
  using body = await stored(large);
  const flow = makeHttpFlow({
    request: { url: "http://a/", body: null, streamedBy: "addon" },
    response: { body, headers: { "content-length": "3145728" } },
  });
  const { request, response } = flow;
  assertEquals([request.content, request.size, request.streamedBy, request.stream], [null, 0, "addon", true]);
  assertEquals([response?.size, response?.content?.length], [large.length, large.length]);
  assertInstanceOf(response?.readStored(), ReadableStream);
  const putBack = snapshot(flow);
  request.text = "now there";
  response!.content = "short";
  assertEquals([request.text, response?.text, response?.size], ["now there", "short", 5]);
  assertEquals([response?.headers.get("content-length"), response?.readStored()], ["5", null]);
  putBack();
  assertEquals([request.content, response?.size, response?.headers.get("content-length")], [
    null,
    large.length,
    "3145728",
  ]);
});

Deno.test("a coded body that is assigned is coded again", async () => {
  const packed = new Response(new Blob(["before"]).stream().pipeThrough(new CompressionStream("gzip")));
  const body = new Uint8Array(await packed.arrayBuffer());
  const { response } = makeHttpFlow({
    request: { url: "http://a/" },
    response: { headers: { "content-encoding": "gzip" }, body },
  });
  assertEquals(response!.text, "before");
  response!.text = "after";
  assertEquals(response!.text, "after");
  assertEquals([...response!.rawContent!.subarray(0, 2)], [0x1f, 0x8b]);
});

Deno.test("a made WebSocket conversation has all its messages and how it ended", () => {
  const { websocket } = makeHttpFlow({
    request: { url: "http://a/", timestampStart: 500 },
    response: { statusCode: 101 },
    websocket: {
      messages: Array.from({ length: 3000 }, (_, i) => ({
        isText: i !== 1,
        fromClient: i % 2 === 0,
        content: `${i}`,
        timestamp: 600 + i,
        dropped: i === 2,
        injected: i === 3,
      })),
      closedByClient: false,
      closeCode: 1001,
      closeReason: "bye",
      timestampEnd: 9000,
    },
  });
  const [, binary, dropped, injected] = websocket!.messages;
  assertEquals(websocket!.messages.length, 3000);
  assertEquals([binary.isText, binary.fromClient, binary.timestamp], [false, false, 601]);
  assertStrictEquals(binary.content, binary.content);
  assertEquals([dropped.dropped, dropped.text, injected.dropped, injected.injected], [
    true,
    "2",
    false,
    true,
  ]);
  assertEquals([websocket!.closedByClient, websocket!.closeCode, websocket!.closeReason], [
    false,
    1001,
    "bye",
  ]);
  assertEquals([websocket!.timestampStart, websocket!.timestampEnd], [500, 9000]);
});

Deno.test("a made TCP flow keeps more messages than a live one does", () => {
  const messages = Array.from({ length: 100 }, (_, i) => ({
    fromClient: i % 2 === 0,
    content: bytes(`${i}`),
    timestamp: i,
  }));
  const flow = makeTcpFlow({ messages, timestampStart: 5 });
  assertEquals([flow.messages.length, flow.live, flow.timestampStart], [100, false, 5]);
});
