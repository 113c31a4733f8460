/** A peer that speaks HTTP/2 frame by frame over a memory connection, and small bodies and handlers. @module */
import { assertEquals } from "@std/assert";
import type { RequestHead, ResponseHead } from "../../src/http/wire.ts";
import { Headers } from "../../src/http/headers.ts";
import type { WeirError } from "../../src/errors.ts";
import { codeName } from "../../src/http2/errors.ts";
import { Flag, FrameType, PREFACE, readUint32, writeUint32 } from "../../src/http2/frames.ts";
import { HpackDecoder } from "../../src/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../src/http2/hpack/encoder.ts";
import { latin1Decode } from "../../src/http2/hpack/huffman.ts";
import { settingsPayload } from "../../src/http2/settings.ts";
import type { MemoryConn } from "../support/memory_conn.ts";
import type { Body } from "../../src/streams/body.ts";

export { Flag, FrameType };

export interface Frame {
  type: number;
  flags: number;
  streamId: number;
  payload: Uint8Array;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (bytes: Uint8Array): string => latin1Decode(bytes, 0, bytes.length);

/** The bytes of one frame. */
export function frameBytes(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  bytes.set([payload.length >> 16, payload.length >> 8, payload.length, type, flags]);
  writeUint32(bytes, 5, streamId);
  bytes.set(payload, 9);
  return bytes;
}

export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

/** What carries the frames: a memory connection, or a socket. */
export interface FrameConn {
  write(bytes: Uint8Array): Promise<void>;
  readExactly(count: number): Promise<Uint8Array>;
}

/** The other end. */
export class FramePeer<C extends FrameConn = MemoryConn> {
  readonly encoder = new HpackEncoder();
  readonly decoder = new HpackDecoder();

  constructor(readonly conn: C) {}

  send(type: number, flags: number, streamId: number, payload?: Uint8Array): Promise<void> {
    return this.conn.write(frameBytes(type, flags, streamId, payload));
  }

  /** A client's preface, and SETTINGS. */
  async start(role: "client" | "server", settings: [number, number][] = []): Promise<void> {
    if (role === "client") await this.conn.write(PREFACE);
    await this.send(FrameType.SETTINGS, 0, 0, settingsPayload(settings));
  }

  headers(streamId: number, fields: string[], flags: number): Promise<void> {
    return this.send(FrameType.HEADERS, flags | Flag.END_HEADERS, streamId, this.encoder.encode(fields));
  }

  /** A GET, or what `fields` say. */
  request(streamId: number, fields: string[] = GET, endStream = true): Promise<void> {
    return this.headers(streamId, fields, endStream ? Flag.END_STREAM : 0);
  }

  data(streamId: number, payload: string | Uint8Array, endStream = false): Promise<void> {
    const bytes = typeof payload === "string" ? utf8(payload) : payload;
    return this.send(FrameType.DATA, endStream ? Flag.END_STREAM : 0, streamId, bytes);
  }

  windowUpdate(streamId: number, increment: number): Promise<void> {
    return this.send(FrameType.WINDOW_UPDATE, 0, streamId, uint32(increment));
  }

  rst(streamId: number, code: number): Promise<void> {
    return this.send(FrameType.RST_STREAM, 0, streamId, uint32(code));
  }

  async read(): Promise<Frame> {
    const head = await this.conn.readExactly(9);
    const length = head[0] << 16 | head[1] << 8 | head[2];
    const payload = length === 0 ? new Uint8Array(0) : await this.conn.readExactly(length);
    return { type: head[3], flags: head[4], streamId: readUint32(head, 5), payload };
  }

  /** The next frame that is neither SETTINGS nor WINDOW_UPDATE. */
  async readOn(): Promise<Frame> {
    for (;;) {
      const frame = await this.read();
      if (frame.type !== FrameType.SETTINGS && frame.type !== FrameType.WINDOW_UPDATE) return frame;
    }
  }

  /** The next frame as text, past SETTINGS and (unless wanted) WINDOW_UPDATE: "HEADERS 1 :status=200 +END". */
  async line(windowUpdates = false): Promise<string> {
    for (;;) {
      const frame = await this.read();
      if (frame.type === FrameType.SETTINGS) continue;
      if (frame.type === FrameType.WINDOW_UPDATE && !windowUpdates) continue;
      return this.describe(frame);
    }
  }

  /** Answers the PING that comes next; gives the line behind it. */
  async afterPing(): Promise<string> {
    const frame = await this.readOn();
    if (frame.type !== FrameType.PING) throw new Error(`No PING: ${this.describe(frame)}`);
    await this.send(FrameType.PING, Flag.ACK, 0, frame.payload);
    return await this.line();
  }

  async lines(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.line());
    return lines;
  }

  describe({ type, flags, streamId, payload }: Frame): string {
    const end = (flags & Flag.END_STREAM) !== 0 ? " +END" : "";
    switch (type) {
      case FrameType.DATA:
        return `DATA ${streamId} ${payload.length > 60 ? `${payload.length} bytes` : text(payload)}${end}`;
      case FrameType.HEADERS: {
        const fields = this.decoder.decode(payload)!;
        const pairs = fields.flatMap((name, i) => i % 2 === 0 ? [`${name}=${fields[i + 1]}`] : []);
        return `HEADERS ${streamId} ${pairs.join(" ")}${end}`;
      }
      case FrameType.RST_STREAM:
        return `RST_STREAM ${streamId} ${codeName(readUint32(payload, 0))}`;
      case FrameType.GOAWAY:
        return `GOAWAY ${readUint32(payload, 0)} ${codeName(readUint32(payload, 4))}`;
      case FrameType.PING:
        return `PING${flags & Flag.ACK ? " ACK" : ""} ${text(payload)}`;
      case FrameType.WINDOW_UPDATE:
        return `WINDOW_UPDATE ${streamId} ${readUint32(payload, 0)}`;
      default:
        return `frame ${type}`;
    }
  }

  /** Reads on until the peer has closed; gives the lines. */
  async rest(): Promise<string[]> {
    const lines: string[] = [];
    try {
      for (;;) lines.push(await this.line());
    } catch {
      return lines;
    }
  }
}

export const GET = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a.test"];
export const POST = [":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a.test"];

export function responseHead(statusCode = 200, headers: [string, string][] = []): ResponseHead {
  return { statusCode, reason: "", httpVersion: "HTTP/2.0", headers: new Headers(headers) };
}

export function requestHead(method = "GET", headers: [string, string][] = []): RequestHead {
  return {
    method,
    form: "origin",
    scheme: "http",
    host: "a.test",
    port: 80,
    path: "/",
    httpVersion: "HTTP/1.1",
    headers: new Headers(headers),
  };
}

/** A body that a test feeds: `push` pieces, then `end` or `fail`. */
export class TestBody implements Body {
  size: number | null = null;
  chunked = true;
  readonly chunkLeft = 0;
  trailers: string[] | null = null;
  cancelled: WeirError | null = null;
  taken = 0;
  readonly #pieces: Uint8Array[] = [];
  #ended = false;
  #error: WeirError | null = null;
  #wake: (() => void) | null = null;

  static of(pieces: (string | Uint8Array)[], trailers: string[] | null = null): TestBody {
    const body = new TestBody();
    for (const piece of pieces) body.push(piece);
    body.end(trailers);
    return body;
  }

  push(piece: string | Uint8Array): void {
    this.#pieces.push(typeof piece === "string" ? utf8(piece) : piece);
    this.#notify();
  }

  end(trailers: string[] | null = null): void {
    this.#ended = true;
    this.trailers = trailers;
    this.#notify();
  }

  fail(error: WeirError): void {
    this.#error = error;
    this.#notify();
  }

  take(): Uint8Array | null | undefined {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.taken += piece.length;
      return piece;
    }
    if (this.#error !== null) throw this.#error;
    return this.#ended ? null : undefined;
  }

  fill(): Promise<void> {
    if (this.#pieces.length > 0 || this.#ended || this.#error !== null) return Promise.resolve();
    return new Promise((resolve) => this.#wake = resolve);
  }

  cancel(reason: WeirError): void {
    this.cancelled ??= reason;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/** The pieces of a body as text, to its end. */
export async function pieces(body: Body | null): Promise<string[]> {
  const list: string[] = [];
  if (body === null) return list;
  for (;;) {
    const piece = body.take();
    if (piece === null) return list;
    if (piece === undefined) await body.fill();
    else list.push(text(piece));
  }
}

export function assertLines(actual: string[], ...expected: string[]): void {
  assertEquals(actual, expected);
}
