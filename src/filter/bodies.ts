/**
 * Whether bodies and messages match an expression, as far as they are known.
 * @module
 */
import { Buffer } from "node:buffer";
import type { Flow, HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import type { Message } from "../flow/message.ts";
import type { StoredBody } from "../streams/mod.ts";
import { mayGrow } from "./moment.ts";
import { hasResponse, type Verdict } from "./verdict.ts";

/** Whose bytes are looked at. */
export type BodySide = "request" | "response" | "both";

/**
 * True when a decoded body or a message on that side matches. A body that is not kept matches nothing; one that has yet to come,
 * or that is being kept while it streams, is not known.
 */
export function bodiesMatch(flow: Flow, side: BodySide, pattern: RegExp): Verdict {
  let verdict: Verdict = false;
  for (const part of flow.type === "http" ? httpParts(flow, side) : tcpParts(flow, side)) {
    if (part === undefined) verdict = undefined;
    else if (searches(part, pattern)) return true;
  }
  return verdict;
}

/** What can be searched; undefined for what has yet to come. */
type Parts = Generator<Uint8Array | StoredBody | undefined, void>;

function* httpParts(flow: HttpFlow, side: BodySide): Parts {
  if (side !== "response") yield* bodyOf(flow.request, flow);
  if (side !== "request") {
    if (flow.response !== null) yield* bodyOf(flow.response, flow);
    else if (hasResponse(flow) === undefined) yield undefined;
  }
  if (flow.websocket === null) return;
  for (const message of flow.websocket.messages) {
    const { content } = message[internals];
    if (content !== null && isOn(side, message.fromClient)) yield content;
  }
  if (flow.live) yield undefined;
}

function* tcpParts(flow: Flow & { type: "tcp" }, side: BodySide): Parts {
  for (const { content, fromClient } of flow.messages) if (isOn(side, fromClient)) yield content;
  if (flow.live) yield undefined;
}

function isOn(side: BodySide, fromClient: boolean): boolean {
  return side === "both" || fromClient === (side === "request");
}

function* bodyOf(message: Message, flow: HttpFlow): Parts {
  const { mode, stored } = message[internals];
  const isComing = mayGrow(message, flow) &&
    (mode === "pending" || mode === "streamed" && stored !== null && !stored.complete);
  if (isComing) yield undefined;
  else if (stored?.complete && stored.size > WINDOW && !message.headers.has("content-encoding")) yield stored;
  else {
    const { content } = message;
    if (content !== null) yield content;
  }
}

/** Bytes that become one text at a time: that much memory a search takes, whatever the size of the body. */
const WINDOW = 2 * 1024 * 1024;
/** How much of one window is looked at again with the next: a match may be this long. */
const OVERLAP = 256 * 1024;
/** What asks for the character behind a match, or whether there is one. */
const LOOKS_AHEAD = /\$|\\[bB]|\(\?[=!]/;

function searches(part: Uint8Array | StoredBody, pattern: RegExp): boolean {
  const size = part instanceof Uint8Array ? part.length : part.size;
  if (size <= WINDOW) return pattern.test(textOf(part, 0, size));
  const buffer = part instanceof Uint8Array ? undefined : new Uint8Array(WINDOW);
  const within = new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, "")}g`);
  const looksAhead = LOOKS_AHEAD.test(pattern.source);
  for (let start = 0;; start += WINDOW - OVERLAP) {
    const text = textOf(part, start, Math.min(WINDOW, size - start), buffer),
      isLast = start + text.length === size;
    // Where a window begins the body does not (`^`); what begins there was in the window before.
    within.lastIndex = start === 0 ? 0 : 1;
    const match = within.exec(text);
    const isCut = !isLast && looksAhead && within.lastIndex === text.length;
    if (match !== null && !isCut) return true;
    if (isLast) return false;
  }
}

/** A character for each of these bytes. */
function textOf(
  part: Uint8Array | StoredBody,
  start: number,
  size: number,
  buffer?: Uint8Array<ArrayBuffer>,
): string {
  const bytes = part instanceof Uint8Array
    ? part.subarray(start, start + size)
    : part.rangeSync(start, size, buffer);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
