/**
 * Playing the server's part of a recorded WebSocket conversation: answers wait for their questions.
 * @module
 */
import type { HttpFlow, WebSocketMessage, WebSocketPeer } from "weir";
import type { Pace } from "./pace.ts";
import { sleep } from "./pace.ts";

/** RFC 6455 §7.4.1: what came was not what was expected; no code at all; the connection was lost. */
const POLICY = 1008, NO_CODE = 1005, LOST = 1006;

/**
 * Says what was recorded, each message when the client has said all that it said before it, with the recorded pauses where
 * `pace` is no null; then closes as the server did. A client that says something else is told so (close code 1008).
 */
export async function playConversation(recorded: HttpFlow, socket: WebSocketPeer, pace: Pace): Promise<void> {
  const { messages, closeCode, closeReason, closedByClient } = recorded.websocket!;
  const questions = socket[Symbol.asyncIterator]();
  let before: number | null = null;
  for (const message of messages) {
    if (message.fromClient) {
      // What an addon had sent to the server no client will say.
      if (message.injected) continue;
      const { value, done } = await questions.next();
      if (done) return await socket.close();
      if (!isSame(message, value.content)) {
        return await socket.close(POLICY, "This is not what was said in the recording.");
      }
    } else if (!message.dropped) {
      if (pace !== null && before !== null) await sleep((message.timestamp - before) / pace);
      await socket.send(message.isText ? message.text : message.content);
    }
    before = message.timestamp;
  }
  // Whoever closed then closes now.
  if (closedByClient === true) await questions.next();
  if (closeCode === LOST) return socket.abort();
  await socket.close(closeCode === null || closeCode === NO_CODE ? undefined : closeCode, closeReason ?? "");
}

function isSame({ content }: WebSocketMessage, other: Uint8Array): boolean {
  return content.length === other.length && content.every((byte, index) => byte === other[index]);
}
