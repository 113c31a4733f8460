/** Secrets on their way: put in towards their hosts alone, taken out of everything that comes back. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Addon, HttpFlow } from "weir";
import { closeFrame } from "../websocket/support.ts";
import { Client } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { Http2Client, http2Origin, requestTo } from "./support/http2.ts";
import { type Origin, origin, type Script } from "./support/origin.ts";
import { policed, type PolicedProxy } from "./support/policy.ts";
import { rawClient, rawServer } from "./support/websocket.ts";

const VALUE = 'sk-real/"value"+0123456789';
const HOLDER = "the-placeholder-of-key";
const env = { WEIR_TEST_KEY: VALUE };

function policy(port: number, more = ""): string {
  return `rules:\n  - allow: [localhost:${port}, 127.0.0.1:${port}]\nsecrets:\n  KEY:\n    from: env:WEIR_TEST_KEY\n    hosts: [localhost]\n    placeholder: ${HOLDER}\n${more}`;
}

async function secured(weir: PolicedProxy, server: Origin): Promise<Client> {
  const client = await Client.connect(weir);
  await client.tunnel(server.authority);
  await client.startTls("localhost", await weir.proxy.ca());
  return client;
}

const answer = (head: string, body: string | Uint8Array): Script => async (wire) => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  await wire.send(`HTTP/1.1 200 OK\r\n${head}Content-Length: ${bytes.length}\r\n\r\n`);
  await wire.send(bytes);
};

Deno.test("a value comes back as the placeholder from status line, fields, 1xx, trailers and body, in each of its forms", async () => {
  const json = JSON.stringify(VALUE).slice(1, -1), percent = encodeURIComponent(VALUE);
  await using server = await origin(async (wire) => {
    await wire.send(`HTTP/1.1 103 Early Hints\r\nLink: <${percent}>\r\n\r\n`);
    await wire.send(
      `HTTP/1.1 200 ${VALUE}\r\nX-Echo: ${VALUE}\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n`,
    );
    const body = `${VALUE} ${json} ${percent}`;
    for (const byte of body) await wire.send(`1\r\n${byte}\r\n`);
    await wire.send(`0\r\nX-End: ${VALUE}\r\n\r\n`);
  }, { tls: true });
  const seen: string[] = [];
  const addon: Addon = {
    responseheaders: ({ response }: HttpFlow) =>
      void seen.push(response!.reason, response!.headers.get("x-echo")!),
    response: ({ response }: HttpFlow) => void seen.push(response!.text!),
  };
  await using weir = await policed(policy(server.port), { env, addon });
  await using client = await secured(weir, server);
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const { interim, head, text, trailers } = await client.response();
  assertEquals(interim[0].get("link"), `<${HOLDER}>`);
  assertEquals([head.reason, head.get("x-echo")], [HOLDER, HOLDER]);
  assertEquals(text, `${HOLDER} ${HOLDER} ${HOLDER}`);
  assertEquals(trailers, [["X-End", HOLDER]]);
  // Hooks have not seen more than the client.
  assertEquals(seen, [HOLDER, HOLDER, text]);
});

Deno.test("a body that is declared too large to be buffered is streamed at once; a small one keeps a length", async () => {
  const bulk = "x".repeat(3000);
  await using server = await origin(
    (wire, request) => answer("", request.target === "/bulk" ? bulk : `a ${VALUE} b`)(wire, request),
    { tls: true },
  );
  const by: (string | null)[] = [];
  const addon: Addon = { response: ({ response }: HttpFlow) => void by.push(response!.streamedBy) };
  await using weir = await policed(policy(server.port), { env, addon, options: { body_buffer_limit: "2k" } });
  await using client = await secured(weir, server);
  await client.send("GET /bulk HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals((await client.response()).text, bulk);
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const { head, text } = await client.response();
  assertEquals([text, head.get("content-length")], [`a ${HOLDER} b`, String(HOLDER.length + 4)]);
  assertEquals(by, ["memory", null]);
});

Deno.test("a compressed body is scrubbed, and an event is out before the next one comes", async () => {
  await using server = await origin(answer("Content-Encoding: gzip\r\n", gzipSync(`a ${VALUE} b`)), {
    tls: true,
  });
  await using weir = await policed(policy(server.port), { env });
  await using client = await secured(weir, server);
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, x-odd, br;q=0.5\r\n\r\n");
  const { bytes } = await client.response();
  assertEquals(new TextDecoder().decode(gunzipSync(bytes)), `a ${HOLDER} b`);
  assertEquals(server.requests[0].get("accept-encoding"), "gzip, br;q=0.5");
});

Deno.test("token by token: what a model says in pieces is scrubbed, each event as soon as it is decided", async () => {
  const { promise: go, resolve } = Promise.withResolvers<void>();
  const delta = (content: string) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
  await using server = await origin(async (wire) => {
    await wire.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = (text: string) =>
      wire.send(`${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`);
    await chunk(delta("Hello "));
    await go;
    for (const sign of VALUE) await chunk(delta(sign));
    await chunk(`${delta(".")}data: [DONE]\n\n`);
    await wire.send("0\r\n\r\n");
  }, { tls: true });
  await using weir = await policed(policy(server.port), { env });
  await using client = await secured(weir, server);
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const body = client.body(await client.head());
  const decoder = new TextDecoder();
  assertEquals(decoder.decode((await body.next())!), delta("Hello "));
  resolve();
  let said = "";
  for (let piece; (piece = await body.next()) !== null;) said += decoder.decode(piece);
  const texts = said.split("\n\n").filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice(6)).choices[0].delta.content);
  assertEquals(texts.join(""), `${HOLDER}.`);
});

Deno.test("over HTTP/2, both ways", async () => {
  await using server = await http2Origin(async (peer, id, request) => {
    await peer.headers(id, [
      ":status",
      "200",
      "x-echo",
      VALUE,
      "x-got",
      /authorization=(Bearer \S+)/.exec(request)![1],
    ], 0);
    await peer.data(id, VALUE, true);
  });
  await using weir = await policed(policy(server.origin.port), { env });
  await using client = await Http2Client.connect({ port: weir.port, ca: () => weir.proxy.ca() }, server);
  await client.peer.request(1, requestTo(server, "GET", "/", "authorization", `Bearer ${HOLDER}`));
  const lines: string[] = [];
  while (!lines.at(-1)?.endsWith("+END")) lines.push(await client.peer.line());
  assertStringIncludes(server.seen.list.join(), VALUE);
  assertEquals(lines.join().includes(VALUE), false);
  assertStringIncludes(lines.join(), `x-echo=${HOLDER}`);
  assertStringIncludes(lines.join(), `x-got=Bearer ${HOLDER}`);
  assertStringIncludes(lines.slice(1).join(), HOLDER);
});

Deno.test("a secret goes out over verified TLS alone; a placeholder towards another host is refused by name", async () => {
  await using plain = await origin(answer("", "x"));
  await using secure = await origin(answer("", "y"), { tls: true });
  const text = `rules:\n  - allow: [127.0.0.1:${plain.port}, localhost:${secure.port}]\nsecrets:\n` +
    `  KEY: { from: "env:WEIR_TEST_KEY", hosts: [localhost:${plain.port}], placeholder: ${HOLDER} }\n`;
  await using weir = await policed(text, { env });
  await using client = await Client.connect(weir);
  await client.send(`GET ${plain.url("/")} HTTP/1.1\r\nHost: ${plain.authority}\r\nX-Key: ${HOLDER}\r\n\r\n`);
  const first = await client.response();
  assertEquals([first.head.statusCode, first.head.get("x-weir-policy")], [403, "denied"]);
  assertStringIncludes(first.text, "KEY is sent over TLS with a verified certificate only");
  await using tunnel = await secured(weir, secure);
  await tunnel.send(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Key: ${HOLDER}\r\n\r\n`);
  const second = await tunnel.response();
  assertEquals(second.head.statusCode, 403);
  assertStringIncludes(second.text, "the request carries the placeholder of KEY, which is not for 127.0.0.1");
  assertEquals([plain.requests.length, secure.requests.length], [0, 0]);
});

Deno.test("with ssl_insecure a secret is not sent", async () => {
  await using server = await origin(answer("", "y"), { tls: true });
  await using weir = await policed(policy(server.port), { env, options: { ssl_insecure: true } });
  await using client = await secured(weir, server);
  await client.send(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Key: ${HOLDER}\r\n\r\n`);
  assertEquals((await client.response()).head.statusCode, 403);
  await client.send(`GET / HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  assertEquals((await client.response()).head.statusCode, 200);
});

const readBody: Script = async (wire, request) => {
  const reader = BodyReader.ofRequest(wire, request);
  let text = "";
  for (let piece; (piece = await reader.next()) !== null;) text += new TextDecoder("latin1").decode(piece);
  bodies.push(text);
  await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
};
const bodies: string[] = [];

Deno.test("a body is substituted while it streams where its secret says so; else the placeholder stays and is counted", async () => {
  await using server = await origin(readBody, { tls: true });
  await using weir = await policed(policy(server.port, "    in: [body]\n"), { env });
  await using client = await secured(weir, server);
  const body = JSON.stringify({ key: HOLDER });
  await client.send(
    `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await client.response();
  assertEquals(bodies.pop(), JSON.stringify({ key: VALUE }));
  assertEquals(server.requests[0].get("content-length"), null);
  await client.send(`POST / HTTP/1.1\r\nHost: localhost\r\nX-Key: ${HOLDER}\r\nContent-Length: 0\r\n\r\n`);
  await client.response();
  assertEquals(server.requests[1].get("x-key"), HOLDER);
  bodies.length = 0;
  const ended = weir.audit().filter(({ event }) => event === "ended");
  assertEquals(ended.map(({ injected, carried }) => [injected, carried]), [[{ KEY: 1 }, {}], [{}, {
    KEY: 1,
  }]]);
});

Deno.test("a body that carries a placeholder for nobody passes as it is, with its length", async () => {
  await using server = await origin(readBody, { tls: true });
  await using weir = await policed(policy(server.port), { env });
  await using client = await secured(weir, server);
  await client.send(
    `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${HOLDER.length}\r\n\r\n${HOLDER}`,
  );
  await client.response();
  assertEquals(bodies.pop(), HOLDER);
  assertEquals(server.requests[0].get("content-length"), String(HOLDER.length));
  assertEquals(weir.audit()[1].carried, { KEY: 1 });
});

Deno.test("fields are added to requests to some hosts, in the place of the program's own", async () => {
  await using server = await origin(answer("", "x"), { tls: true });
  const more =
    `add:\n  - host: localhost\n    headers: { authorization: "Bearer \${KEY}", x-fixed: "yes" }\n`;
  await using weir = await policed(policy(server.port, more), { env });
  await using client = await secured(weir, server);
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: mine\r\n\r\n");
  await client.response();
  assertEquals(server.requests[0].all("authorization"), [`Bearer ${VALUE}`]);
  assertEquals(server.requests[0].get("x-fixed"), "yes");
});

for (const streamed of [false, true]) {
  Deno.test(`a WebSocket: messages, close reasons and pings both ways, ${streamed ? "frames streamed" : "message by message"}`, async () => {
    await using backend = await rawServer({ tls: true });
    await using weir = await policed(policy(backend.origin.port, "    in: [websocket]\n"), {
      env,
      options: { stream_websockets: streamed },
    });
    const { client: wire, head, peer: client } = await rawClient(
      {
        port: weir.port,
        ca: () => weir.proxy.ca(),
      },
      backend.origin,
      {
        fields: "Sec-WebSocket-Extensions: permessage-deflate\r\n",
      },
    );
    await using _ = wire;
    assertEquals([head.statusCode, head.get("sec-websocket-extensions")], [101, null]);
    const server = await backend.peer;
    await client.text(`key=${HOLDER}`);
    assertEquals(await server.brief(), `text key=${VALUE}`);
    await client.text(JSON.stringify({ key: HOLDER }));
    assertEquals(await server.brief(), `text ${JSON.stringify({ key: VALUE })}`);
    await server.text(`you said ${VALUE}!`);
    assertEquals(await client.brief(), `text you said ${HOLDER}!`);
    // In fragments of which none has the whole value.
    await server.send(
      { opcode: 1, payload: `a ${VALUE.slice(0, 9)}`, fin: false },
      { opcode: 0, payload: VALUE.slice(9) },
    );
    let text = "";
    for (let frame; text === "" || !frame!.fin;) {
      text += new TextDecoder().decode((frame = await client.frame()).payload);
    }
    assertEquals(text, `a ${HOLDER}`);
    // weir answers the ping itself, with what it said; the client's pong goes no further.
    await server.send({ opcode: 9, payload: VALUE });
    assertEquals(await client.brief(), `ping ${HOLDER}`);
    assertEquals(await server.brief(), `pong ${VALUE}`);
    await client.send({ opcode: 10, payload: HOLDER }, { opcode: 1, payload: "after" });
    assertEquals(await server.brief(), "text after");
    await server.send(closeFrame(1000, VALUE));
    assertEquals(await client.brief(), `close 1000 ${HOLDER}`);
    await client.send(closeFrame(1000, HOLDER));
    assertEquals(await server.brief(), `close 1000 ${VALUE}`);
    server.wire.close();
    await client.wire.untilEnd();
  });
}
