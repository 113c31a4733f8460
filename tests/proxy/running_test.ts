import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Flow } from "../../src/flow/flow.ts";
import { Running } from "../../src/proxy/running.ts";
import { WebSocketData } from "../../src/websocket/conversation.ts";
import { httpFlow, tcpFlow } from "../support/addon_host.ts";

const STOPPED = new WeirError("weir", "shutdown", "It was cut off, as weir is stopping.");

/** Gives its place. */
function add(running: Running, flow: Flow, log: string[] = []): number {
  return running.add({
    flow,
    cut: (error) => void log.push(`${flow.type} ${error.code}`),
    moved: 0,
    isHeld: false,
    onStalled: () => {},
  });
}

Deno.test("what is waited for is named: three of them, and how many more there are", () => {
  const running = new Running();
  const flow = httpFlow();
  const first = add(running, flow);
  const { method, url } = flow.request;
  assertEquals(String(running), `1 flow: ${method} ${url}`);
  add(running, tcpFlow());
  for (let i = 0; i < 3; i++) add(running, httpFlow());
  const text = String(running);
  assertEquals(text.startsWith("5 flows: "), true, text);
  assertEquals(/, (a tunnel|tunnel to \S+:\d+), .* and 2 more$/.test(text), true, text);
  running.remove(first);
  assertEquals(running.count, 4);
});

Deno.test("WebSocket connections are spared first, as they say goodbye, and cut with the others in the end", () => {
  const running = new Running(), log: string[] = [];
  const socket = httpFlow();
  socket.websocket = new WebSocketData({ messages: 1, bytes: 1 });
  add(running, socket, log);
  add(running, tcpFlow(), log);
  running.cut(STOPPED, { spare: "websockets" });
  assertEquals(log, ["tcp shutdown"]);
  running.cut(STOPPED, { spare: "none" });
  assertEquals(log, ["tcp shutdown", "http shutdown", "tcp shutdown"]);
});
