/**
 * The same traffic through weir and through mitmdump: each opens what the other saved (issue "Flows", 1).
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Flow, type Message, readFlows } from "weir";
import { closeFrame } from "../websocket/support.ts";
import { bytesBody } from "../../src/streams/mod.ts";
import { absolute, Client } from "./support/client.ts";
import type { TrustedProxy } from "./support/http2.ts";
import { hasMitmdump, Mitmdump, mitmdumpShows } from "./support/mitmdump.ts";
import { echo, origin, sends, tcpOrigin, withChunks, withLength } from "./support/origin.ts";
import { read, response, VersionClient, VersionOrigin } from "./support/versions.ts";
import { runWeir, startWeir } from "./support/weir.ts";
import { rawClient, rawServer } from "./support/websocket.ts";
import { bytesOf } from "./support/wire.ts";

/** What both proxies are given, one after the other. */
async function traffic(proxy: TrustedProxy): Promise<void> {
  await http1(proxy);
  await http2(proxy);
  await webSocket(proxy);
  await tcp(proxy);
}

async function http1(proxy: TrustedProxy): Promise<void> {
  const gzip = new Uint8Array(
    await new Response(new Blob(["packed text"]).stream().pipeThrough(new CompressionStream("gzip")))
      .arrayBuffer(),
  );
  await using server = await origin(async (wire, request) => {
    if (request.target === "/echo") await echo(wire, request);
    else if (request.target === "/gzip") {
      await withLength(gzip, "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n")(wire, request);
    } else if (request.target === "/chunks") await withChunks(["one", "two"])(wire, request);
    else {await sends(
        "HTTP/1.1 404 Nothing Here\r\nX-A: 1\r\nX-A: 2\r\nX-B: caf\xe9\r\nContent-Length: 0\r\n\r\n",
      )(wire, request);}
  });
  await using client = await Client.connect(proxy);
  const body = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  for (
    const [method, path, init] of [
      ["GET", "/missing?a=1&b=%20", { fields: "X-Empty:\r\nx-case: Kept\r\n" }],
      ["POST", "/echo", { body: "a=1&b=two", fields: "Content-Type: application/x-www-form-urlencoded\r\n" }],
      ["PUT", "/echo", { body }],
      ["GET", "/gzip", {}],
      ["GET", "/chunks", {}],
    ] as const
  ) {
    await client.send(absolute(server.url(path), { method, ...init }));
    await client.response(method);
  }
}

async function http2(proxy: TrustedProxy): Promise<void> {
  await using server = new VersionOrigin("HTTP/2.0", async (incoming) => {
    const { text } = await read(incoming.body);
    const body = bytesBody(bytesOf(`you sent ${text}`), ["grpc-status", "0"]);
    await incoming.respond(response(200, [["content-type", "text/plain"]]), body);
  });
  await using client = await VersionClient.connect("HTTP/2.0", proxy, server);
  const { body } = await client.send("GET", "/h2?q=1", { fields: [["x-h2", "yes"]] });
  assertEquals((await read(body)).text, "you sent ");
  const sent = await client.send("POST", "/h2/post", { body: bytesBody(bytesOf("some bytes"), null) });
  assertEquals((await read(sent.body)).text, "you sent some bytes");
}

async function webSocket(proxy: TrustedProxy): Promise<void> {
  await using server = await rawServer();
  const { client, peer } = await rawClient(proxy, server.origin);
  await using _ = client;
  const back = await server.peer;
  await peer.text("hello gr\u00fc\u00dfe");
  assertEquals((await back.frame()).opcode, 1);
  await back.send({ opcode: 2, payload: Uint8Array.of(0, 1, 254, 255) });
  assertEquals((await peer.frame()).opcode, 2);
  await peer.send(closeFrame(1000, "done"));
  while ((await back.frame()).opcode !== 8);
  await back.send(closeFrame(1000, "done"));
  back.wire.close();
  await client.untilEnd();
}

async function tcp(proxy: TrustedProxy): Promise<void> {
  await using server = await tcpOrigin(async (wire) => {
    await wire.readExactly(4);
    await wire.send("\xff\xfe answer");
    await wire.untilEnd();
    wire.close();
  });
  await using client = await Client.connect(proxy);
  await client.tunnel(`127.0.0.1:${server.port}`);
  await client.send("\x00\x01\x02\xf0");
  await client.readExactly(9);
  client.close();
}

/** Without ports, which differ, and without the client's address. */
function shown(text: string): string {
  return text.replace(/^\S+:\d+: /gm, "").replace(/:\d{4,5}\b/g, ":PORT").replace(
    /^ *sec-websocket-\w+: .*\n/gim,
    "",
  );
}

async function flowsIn(file: string): Promise<Flow[]> {
  const flows: Flow[] = [];
  for await (const flow of readFlows((await Deno.open(file)).readable)) flows.push(flow);
  return flows;
}

/** What clients and origins could tell of a flow. */
function facts(flow: Flow): unknown {
  if (flow.type === "tcp") {
    const side = (fromClient: boolean) =>
      flow.messages.filter((message) => message.fromClient === fromClient).flatMap((
        { content },
      ) => [...content]);
    return { tcp: [side(true), side(false)] };
  }
  const message = (of: Message) => ({
    version: of.httpVersion,
    headers: [...of.headers].map(([name, value]) => `${name}: ${value.replace(/:\d{4,5}$/, ":PORT")}`)
      .filter((line) => !/^sec-websocket-/i.test(line)),
    trailers: of.trailers?.raw ?? null,
    body: [...of.rawContent!],
  });
  const { request, response, websocket } = flow;
  return {
    line: `${request.method} ${request.url.replace(/:\d+/, ":PORT")}`,
    request: message(request),
    status: `${response!.statusCode} ${response!.reason}`,
    response: message(response!),
    websocket: websocket && {
      messages: websocket.messages.map(({ isText, fromClient, content }) => [isText, fromClient, ...content]),
      close: [websocket.closedByClient, websocket.closeCode, websocket.closeReason],
    },
  };
}

if (await hasMitmdump()) {
  Deno.test("weir and mitmdump save the same of the same traffic, and each shows what the other saved", async () => {
    await using weir = await startWeir({ args: ["-w", "$DIR/weir.mitm", "-k"] });
    await traffic({ port: weir.port, ca: () => Deno.readTextFile(weir.caFile) });
    await weir.stop();
    await using mitmdump = await Mitmdump.start();
    await traffic(mitmdump);
    await mitmdump.stop();

    const [ours, theirs] = [`${weir.dir}/weir.mitm`, mitmdump.file];
    const [flows, others] = [await flowsIn(ours), await flowsIn(theirs)];
    assertEquals(flows.length, 9);
    assertEquals(flows.map(facts), others.map(facts));

    const printed = await mitmdumpShows(ours, mitmdump.dir);
    assertEquals(shown(printed), shown(await mitmdumpShows(theirs, mitmdump.dir)));
    for (const part of ["packed text", "you sent some bytes", "WebSocket text message", "-> tcp ->"]) {
      assertStringIncludes(printed, part);
    }

    const [mine, yours] = await Promise.all([ours, theirs].map(async (file) => {
      const { code, stdout, stderr } = await runWeir({ args: ["-nr", file, "--flow-detail", "3"] });
      assertEquals([code, stderr], [0, ""]);
      return shown(stdout).replace(/\b\d+(?:\.\d+)? ?m?s\b/g, "TIME");
    }));
    assertEquals(mine, yours);
    assert(mine.includes("you sent some bytes"));
  });

  Deno.test("mitmdump shows streamed, failed, marked and edited flows of weir", async () => {
    const addon = `
      export function requestheaders(flow) {
        if (flow.request.path === "/kept") return;
        flow.request.stream = true;
        flow.marked = ":star:";
        flow.comment = "grüße\\nzwei";
        Object.assign(flow.metadata, { list: [1, 2.5, "x", null, true], deep: { a: {} }, skipped: () => 1 });
      }
      export function responseheaders(flow) { flow.response.stream = true; }`;
    await using server = await origin(withLength("streamed body"));
    await using weir = await startWeir({
      addon,
      args: ["-w", "$DIR/weir.mitm", "--set", "store_streamed_bodies=true"],
    });
    await using client = await Client.connect(weir);
    for (const url of [server.url("/one"), server.url("/kept"), "http://127.0.0.1:1/refused"]) {
      await client.send(absolute(url, { method: "POST", body: "up" }));
      await client.response("POST");
    }
    await weir.stop();
    const printed = await mitmdumpShows(`${weir.dir}/weir.mitm`, weir.dir);
    for (const part of ["/one", "/kept", "/refused", "streamed body", "127.0.0.1:1 failed"]) {
      assertStringIncludes(printed, part);
    }
    const [first, , refused] = await flowsIn(`${weir.dir}/weir.mitm`);
    assertEquals([first.marked, first.comment, refused.error?.cause.code], [
      ":star:",
      "grüße\nzwei",
      "unreachable",
    ]);
    assertEquals(first.metadata.list, [1, 2.5, "x", null, true]);
  });
} else console.log("mitmdump is not installed: that it reads weir's files is not tested.");
