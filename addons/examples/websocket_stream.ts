/**
 * Streams the frames of one kind of WebSocket connection, and leaves messages of all others whole, so that they can be
 * changed.
 *
 * A frame of a streamed connection leaves when it arrives, also one in the middle of a message. The messages can still be
 * seen when they are complete.
 *
 *     weir -s addons/examples/websocket_stream.ts
 */
import type { HttpFlow } from "weir";

export function websocket_start(flow: HttpFlow) {
  if (flow.request.path.startsWith("/live/")) flow.websocket!.stream = true;
}
