/** `flow.answerWebSocket` and `server_replay_websockets`: weir in the server's place. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Addon, encodeFlow, type HttpFlow, makeHttpFlow, type RecordedWebSocketMessage } from "weir";
import { startProxy } from "./support/proxy.ts";
import { Events, within } from "./support/within.ts";
// @ts-types="../websocket/ws.d.ts"
import { WebSocket as WebSocketClient } from "ws";

/** Opens a WebSocket through a reverse proxy; what comes is noted as `text` or `close CODE REASON`. */
async function open(port: number, path = "/ws", options: object = {}) {
  const seen = new Events();
  const socket = new WebSocketClient(`ws://127.0.0.1:${port}${path}`, ["chat"], options);
  socket.on(
    "message",
    (data, isBinary) => seen.push(isBinary ? `binary ${new TextDecoder().decode(data)}` : `${data}`),
  );
  socket.on("close", (code, reason) => seen.push(`close ${code} ${reason}`));
  socket.on("error", () => {});
  await within(
    5000,
    new Promise<void>((resolve, reject) => socket.on("open", resolve).on("error", reject)),
    "the handshake",
  );
  return { socket, seen };
}

const REVERSE = { mode: ["reverse:http://gone.example"] };

Deno.test("an addon answers a WebSocket handshake itself, and hooks see what is said", async () => {
  const events = new Events();
  const addon: Addon = {
    request(flow) {
      flow.answerWebSocket(async (socket) => {
        await socket.send("hello");
        for await (const { isText, content } of socket) {
          await socket.send(isText ? `got ${new TextDecoder().decode(content)}` : content);
        }
        events.push("iteration ended");
      }, { "Sec-WebSocket-Protocol": "chat" });
    },
    websocket_message: (flow) => events.push(`message ${flow.websocket!.messages.at(-1)!.content.length}`),
    websocket_end: (flow) => events.push(`end ${flow.websocket!.closeCode}`),
    complete: () => events.push("complete"),
  };
  await using proxy = await startProxy(addon, REVERSE);
  for (const perMessageDeflate of [false, true]) {
    const { socket, seen } = await open(proxy.port, "/ws", { perMessageDeflate });
    assertEquals(socket.protocol, "chat");
    const large = "x".repeat(300_000);
    socket.send("a");
    socket.send(new Uint8Array([1, 2]));
    socket.send(large);
    await seen.until(() => seen.list.length === 4, "four messages");
    assertEquals(seen.list, ["hello", "got a", "binary \x01\x02", `got ${large}`]);
    const pong = new Promise<unknown>((resolve) => socket.on("pong", resolve));
    socket.ping("?");
    await within(5000, pong, "a pong");
    socket.close(1000, "bye");
    await seen.seen("close 1000 bye");
    await events.seen("complete", perMessageDeflate ? 2 : 1);
  }
  assertEquals(events.count("iteration ended"), 2);
  assertEquals(events.count("end 1000"), 2);
});

Deno.test("a player that closes, loses the connection or throws is a server that did", async () => {
  const ends: [path: string, seen: string][] = [
    ["/close", "close 4001 enough"],
    ["/empty", "close 1005 "],
    ["/abort", "close 1006 "],
    ["/throw", "close 1006 "],
  ];
  const addon: Addon = {
    request(flow) {
      flow.answerWebSocket(async (socket) => {
        if (flow.request.path === "/close") await socket.close(4001, "enough");
        else if (flow.request.path === "/empty") await socket.close();
        else if (flow.request.path === "/abort") socket.abort();
        else throw new Error("no idea");
      });
    },
  };
  await using proxy = await startProxy(addon, REVERSE);
  for (const [path, end] of ends) {
    const seen = new Events();
    const socket = new WebSocketClient(`ws://127.0.0.1:${proxy.port}${path}`);
    socket.on("close", (code, reason) => seen.push(`close ${code} ${reason}`));
    socket.on("error", () => {});
    await within(5000, seen.until(() => seen.list.length > 0, "its end"), "its end");
    assertEquals([path, seen.list], [path, [end]]);
  }
  await proxy.logged(/answerWebSocket: no idea; the connection is cut/);
});

/** A file with one conversation. */
async function recording(
  messages: RecordedWebSocketMessage[],
  end: { closeCode?: number; closeReason?: string; closedByClient?: boolean } = {},
): Promise<{ path: string } & AsyncDisposable> {
  const flow: HttpFlow = makeHttpFlow({
    request: { url: "http://gone.example/ws" },
    response: { statusCode: 101, headers: { "Sec-WebSocket-Protocol": "chat" } },
    websocket: { messages, closeCode: 1000, closedByClient: false, ...end },
  });
  const path = await Deno.makeTempFile({ suffix: ".mitm" });
  await Deno.writeFile(path, encodeFlow(flow).bytes());
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

const said = (fromClient: boolean, content: string, timestamp: number) => ({
  isText: true,
  fromClient,
  content,
  timestamp,
});

Deno.test("a recorded conversation answers a client that says the same: answers wait for their questions", async () => {
  await using file = await recording([
    said(false, "welcome", 1000),
    said(true, "one?", 2000),
    said(false, "1", 2100),
    said(false, "one more", 2400),
    said(true, "two?", 3000),
    said(false, "2", 3050),
  ], { closeCode: 4002, closeReason: "done" });
  await using proxy = await startProxy([], {
    ...REVERSE,
    server_replay: [file.path],
    server_replay_websockets: true,
    server_replay_reuse: true,
    server_replay_timing: "recorded",
  });
  const { socket, seen } = await open(proxy.port);
  assertEquals(socket.protocol, "chat");
  await seen.seen("welcome");
  assertEquals(seen.list, ["welcome"]);
  const start = performance.now();
  socket.send("one?");
  await seen.seen("1");
  await seen.seen("one more");
  const took = performance.now() - start;
  assert(took >= 380 && took < 600, `the answers took ${took} ms`);
  assertEquals(seen.list, ["welcome", "1", "one more"]);
  socket.send("two?");
  await seen.seen("close 4002 done");
  assertEquals(seen.list.slice(3), ["2", "close 4002 done"]);

  const other = await open(proxy.port);
  await other.seen.seen("welcome");
  other.socket.send("three?");
  await other.seen.until(() => other.seen.list.length === 2, "its end");
  assertStringIncludes(other.seen.list[1], "close 1008");
});

Deno.test("a conversation that the client closed waits for its close; without the option none is answered", async () => {
  await using file = await recording([said(true, "a", 1)], { closedByClient: true });
  await using proxy = await startProxy([], {
    ...REVERSE,
    server_replay: [file.path],
    server_replay_websockets: true,
    keepserving: true,
  });
  const { socket, seen } = await open(proxy.port);
  socket.send("a");
  socket.close(1000, "mine");
  await seen.seen("close 1000 mine");

  await using without = await startProxy([], {
    ...REVERSE,
    server_replay: [file.path],
    server_replay_extra: "404",
  });
  const refused = await open(without.port).catch((error) => error);
  assertStringIncludes(String(refused), "404");
});
