/**
 * Changes WebSocket messages that are JSON: whatever the client says its `role` is, the server hears "guest".
 *
 *     weir -s addons/examples/websocket_rewrite_json.ts
 */
import type { HttpFlow } from "weir";

export function websocket_message(flow: HttpFlow) {
  const message = flow.websocket!.messages.at(-1)!;
  if (!message.fromClient || !message.isText) return;
  const data = parse(message.text);
  if (typeof data !== "object" || data === null || !("role" in data)) return;
  message.text = JSON.stringify({ ...data, role: "guest" });
}

/** Undefined for what is no JSON: such a message passes as it is. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
