/** Real clients and servers through weir: npm's `ws`, and Deno's own WebSocket. @module */
import { assert, assertEquals } from "@std/assert";
// @ts-types="../websocket/ws.d.ts"
import type { WebSocket } from "ws";
import { type Options, startProxy, type TestProxy } from "./support/proxy.ts";
import { recordWebSocket } from "./support/websocket.ts";
import { allKinds, echoServer, isSame, type Way, wsClient } from "./support/websocket_server.ts";
import { Events, within } from "./support/within.ts";

/** Some 70 MB through everything on a busy machine. */
const BULK = 240_000;
const MODES: [string, Options][] = [["message mode", {}], ["stream mode", { stream_websockets: true }]];
const MESSAGES = allKinds();

/** Sends everything, and compares what comes back with it; then closes. */
async function talk(client: WebSocket): Promise<void> {
  const echoed: (string | Uint8Array)[] = [];
  const all = new Promise<void>((resolve) =>
    client.on("message", (data, isBinary) => {
      echoed.push(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data));
      if (echoed.length === MESSAGES.length) resolve();
    })
  );
  for (const message of MESSAGES) client.send(message);
  await within(BULK, all, "all echoes");
  echoed.forEach((message, i) => assert(isSame(message, MESSAGES[i]), `message ${i} differs`));
  const closed = new Promise<[number, string]>((resolve) =>
    client.on("close", (code, reason) => resolve([code, new TextDecoder().decode(reason)]))
  );
  client.close(4000, "that is all");
  assertEquals(await closed, [4000, "that is all"]);
}

/** Hooks saw every message, both ways, whole, and one end. */
async function assertSeen(events: Events): Promise<void> {
  await events.seen("complete");
  const seen = (size: number) => events.list.filter((event) => event === `message of ${size} bytes`).length;
  assertEquals(events.list.filter((event) => event.startsWith("message")).length, 2 * MESSAGES.length);
  assertEquals(seen(10 << 20), 4);
  assertEquals(events.list.slice(-2), ["websocket_end 4000", "complete"]);
}

for (const [mode, options] of MODES) {
  for (const way of ["absolute-form", "CONNECT", "wss"] as Way[]) {
    for (const deflate of [false, true]) {
      const name = `ws by ${way}, ${deflate ? "permessage-deflate" : "no compression"}, ${mode}`;
      Deno.test(`${name}: every kind of message comes back byte-exact`, async () => {
        const events = new Events();
        // Every message is compressed: the default leaves small ones alone.
        const compression = deflate && { threshold: 0 };
        await using server = await echoServer({ secure: way === "wss", deflate: compression });
        await using proxy = await startProxy(recordWebSocket(events), options);
        const client = await wsClient(proxy, server.url, { way, deflate: compression });
        assertEquals(client.extensions.startsWith("permessage-deflate"), deflate);
        await talk(client);
        await assertSeen(events);
      });
    }
  }

  for (const secure of [false, true]) {
    Deno.test(`Deno's WebSocket by ${secure ? "wss" : "ws"}, ${mode}: every kind of message comes back byte-exact`, async () => {
      const events = new Events();
      await using server = await echoServer({ secure, deflate: true });
      await using proxy = await startProxy(recordWebSocket(events), options);
      await denoTalk(proxy, server.url);
      await assertSeen(events);
    });
  }
}

async function denoTalk(proxy: TestProxy, url: string): Promise<void> {
  using client = Deno.createHttpClient({ proxy: { url: proxy.url }, caCerts: [await proxy.ca()] });
  const socket = new globalThis.WebSocket(url, { client });
  socket.binaryType = "arraybuffer";
  const failed = new Promise<never>((_, reject) => {
    socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
  });
  await Promise.race([new Promise((resolve) => socket.onopen = resolve), failed]);
  const echoed: (string | Uint8Array)[] = [];
  const all = new Promise<void>((resolve) =>
    socket.onmessage = ({ data }) => {
      echoed.push(typeof data === "string" ? data : new Uint8Array(data));
      if (echoed.length === MESSAGES.length) resolve();
    }
  );
  for (const message of MESSAGES) socket.send(message);
  await within(BULK, Promise.race([all, failed]), "all echoes");
  echoed.forEach((message, i) => assert(isSame(message, MESSAGES[i]), `message ${i} differs`));
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close(4000, "that is all");
  const { code, reason } = await closed;
  assertEquals([code, reason], [4000, "that is all"]);
}
