/**
 * The option `websocket_history`: how much of a WebSocket conversation a flow keeps, as `MESSAGES[/SIZE]`.
 * @module
 */
import { shown } from "../shown.ts";
import { parseSize } from "./size.ts";

/** Both bounds hold: the oldest messages go as soon as either is passed. */
export interface History {
  readonly messages: number;
  /** Bytes of all contents together. */
  readonly bytes: number;
}

/** The size where only a number of messages is given. */
const DEFAULT_BYTES = "16m";

/** @throws {SyntaxError} that says what is wrong. */
export function parseHistory(text: string): History {
  const [, count, size = DEFAULT_BYTES] = /^(\d{1,9})(?:\/(\w+))?$/.exec(text) ?? [];
  const bytes = parseSize(size);
  if (count === undefined || bytes === null) {
    throw new SyntaxError(
      `${shown(text)} is not a number of messages, or one with a size (1000/16m)`,
    );
  }
  return { messages: Number(count), bytes };
}
