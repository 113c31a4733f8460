/** The opening handshake through weir (RFC 6455 §4): what passes, what is refused, and what is just HTTP. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encode } from "../websocket/support.ts";
import { Client } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import {
  KEY,
  rawClient,
  RawPeer,
  rawServer,
  recordWebSocket,
  switching,
  upgrade,
} from "./support/websocket.ts";
import { Events, SOON, within } from "./support/within.ts";

Deno.test("key, version, subprotocol and other fields pass as they are; unknown extensions are taken out of the offer", async () => {
  await using server = await rawServer({
    fields: "Sec-WebSocket-Protocol: chat.v2\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
  });
  await using proxy = await startProxy();
  const { client, head } = await rawClient(proxy, server.origin, {
    fields: "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nOrigin: http://page.example\r\n" +
      "Sec-WebSocket-Extensions: x-unknown, permessage-deflate; client_max_window_bits, bbf-usp-protocol\r\n",
  });
  await using _ = client;
  assertEquals(head.statusCode, 101);
  assertEquals(head.get("sec-websocket-protocol"), "chat.v2");
  assertEquals(head.get("sec-websocket-extensions"), "permessage-deflate");
  const [request] = server.origin.requests;
  assertEquals(request.get("sec-websocket-key"), KEY);
  assertEquals(request.get("sec-websocket-version"), "13");
  assertEquals(request.get("sec-websocket-protocol"), "chat.v1, chat.v2");
  assertEquals(request.get("origin"), "http://page.example");
  assertEquals(request.get("sec-websocket-extensions"), "permessage-deflate; client_max_window_bits");
});

Deno.test("an offer of unknown extensions alone is not sent at all", async () => {
  await using server = await rawServer();
  await using proxy = await startProxy();
  const { client, head } = await rawClient(proxy, server.origin, {
    fields: "Sec-WebSocket-Extensions: x-unknown; a=1\r\n",
  });
  await using _ = client;
  assertEquals(head.statusCode, 101);
  assertEquals(server.origin.requests[0].get("sec-websocket-extensions"), null);
});

Deno.test("a request target with the scheme ws is understood", async () => {
  await using server = await rawServer();
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(upgrade(`ws://${server.origin.authority}/chat?a=b`, server.origin.authority));
  assertEquals((await client.head()).statusCode, 101);
  assertEquals(server.origin.requests[0].target, "/chat?a=b");
});

Deno.test("bytes behind the 101 and behind the request are not lost", async () => {
  await using server = await rawServer({
    early: encode({ opcode: 1, payload: "early from the server" }, false),
  });
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  const request = new TextEncoder().encode(upgrade(server.origin.url("/chat"), server.origin.authority));
  const early = encode({ opcode: 1, payload: "early from the client" }, true);
  await client.send(new Uint8Array([...request, ...early]));
  assertEquals((await client.head()).statusCode, 101);
  assertEquals(await new RawPeer(client, true).brief(), "text early from the server");
  assertEquals(await (await server.peer).brief(), "text early from the client");
});

Deno.test("a handshake that the server declines is an ordinary response, and the connection goes on", async () => {
  const events = new Events();
  await using server = await origin((wire, request) =>
    withLength(request.get("upgrade") ? "no sockets here" : "hello", "X-Seen: 1\r\n")(wire, request)
  );
  await using proxy = await startProxy([recordWebSocket(events)]);
  await using client = await Client.connect(proxy);
  await client.send(upgrade(server.url("/chat"), server.authority));
  const declined = await client.response();
  assertEquals([declined.head.statusCode, declined.text, declined.end], [200, "no sockets here", "complete"]);
  await client.send(`GET ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertEquals((await client.response()).text, "hello");
  await events.seen("complete", 2);
  assertEquals(events.list, ["complete", "complete"]);
});

const BROKEN: Record<string, string> = {
  "a wrong accept value": switching("AAAAAAAAAAAAAAAAAAAAAA=="),
  "a subprotocol that was not offered": switching(KEY, "Sec-WebSocket-Protocol: other\r\n"),
  "an extension that was not offered": switching(KEY, "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
};
for (const [what, answer] of Object.entries(BROKEN)) {
  Deno.test(`a server's handshake with ${what} is a 502, its connection is closed, and the flow ends with error`, async () => {
    const events = new Events();
    const gone = Promise.withResolvers<string>();
    await using server = await origin(async (wire) => {
      await wire.send(answer);
      gone.resolve(await wire.untilEnd());
      wire.close();
    });
    await using proxy = await startProxy([recordWebSocket(events)]);
    await using client = await Client.connect(proxy);
    await client.send(upgrade(server.url("/chat"), server.authority));
    const seen = await client.response();
    assertEquals(seen.head.statusCode, 502);
    assertMatch(seen.text, /WebSocket|Sec-WebSocket/);
    await within(SOON, gone.promise, "the server's connection to be closed");
    await events.seen("error protocol");
    assertEquals(events.list, ["error protocol"]);
  });
}

Deno.test("a client's broken handshake is refused: 426 for another version, 400 for a bad key, nothing reaches the server", async () => {
  await using server = await rawServer();
  await using proxy = await startProxy();
  const good = upgrade(server.origin.url("/chat"), server.origin.authority);
  for (
    const [request, status] of [[good.replace(": 13", ": 8"), 426], [
      good.replace(KEY, "short"),
      400,
    ]] as const
  ) {
    await using client = await Client.connect(proxy);
    await client.send(request);
    const { head } = await client.response();
    assertEquals(head.statusCode, status);
  }
  assertEquals(server.origin.requests.length, 0);
});

Deno.test("an addon answers in place of the handshake, in request, responseheaders and response", async () => {
  for (const hook of ["request", "responseheaders", "response"] as const) {
    const events = new Events();
    await using server = await rawServer();
    await using proxy = await startProxy([
      {
        [hook]: (flow: { response: unknown }) =>
          flow.response = new Response(`blocked in ${hook}`, { status: 403 }),
      },
      recordWebSocket(events),
    ]);
    await using client = await Client.connect(proxy);
    await client.send(upgrade(server.origin.url("/chat"), server.origin.authority));
    const seen = await client.response();
    assertEquals([seen.head.statusCode, seen.text], [403, `blocked in ${hook}`]);
    await events.seen("complete");
    assertEquals(events.list, ["complete"]);
    if (hook !== "request") await within(SOON, (await server.peer).wire.untilEnd(), "the server's end");
    else assertEquals(server.origin.requests.length, 0);
  }
});

Deno.test("flow.kill() before the 101 has been passed on closes both sides", async () => {
  for (const hook of ["responseheaders", "response", "websocket_start"] as const) {
    const events = new Events();
    await using server = await rawServer();
    await using proxy = await startProxy([
      { [hook]: (flow: { kill(): void }) => flow.kill() },
      recordWebSocket(events),
    ]);
    await using client = await Client.connect(proxy);
    await client.send(upgrade(server.origin.url("/chat"), server.origin.authority));
    await within(SOON, client.untilEnd(), "the client's end");
    await within(SOON, (await server.peer).wire.untilEnd(), "the server's end");
    await events.seen("error killed");
    assertEquals(events.list.filter((event) => event === "complete" || event.startsWith("error")).length, 1);
    assert(hook === "websocket_start" || !events.list.includes("websocket_start"));
  }
});
