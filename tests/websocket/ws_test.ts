/** Node's `ws` package on both ends, over real sockets. */
import { assert, assertEquals } from "@std/assert";
import { equals } from "@std/bytes";
// @ts-types="./ws.d.ts"
import { type DeflateOptions, WebSocket, WebSocketServer } from "ws";
import { type Gateway, type GatewaySetup, startGateway } from "./gateway.ts";

interface Rig {
  client: WebSocket;
  /** The server's end. */
  peer: WebSocket;
  server: WebSocketServer;
  gateway: Gateway;
  close(): Promise<void>;
}

const opened = (socket: WebSocket) => new Promise<void>((resolve) => socket.on("open", resolve));
const closed = (socket: WebSocket) =>
  new Promise<[number, string]>((resolve) =>
    socket.on("close", (code, reason) => resolve([code, new TextDecoder().decode(reason)]))
  );

/** The next `count` messages, strings for text. */
function receive(socket: WebSocket, count: number): Promise<(string | Uint8Array)[]> {
  const seen: (string | Uint8Array)[] = [];
  return new Promise((resolve) => {
    if (count === 0) resolve(seen);
    socket.on("message", (data, isBinary) => {
      seen.push(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data));
      if (seen.length === count) resolve(seen);
    });
  });
}

async function rig(deflate: boolean | DeflateOptions, setup: GatewaySetup = {}): Promise<Rig> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: deflate });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  const connected = new Promise<WebSocket>((resolve) => server.on("connection", resolve));
  const gateway = startGateway(server.address().port, setup);
  const client = new WebSocket(gateway.url, [], { perMessageDeflate: deflate });
  client.on("error", () => {});
  await opened(client);
  const peer = await connected;
  peer.on("error", () => {});
  return {
    client,
    peer,
    server,
    gateway,
    async close() {
      if (client.readyState !== 3) {
        const gone = closed(client);
        client.close();
        await gone;
      }
      await gateway.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const text = "Grüße, 世界 😀 ".repeat(50);
const random = new Uint8Array(10 << 20);
for (let at = 0; at < random.length; at += 65536) crypto.getRandomValues(random.subarray(at, at + 65536));
const even = new Uint8Array(10 << 20).map((_, i) => i >> 8);
const MESSAGES = ["a", text, "", new Uint8Array(0), even, text, random, "the end"];

function same(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return equals(a, b);
}

const DEFLATES: Record<string, boolean | DeflateOptions> = {
  "no compression": false,
  "context takeover": { threshold: 0 },
  "no context takeover": { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  "small windows": { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
};

for (const [name, deflate] of Object.entries(DEFLATES)) {
  for (const stream of [false, true]) {
    Deno.test(`ws, ${name}, ${stream ? "stream" : "message"} mode: everything arrives byte-exact both ways`, async () => {
      const { client, peer, gateway, close } = await rig(deflate, { stream, onMessage: () => {} });
      assertEquals(client.extensions.startsWith("permessage-deflate"), deflate !== false);
      const up = receive(peer, MESSAGES.length), down = receive(client, MESSAGES.length);
      for (const message of MESSAGES) {
        client.send(message);
        peer.send(message);
      }
      for (const seen of [await up, await down]) {
        seen.forEach((message, i) => assert(same(message, MESSAGES[i]), `message ${i} differs`));
      }
      await close();
      assertEquals(await gateway.conversations[0].ended, null);
      const { messages, forgotten } = gateway.conversations[0].data;
      assertEquals(messages.length + forgotten, 2 * MESSAGES.length);
    });
  }

  Deno.test(`ws, ${name}: changed, dropped and injected messages leave the compression intact`, async () => {
    const { client, peer, close } = await rig(deflate, {
      onMessage(message, data) {
        if (message.injected || !message.isText) return;
        if (message.text.startsWith("change")) message.text = message.text.replace("change", "changed");
        if (message.text.startsWith("drop")) message.drop();
        if (message.text.startsWith("inject")) {
          return data.inject(message.fromClient, `from weir: ${message.text}`);
        }
      },
    });
    const sent = [
      text,
      "keep 1",
      "change 2",
      text,
      "drop 3",
      "inject 4",
      text,
      "change 5",
      new Uint8Array(70_000),
      "end",
    ];
    const expected = sent.filter((m) => m !== "drop 3")
      .map((m) => typeof m === "string" ? m.replace("change", "changed") : m);
    // Each side also gets what was injected for the other's "inject 4".
    const up = receive(peer, expected.length + 1), down = receive(client, expected.length + 1);
    for (const message of sent) {
      client.send(message);
      peer.send(message);
    }
    for (const seen of [await up, await down]) {
      assertEquals(seen.filter((m) => m === "from weir: inject 4").length, 1);
      assertEquals(seen.filter((m) => m !== "from weir: inject 4"), expected);
    }
    await close();
  });
}

Deno.test("ws: fragments, pings, and a close with code and reason", async () => {
  const { client, peer, gateway, close } = await rig(false);
  const seen = receive(peer, 1);
  client.send("one ", { fin: false });
  client.send("two ", { fin: false });
  const ponged = new Promise<string>((resolve) =>
    client.on("pong", (data) => resolve(new TextDecoder().decode(data)))
  );
  client.ping("are you there");
  assertEquals(await ponged, "are you there");
  client.send("three", { fin: true });
  assertEquals(await seen, ["one two three"]);
  const ends = Promise.all([closed(client), closed(peer)]);
  peer.close(4321, "that is all");
  assertEquals(await ends, [[4321, "that is all"], [4321, "that is all"]]);
  await close();
  assertEquals(await gateway.conversations[0].ended, null);
  assertEquals(gateway.conversations[0].data.closedByClient, false);
});

Deno.test("ws: a lost connection is 1006 for the other side", async () => {
  for (const loser of ["client", "peer"] as const) {
    const test = await rig(true);
    const ends = closed(loser === "client" ? test.peer : test.client);
    test[loser].terminate();
    assertEquals((await ends)[0], 1006);
    assertEquals((await test.gateway.conversations[0].ended)?.code, "closed");
    await test.close();
  }
});

Deno.test("ws: Deno's own WebSocket talks through the relay", async () => {
  const test = await rig(false);
  const socket = new globalThis.WebSocket(test.gateway.url);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.onopen = resolve);
  const peer = [...test.server.clients].at(-1)!;
  peer.on("message", (data, isBinary) => peer.send(data, { binary: isBinary }));
  for (const message of ["hello", text]) {
    const echo = new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
    socket.send(message);
    assertEquals((await echo).data, message);
  }
  const gone = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close(3000, "done");
  assertEquals([(await gone).code, (await gone).reason], [3000, "done"]);
  await test.close();
});
