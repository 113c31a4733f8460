/** Files to read, in pieces of any size, and flows as plain values to compare. @module */
import type { Flow } from "../../src/flow/flow.ts";
import { internals } from "../../src/internals.ts";
import type { Message } from "../../src/flow/message.ts";

const DATA = new URL("./data/", import.meta.url);

/** What `expect.json` says of a file. */
export interface Expected {
  flows: number | null;
  names?: string[];
  error_at?: [number, number];
}

/** All of `expect.json`, by file. */
export function expected(): [string, Expected][] {
  return Object.entries(JSON.parse(Deno.readTextFileSync(new URL("expect.json", DATA))));
}

/** The bytes of a file in `data`. */
export function data(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, DATA));
}

/** Bytes as a source, cut after each of `lengths` (over and over); each piece is overwritten when the next is asked for. */
export async function* cut(
  bytes: Uint8Array,
  lengths: readonly number[] = [bytes.length],
): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length]);
    const piece = bytes.slice(at, at + length);
    yield piece;
    piece.fill(0xff);
    at += length;
  }
}

/** All flows that come before the error that a reader ends with, and that error. */
export async function readAll(flows: AsyncIterable<Flow>): Promise<{ flows: Flow[]; error: unknown }> {
  const list: Flow[] = [];
  try {
    for await (const flow of flows) list.push(flow);
  } catch (error) {
    return { flows: list, error };
  }
  return { flows: list, error: null };
}

/** As `expect.json` names flows. */
export function nameOf(flow: Flow): string {
  if (flow.type === "http") return flow.request.path;
  return `tcp:${new TextDecoder("latin1").decode(flow.messages[0].content.subarray(0, 30))}`;
}

/** All that a file keeps of a flow, as values that can be compared. */
export function facts(flow: Flow): Record<string, unknown> {
  const { id, error, clientConn, serverConn, marked, comment, isReplay, metadata, timestampStart } = flow;
  return {
    type: flow.type,
    id,
    timestampStart,
    error: error && { message: error.message, timestamp: error.timestamp },
    clientConn: { ...clientConn },
    serverConn: serverConn && { ...serverConn },
    marked,
    comment,
    isReplay,
    metadata,
    ...flow.type === "tcp" ? { messages: flow.messages.map((message) => ({ ...message })) } : {
      request: messageFacts(flow.request, ["method", "scheme", "host", "port", "path"]),
      response: flow.response && messageFacts(flow.response, ["statusCode", "reason"]),
      websocket: flow.websocket && {
        closedByClient: flow.websocket.closedByClient,
        closeCode: flow.websocket.closeCode,
        closeReason: flow.websocket.closeReason,
        timestampEnd: flow.websocket.timestampEnd,
        messages: flow.websocket.messages.map((message) => ({
          isText: message.isText,
          fromClient: message.fromClient,
          content: [...message.content],
          timestamp: message.timestamp,
          dropped: message.dropped,
          injected: message.injected,
        })),
      },
    },
  };
}

function messageFacts(message: Message, own: string[]): Record<string, unknown> {
  return {
    ...Object.fromEntries(own.map((name) => [name, Reflect.get(message, name)])),
    httpVersion: message.httpVersion,
    headers: message.headers.raw,
    trailers: message.trailers?.raw ?? null,
    body: message.rawContent && [...message.rawContent],
    mode: message[internals].mode,
    streamedBy: message.streamedBy,
    timestampStart: message.timestampStart,
    timestampEnd: message.timestampEnd,
  };
}
