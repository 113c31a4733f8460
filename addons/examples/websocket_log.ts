/**
 * Logs each WebSocket message: which way it went, what kind it is, how long, and how a text begins.
 *
 *     weir -s addons/examples/websocket_log.ts
 */
import { type Context, escapeControl, type HttpFlow } from "weir";

/** Characters of a text that are shown. */
const SHOWN = 60;

export function websocket_message(flow: HttpFlow, ctx: Context) {
  // The message that the hook runs for is the newest. Take it before the first `await`: others come meanwhile.
  const message = flow.websocket!.messages.at(-1)!;
  const arrow = message.fromClient ? "->" : "<-";
  const kind = message.isText ? "text" : "binary";
  // `size` costs nothing; a message whose content nobody reads gives its memory back.
  const start = message.isText ? `: ${escapeControl(message.text.slice(0, SHOWN))}` : "";
  ctx.log.info(`${flow.request.host} ${arrow} ${kind}, ${message.size} bytes${start}`);
}

export function websocket_end(flow: HttpFlow, ctx: Context) {
  const { closeCode, closedByClient } = flow.websocket!;
  const who = closedByClient === null ? "weir" : closedByClient ? "the client" : "the server";
  ctx.log.info(`${flow.request.host}: closed by ${who} with ${closeCode}`);
}
