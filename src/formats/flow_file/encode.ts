/**
 * Writes flows as records of version 17: what mitmproxy 8.1 writes, and the newest that all since 8.1 read.
 *
 * The version, type and id come first and the content last in its dict, so that a reader knows what a record is before a long
 * body comes.
 * @module
 */
import { Buffer } from "node:buffer";
import type { Flow, HttpFlow, TcpFlow, TcpMessage } from "../../flow/flow.ts";
import type { Headers } from "../../http/mod.ts";
import { internals } from "../../internals.ts";
import { madeConnection } from "../../flow/planned_connection.ts";
import type { Message } from "../../flow/message.ts";
import type { Request } from "../../flow/request.ts";
import type { Response } from "../../flow/response.ts";
import type { WebSocketData, WebSocketMessage } from "../../websocket/mod.ts";
import { RecordedTcpMessage } from "../../flow/tcp_history.ts";
import { BodySlice, StoredBody } from "../../streams/mod.ts";
import { bool, bytes, dict, int, json, list, NULL, Pieces, sizeOf, text } from "../tnetstring/mod.ts";
import { time, writeClient, writeServer } from "./connections.ts";

/** A flow's record. */
export interface EncodedFlow {
  /** Bytes in all. */
  readonly size: number;
  /** True when a part of it lies in a file, so that only `chunks` has it all. */
  readonly isLong: boolean;
  /** All of it in memory. @throws {RangeError} when it is long. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** Writes all of it into `target` at `at`: `size` bytes. @throws {RangeError} when it is long, or there is no room. */
  copyInto(target: Uint8Array, at: number): void;
  /** All of it in pieces, each valid until the next is asked for; stored bodies are read as they are written. */
  chunks(): AsyncGenerator<Uint8Array, void>;
  /** Keeps the files that parts of it lie in until what is returned is disposed: for who writes it later. */
  hold(): Disposable;
}

/** What a flow's record is made with. */
export interface EncodeOptions {
  /**
   * The messages of a WebSocket, or of a raw conversation, in place of those that the flow still has: what
   * {@linkcode encodeMessage} gave for each, one after another.
   */
  readonly messages?: StoredBody;
}

/**
 * The record of a flow, to be written to a file behind others. A body that is not kept, or only in part, is absent. What
 * `metadata` has that is no JSON is left out.
 */
export function encodeFlow(flow: Flow, options: EncodeOptions = {}): EncodedFlow {
  return new Encoded(flow.type === "http" ? httpRecord(flow, options) : tcpRecord(flow, options));
}

/** One message as it stands in a record. */
export function encodeMessage(message: WebSocketMessage | TcpMessage): Uint8Array<ArrayBuffer> {
  const pieces = new Pieces();
  if ("isText" in message) addWebSocketMessage(pieces, message);
  else addTcpMessage(pieces, message);
  return joined(pieces);
}

class Encoded implements EncodedFlow {
  readonly #pieces: Pieces;

  constructor(pieces: Pieces) {
    this.#pieces = pieces;
  }

  get size(): number {
    return this.#pieces.size;
  }

  get isLong(): boolean {
    return this.#pieces.isLong;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return joined(this.#pieces);
  }

  copyInto(target: Uint8Array, at: number): void {
    copyInto(this.#pieces, target, at);
  }

  hold(): Disposable {
    const bodies = new Set<StoredBody>();
    for (const part of this.#pieces.all()) {
      if (part instanceof StoredBody) bodies.add(part);
      else if (part instanceof BodySlice) bodies.add(part.body);
    }
    const holds = [...bodies].map((body) => body.hold());
    return { [Symbol.dispose]: () => holds.forEach((hold) => hold[Symbol.dispose]()) };
  }

  async *chunks(): AsyncGenerator<Uint8Array, void> {
    for (const part of this.#pieces.all()) {
      if (typeof part === "string") yield Buffer.from(part, "latin1");
      else if (part instanceof Uint8Array) yield part;
      else if (part instanceof BodySlice) yield part.read();
      else yield* storedBytes(part);
    }
  }
}

/** Exactly as many bytes as were announced, or an error. */
async function* storedBytes(body: StoredBody): AsyncGenerator<Uint8Array, void> {
  const { size } = body;
  let left = size;
  for await (const piece of body.pieces()) {
    yield piece.length > left ? piece.subarray(0, left) : piece;
    left -= piece.length;
    if (left <= 0) return;
  }
  if (left > 0) throw new RangeError(`A stored body ended ${left} bytes before its size.`);
}

function joined(pieces: Pieces): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.size);
  copyInto(pieces, bytes, 0);
  return bytes;
}

const encoder = new TextEncoder();

function copyInto(pieces: Pieces, target: Uint8Array, at: number): void {
  if (target.length - at < pieces.size) throw new RangeError("There is no room for the record.");
  for (const part of pieces.all()) {
    if (typeof part === "string") {
      // Most have nothing but ASCII, for which this is ten times as fast as writing Latin-1.
      const { read, written } = encoder.encodeInto(part, target.subarray(at, at + part.length));
      if (read < part.length || written !== read) {
        Buffer.from(target.buffer, target.byteOffset, target.byteLength).write(part, at, "latin1");
      }
    } else if (part instanceof Uint8Array) target.set(part, at);
    else throw new RangeError("A record with a stored body is written in chunks.");
    at += part.length;
  }
}

function httpRecord(flow: HttpFlow, { messages }: EncodeOptions): Pieces {
  const record = new Pieces().add(opening(flow) + "7:request;");
  addRequest(record, flow.request);
  record.add("8:response;");
  if (flow.response === null) record.add(NULL);
  else addResponse(record, flow.response);
  record.add("9:websocket;");
  if (flow.websocket === null) record.add(NULL);
  else addWebSocket(record, flow.websocket, messages);
  return record.wrap("}");
}

function tcpRecord(flow: TcpFlow, { messages }: EncodeOptions): Pieces {
  const record = new Pieces().add(opening(flow) + "8:messages;");
  const list = new Pieces();
  if (messages !== undefined) list.addRaw(messages);
  else for (const message of flow.messages) addTcpMessage(list, message);
  return record.addValue(list, "]").wrap("}");
}

function opening(flow: Flow): string {
  const { error } = flow;
  return "7:version;2:17#4:type;" + text(flow.type) + "2:id;" + text(flow.id) +
    "5:error;" +
    (error === null ? NULL : dict("3:msg;" + text(error.message) + "9:timestamp;" + time(error.timestamp))) +
    "11:client_conn;" + writeClient(flow.clientConn) + "11:server_conn;" + writeServer(madeConnection(flow)) +
    "11:intercepted;5:false!9:is_replay;" + (flow.isReplay === null ? NULL : text(flow.isReplay)) +
    "6:marked;" + text(flow.marked) + "8:metadata;" + metadata(flow) + "7:comment;" + text(flow.comment) +
    "17:timestamp_created;" + time(flow.timestampStart);
}

/** What addons noted, and what weir knows and mitmproxy has no place for. */
function metadata(flow: Flow): string {
  const known = weirFacts(flow);
  if (known === null && isEmpty(flow.metadata)) return EMPTY;
  return json({ ...flow.metadata, ...known }) ?? "0:}";
}

const EMPTY = "0:}";

function isEmpty(record: Record<string, unknown>): boolean {
  for (const _ in record) return false;
  return true;
}

function weirFacts(flow: Flow): Record<string, unknown> | null {
  const facts: Record<string, unknown> = {};
  if (flow.error !== null) {
    const { side, code } = flow.error.cause;
    facts["weir.error"] = { side, code };
  }
  if (flow.type === "http") {
    const { request, response } = flow;
    const by = pairOf(request.streamedBy, response?.streamedBy ?? null);
    if (by !== null) facts["weir.streamed_by"] = by;
    const timeline = pairOf(timelineOf(request), response && timelineOf(response));
    if (timeline !== null) facts["weir.timeline"] = timeline;
  }
  return isEmpty(facts) ? null : facts;
}

/** Null for bodies that came in one piece, of which there is nothing to tell. */
function timelineOf(message: Message): unknown[] | null {
  const moments = message[internals].timeline?.moments() ?? [];
  return moments.length > 1 ? moments : null;
}

function pairOf<T>(request: T | null, response: T | null): { request?: T; response?: T } | null {
  if (request === null && response === null) return null;
  return { ...request === null ? {} : { request }, ...response === null ? {} : { response } };
}

function addRequest(to: Pieces, request: Request): void {
  const { headers } = request;
  // What weir calls Host is :authority in HTTP/2; mitmproxy has no field for it then.
  const isHttp2 = request.httpVersion === "HTTP/2.0";
  const authority = isHttp2 ? headers.get("host") ?? request.authority : "";
  const fields = isHttp2 && headers.raw[0] === "host" ? headers.raw.slice(2) : headers.raw;
  const head = "4:host;" + text(request.host) + "4:port;" + int(request.port) +
    "6:method;" + bytes(request.method) + "6:scheme;" + bytes(request.scheme) +
    "9:authority;" + bytes(authority) + "4:path;" + bytes(request.path);
  addMessage(to, request, fields, head);
}

function addResponse(to: Pieces, response: Response): void {
  const head = "11:status_code;" + int(response.statusCode) + "6:reason;" + bytes(response.reason);
  addMessage(to, response, response.headers.raw, head);
}

function addMessage(to: Pieces, message: Message, fields: readonly string[], start: string): void {
  const head = start + "12:http_version;" + bytes(message.httpVersion) + "7:headers;" + headerList(fields) +
    "8:trailers;" + trailerList(message.trailers) +
    "15:timestamp_start;" + time(message.timestampStart) +
    "13:timestamp_end;" + time(message.timestampEnd) + "7:content;";
  const body = bodyOf(message);
  if (body === null) return void to.add(dict(head + NULL));
  const length = sizeOf(body), prefix = `${length}:`;
  to.add(`${head.length + prefix.length + length + 1}:${head}`).addBytes(body).add("}");
}

/** What is kept of a body, if it is kept whole. */
function bodyOf(message: Message): Uint8Array | StoredBody | null {
  const { raw, stored } = message[internals];
  return raw ?? (stored?.complete ? stored : null);
}

function headerList(raw: readonly string[]): string {
  let items = "";
  // Fields have no other characters than those of Latin-1.
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i], value = raw[i + 1];
    items += list(`${name.length}:${name},${value.length}:${value},`);
  }
  return list(items);
}

function trailerList(trailers: Headers | null): string {
  return trailers === null ? NULL : headerList(trailers.raw);
}

function addWebSocket(to: Pieces, websocket: WebSocketData, messages: StoredBody | undefined): void {
  const { closedByClient, closeCode, closeReason } = websocket;
  const inner = new Pieces().add(
    "16:closed_by_client;" + (closedByClient === null ? NULL : bool(closedByClient)) +
      "10:close_code;" + (closeCode === null ? NULL : int(closeCode)) +
      "12:close_reason;" + (closeReason === null ? NULL : text(closeReason)) +
      "13:timestamp_end;" + time(websocket.timestampEnd) + "8:messages;",
  );
  const list = new Pieces();
  if (messages !== undefined) list.addRaw(messages);
  else for (const message of websocket.messages) addWebSocketMessage(list, message);
  to.addValue(inner.addValue(list, "]"), "}");
}

function addWebSocketMessage(to: Pieces, message: WebSocketMessage): void {
  const { slice } = message[internals];
  const content = slice ?? message[internals].content;
  // Released from the history: there is nothing to write.
  if (content === null) return;
  const inner = new Pieces()
    .add(int(message.isText ? 1 : 2) + bool(message.fromClient))
    .addBytes(content)
    .add(time(message.timestamp) + bool(message.dropped) + bool(message.injected));
  to.addValue(inner, "]");
}

function addTcpMessage(to: Pieces, message: TcpMessage): void {
  const inner = new Pieces()
    .add(bool(message.fromClient))
    .addBytes(message instanceof RecordedTcpMessage ? message.held : message.content)
    .add(time(message.timestamp));
  to.addValue(inner, "]");
}
