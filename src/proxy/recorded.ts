/**
 * Flows that come from a recording: the hooks that they would have run, in the same order (mitmproxy `eventsequence.py`).
 * @module
 */
import type { Flow, HttpFlow, TcpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import type { Dispatcher } from "../hooks/mod.ts";
import type { Log } from "./context.ts";

/** Runs the hooks of a flow that is not live. Never rejects. */
export async function loadFlow(hooks: Dispatcher, log: Log, flow: Flow): Promise<void> {
  flow[internals].log = log;
  if (flow.type === "tcp") return await loadTcp(hooks, flow);
  await hooks.trigger("requestheaders", flow);
  await hooks.trigger("request", flow);
  if (flow.response !== null) {
    await hooks.trigger("responseheaders", flow);
    await hooks.trigger("response", flow);
  }
  if (flow.websocket !== null) await loadWebSocket(hooks, flow);
  await hooks.trigger(flow.error === null ? "complete" : "error", flow);
}

async function loadWebSocket(hooks: Dispatcher, flow: HttpFlow): Promise<void> {
  const { messages } = flow.websocket!;
  const all = messages.splice(0);
  await hooks.trigger("websocket_start", flow);
  // A hook finds the message that it is about at the end.
  for (const message of all) {
    messages.push(message);
    if (hooks.has("websocket_message")) await hooks.trigger("websocket_message", flow);
  }
  await hooks.trigger("websocket_end", flow);
}

async function loadTcp(hooks: Dispatcher, flow: TcpFlow): Promise<void> {
  const all = flow.messages.splice(0);
  await hooks.trigger("tcp_start", flow);
  for (const message of all) {
    flow.messages.push(message);
    if (hooks.has("tcp_message")) await hooks.trigger("tcp_message", flow);
  }
  await hooks.trigger(flow.error === null ? "tcp_end" : "tcp_error", flow);
}
