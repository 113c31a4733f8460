/**
 * Greets each WebSocket client with a message that no server has sent, keeps the client's "secret" messages from the
 * server, and answers them itself.
 *
 *     weir -s addons/examples/websocket_drop_inject.ts
 */
import type { HttpFlow } from "weir";

export function websocket_start(flow: HttpFlow) {
  flow.websocket!.inject(true, "weir is listening");
}

export function websocket_message(flow: HttpFlow) {
  const message = flow.websocket!.messages.at(-1)!;
  // The hook runs for injected messages, too.
  if (message.injected || !message.fromClient || !message.isText) return;
  if (!message.text.startsWith("secret ")) return;
  message.drop();
  flow.websocket!.inject(true, "that stays here");
}
