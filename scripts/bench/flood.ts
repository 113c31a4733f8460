/**
 * A flood of WebSocket messages with a bounded number of them on the way: the receiver answers every so many bytes
 * with a message of one byte. Without that bound a proxy that reads without end is measured by how it drowns.
 * @module
 */
import type { Wire } from "./wire.ts";
import { frames, MessageCounter } from "./websocket.ts";

/** On the way at most: more than all socket buffers between the two ends. */
const WINDOW = 8 * 1024 * 1024;
/** Between two answers, and what is written at once. */
const STEP = 256 * 1024;

/** How a connection ends is not what is measured, but that it does so too early is. */
const ENDED = "The WebSocket connection ended.";

/** Messages of `size` bytes that are written at once and answered as one. */
export function batch(size: number): number {
  return Math.max(1, Math.floor(STEP / size));
}

/** Sends messages of `size` bytes until `isOver`; resolves to the number of those that were answered. */
export async function send(
  wire: Wire,
  size: number,
  masked: boolean,
  isOver: () => boolean,
): Promise<number> {
  const block = frames(size, batch(size), masked);
  const limit = Math.max(1, Math.floor(WINDOW / block.length));
  const answers = new MessageCounter();
  let sent = 0;
  while (!isOver()) {
    if (sent - answers.messages < limit) {
      await wire.write(block);
      sent++;
    }
    if (sent - answers.messages < limit) continue;
    const bytes = await wire.bytes();
    if (bytes === null) throw new Error(ENDED);
    answers.feed(bytes);
  }
  return answers.messages * batch(size);
}

/** Receives messages of `size` bytes and answers until `isOver`; resolves to their number. */
export async function receive(
  wire: Wire,
  size: number,
  masked: boolean,
  isOver: () => boolean,
): Promise<number> {
  const answer = frames(1, 1, masked);
  const counter = new MessageCounter();
  let answered = 0;
  while (!isOver()) {
    const bytes = await wire.bytes();
    if (bytes === null) throw new Error(ENDED);
    counter.feed(bytes);
    for (const due = Math.floor(counter.messages / batch(size)); answered < due; answered++) {
      await wire.write(answer);
    }
  }
  return counter.messages;
}
