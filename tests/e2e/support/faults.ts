/**
 * Clients and origins of both HTTP versions that stop after any byte, and what the other side can tell of it: a message that is
 * complete by its framing, or one that is visibly cut. All without TLS: HTTP/2 by prior knowledge (RFC 9113 §3.3).
 * @module
 */
import { HpackDecoder } from "../../../src/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/http2/hpack/encoder.ts";
import { PREFACE, readUint32 } from "../../../src/http2/frames.ts";
import { type Conn, dial, listen } from "../../../src/net/mod.ts";
import { Flag, frameBytes, FrameType, text, utf8 } from "../../http2/support.ts";
import { bytesOf } from "./wire.ts";

export type Version = "h1" | "h2";
/** How a connection is ended in mid message. */
export type Cut = "fin" | "reset";
/** How an HTTP/1 message says where its body ends. */
export type Framing = "length" | "chunked" | "close";

/** The body of every request and of every response of an origin. */
export const BODY = "abcdefghij";

/** A message as its receiver sees it. */
export interface Seen {
  /** Start line and fields, or those of HTTP/2 as `:status=200 …`; "" when there was no whole head. */
  readonly head: string;
  readonly body: string;
  /** The framing says that this is all. */
  readonly isComplete: boolean;
}

const NOTHING: Seen = { head: "", body: "", isComplete: false };

// HTTP/1

export function request1(path: string, authority: string, framing: Exclude<Framing, "close"> | null): string {
  const head = `${
    framing === null ? "GET" : "POST"
  } http://${authority}${path} HTTP/1.1\r\nHost: ${authority}\r\n`;
  return `${head}Connection: close\r\n${framing === null ? "\r\n" : framed(framing)}`;
}

function framed(framing: Framing): string {
  if (framing === "length") return `Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
  if (framing === "close") return `\r\n${BODY}`;
  const half = BODY.length / 2;
  const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`;
  return `Transfer-Encoding: chunked\r\n\r\n${chunk(BODY.slice(0, half))}${chunk(BODY.slice(half))}0\r\n\r\n`;
}

export function response1(framing: Framing): string {
  return `HTTP/1.1 200 OK\r\n${framed(framing)}`;
}

/** What is made of bytes after which the connection ended by `end`, or is still open (null). */
export function parse1(received: string, end: Cut | null): Seen {
  const at = received.indexOf("\r\n\r\n");
  if (at < 0) return NOTHING;
  const head = received.slice(0, at), rest = received.slice(at + 4);
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (length !== undefined) {
    return { head, body: rest.slice(0, Number(length)), isComplete: rest.length >= Number(length) };
  }
  if (/^transfer-encoding: chunked$/im.test(head)) return { head, ...chunksOf(rest) };
  const isResponse = head.startsWith("HTTP/");
  return { head, body: rest, isComplete: isResponse ? end === "fin" : true };
}

function chunksOf(received: string): { body: string; isComplete: boolean } {
  let body = "";
  for (let rest = received;;) {
    const line = rest.indexOf("\r\n");
    if (line < 0) return { body, isComplete: false };
    const size = parseInt(rest.slice(0, line), 16);
    rest = rest.slice(line + 2);
    if (size === 0) return { body, isComplete: rest.startsWith("\r\n") };
    body += rest.slice(0, size);
    if (rest.length < size + 2) return { body, isComplete: false };
    rest = rest.slice(size + 2);
  }
}

/** All that comes, and how it ended. */
async function readAll(conn: Conn): Promise<{ received: string; end: Cut }> {
  const into = new Uint8Array(4096);
  let received = "";
  try {
    for (let count; (count = await conn.read(into)) !== null;) received += text(into.subarray(0, count));
    return { received, end: "fin" };
  } catch {
    return { received, end: "reset" };
  }
}

async function sendCut(conn: Conn, bytes: Uint8Array, at: number): Promise<void> {
  // The receiver may be gone already, having seen enough.
  if (at > 0) await conn.write(bytes.subarray(0, at)).catch(() => {});
}

/** Sends a whole request on a connection of its own, and gives the response. */
export async function exchange1(port: number, request: string): Promise<Seen> {
  const conn = await dial("127.0.0.1", port, { side: "server" });
  try {
    await conn.write(bytesOf(request));
    const { received, end } = await readAll(conn);
    return parse1(received, end);
  } finally {
    conn.close();
  }
}

/** Sends the first `at` bytes of a connection's, and ends it; before a reset it waits for `isSeen`. */
export async function sendPart(
  port: number,
  bytes: Uint8Array,
  at: number,
  cut: Cut,
  isSeen: () => Promise<void>,
): Promise<void> {
  const conn = await dial("127.0.0.1", port, { side: "server" });
  await sendCut(conn, bytes, at);
  if (cut === "fin") {
    await conn.closeWrite().catch(() => {});
    await readAll(conn);
    conn.close();
  } else {
    await isSeen();
    conn.reset();
  }
}

// HTTP/2

const SETTINGS = frameBytes(FrameType.SETTINGS, 0, 0);
const SETTINGS_ACK = frameBytes(FrameType.SETTINGS, Flag.ACK, 0);

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** HEADERS and two DATA frames, or HEADERS alone. */
function message2(encoder: HpackEncoder, id: number, fields: string[], hasBody: boolean): Uint8Array {
  const flags = Flag.END_HEADERS | (hasBody ? 0 : Flag.END_STREAM);
  const head = frameBytes(FrameType.HEADERS, flags, id, encoder.encode(fields).slice());
  if (!hasBody) return head;
  const half = BODY.length / 2;
  return joined(
    head,
    frameBytes(FrameType.DATA, 0, id, utf8(BODY.slice(0, half))),
    frameBytes(FrameType.DATA, Flag.END_STREAM, id, utf8(BODY.slice(half))),
  );
}

function request2(encoder: HpackEncoder, id: number, path: string, authority: string, hasBody: boolean) {
  const method = hasBody ? "POST" : "GET";
  const fields = [":method", method, ":scheme", "http", ":authority", authority, ":path", path];
  return message2(encoder, id, fields, hasBody);
}

/** The bytes of a connection with one request with a body, and where its head ends. */
export function connection2(path: string, authority: string): { bytes: Uint8Array; headEnd: number } {
  const start = joined(PREFACE, SETTINGS);
  const request = request2(new HpackEncoder(), 1, path, authority, true);
  const headEnd = start.length + 9 + (request[0] << 16 | request[1] << 8 | request[2]);
  return { bytes: joined(start, request), headEnd };
}

/** What is known of one stream. */
interface StreamSeen {
  head: string;
  body: string;
  isComplete: boolean;
  isOver: boolean;
}

/** The frames of a peer, stream by stream. */
class Peer2 {
  readonly streams = new Map<number, StreamSeen>();
  isAcknowledged = false;
  readonly #conn: Conn;
  readonly #decoder = new HpackDecoder();
  readonly #onChange: () => void;

  constructor(conn: Conn, onChange: () => void) {
    this.#conn = conn;
    this.#onChange = onChange;
  }

  /** Reads to the end of the connection; streams that are open then are cut. `skip` bytes come first. */
  async run(skip: number, first: Uint8Array = new Uint8Array(0)): Promise<void> {
    const into = new Uint8Array(16_384);
    let pending: Uint8Array = first;
    try {
      for (;;) {
        if (skip > 0 && pending.length >= skip) {
          pending = pending.subarray(skip);
          skip = 0;
        }
        while (skip === 0 && pending.length >= 9) {
          const end = 9 + (pending[0] << 16 | pending[1] << 8 | pending[2]);
          if (pending.length < end) break;
          await this.#frame(pending[3], pending[4], readUint32(pending, 5), pending.subarray(9, end));
          pending = pending.subarray(end);
        }
        const count = await this.#conn.read(into);
        if (count === null) break;
        pending = joined(pending, into.subarray(0, count));
      }
    } catch {
      // A reset is an end like others.
    }
    for (const stream of this.streams.values()) stream.isOver = true;
    this.#onChange();
  }

  async #frame(type: number, flags: number, id: number, payload: Uint8Array): Promise<void> {
    if (type === FrameType.SETTINGS) {
      if ((flags & Flag.ACK) === 0) await this.#conn.write(SETTINGS_ACK);
      else this.isAcknowledged = true;
    }
    if (type === FrameType.PING && (flags & Flag.ACK) === 0) {
      await this.#conn.write(frameBytes(FrameType.PING, Flag.ACK, 0, payload));
    }
    if (id > 0) {
      let stream = this.streams.get(id);
      if (stream === undefined) {
        this.streams.set(id, stream = { head: "", body: "", isComplete: false, isOver: false });
      }
      if (type === FrameType.HEADERS) {
        const fields = this.#decoder.decode(payload)!;
        stream.head += fields.map((value, i) => i % 2 === 0 ? `${value}=` : `${value} `).join("");
      }
      if (type === FrameType.DATA) stream.body += text(payload);
      const isEnd = (type === FrameType.HEADERS || type === FrameType.DATA) &&
        (flags & Flag.END_STREAM) !== 0;
      if (isEnd && !stream.isOver) stream.isComplete = true;
      if (isEnd || type === FrameType.RST_STREAM) stream.isOver = true;
    }
    this.#onChange();
  }
}

/** Things that are waited for, looked at again whenever something has changed. */
export class Changes {
  #waiting: (() => void)[] = [];

  happened = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  };

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** A client with one connection for all of its requests. */
export class Client2 implements AsyncDisposable {
  readonly #conn: Conn;
  readonly #encoder = new HpackEncoder();
  readonly #changes = new Changes();
  readonly #peer: Peer2;
  readonly #reading: Promise<void>;
  #next = 1;

  private constructor(conn: Conn) {
    this.#conn = conn;
    this.#peer = new Peer2(conn, this.#changes.happened);
    this.#reading = this.#peer.run(0);
  }

  static async connect(port: number): Promise<Client2> {
    const conn = await dial("127.0.0.1", port, { side: "server" });
    await conn.write(joined(PREFACE, SETTINGS));
    return new Client2(conn);
  }

  async exchange(path: string, authority: string, hasBody: boolean): Promise<Seen> {
    const id = this.#next;
    this.#next += 2;
    await this.#conn.write(request2(this.#encoder, id, path, authority, hasBody));
    await this.#changes.until(() => this.#peer.streams.get(id)?.isOver ?? false);
    return this.#peer.streams.get(id)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#conn.close();
    await this.#reading;
  }
}

// Origins

/**
 * Answers each whole request, and closes the connection behind the answer. The path of a request may say where the answer is
 * cut: `/…-cut-AT-fin`.
 */
export class FaultOrigin implements AsyncDisposable {
  /** What came of requests, by path. */
  readonly received = new Map<string, Seen>();
  readonly #listener = listen({ hostname: "127.0.0.1", port: 0 });
  readonly #served = new Set<Promise<void>>();
  readonly #conns = new Set<Conn>();
  readonly #accepting: Promise<void>;

  constructor(readonly version: Version, readonly framing: Framing = "length") {
    this.#accepting = (async () => {
      for await (const conn of this.#listener) {
        this.#conns.add(conn);
        const served = (this.version === "h1" ? this.#serve1(conn) : this.#serve2(conn)).finally(() => {
          conn.close();
          this.#conns.delete(conn);
          this.#served.delete(served);
        });
        this.#served.add(served);
      }
    })();
  }

  get authority(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#conns.size;
  }

  /** The answer's bytes. */
  get answer(): Uint8Array {
    return this.version === "h1" ? bytesOf(response1(this.framing)) : answer2(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
    await this.#accepting;
    await Promise.all(this.#served);
  }

  async #serve1(conn: Conn): Promise<void> {
    const into = new Uint8Array(4096);
    let received = "";
    let end: Cut | null = null;
    while (end === null && !parse1(received, null).isComplete) {
      const count = await conn.read(into).catch(() => undefined);
      if (count === undefined || count === null) end = count === null ? "fin" : "reset";
      else received += text(into.subarray(0, count));
    }
    const seen = parse1(received, end);
    if (seen.head === "") return;
    const path = seen.head.split(" ")[1];
    this.received.set(path, seen);
    if (seen.isComplete) await this.#reply(conn, path, this.answer);
  }

  async #serve2(conn: Conn): Promise<void> {
    const first = new Uint8Array(PREFACE.length);
    const count = await conn.read(first).catch(() => null);
    await conn.write(SETTINGS).catch(() => {});
    // Whoever speaks HTTP/1 learns better from that.
    if (count === null || first[0] !== PREFACE[0] || first[1] !== PREFACE[1]) return;
    const answered = new Set<number>();
    const replies: Promise<void>[] = [];
    const peer: Peer2 = new Peer2(conn, () => {
      for (const [id, stream] of peer.streams) {
        const path = /:path=(\S+)/.exec(stream.head)?.[1];
        if (path === undefined) continue;
        this.received.set(path, stream);
        if (!stream.isComplete || !peer.isAcknowledged || answered.has(id)) continue;
        answered.add(id);
        replies.push(this.#reply(conn, path, answer2(id)));
      }
    });
    await peer.run(PREFACE.length, first.subarray(0, count));
    await Promise.all(replies);
  }

  async #reply(conn: Conn, path: string, answer: Uint8Array): Promise<void> {
    const [, at, cut] = /-cut-(\d+)-(fin|reset)/.exec(path) ?? [];
    await sendCut(conn, answer, at === undefined ? answer.length : Number(at));
    if (cut === "reset") conn.reset();
    else if (cut === "fin" || this.version === "h1") conn.close();
  }
}

function answer2(id: number): Uint8Array {
  return message2(new HpackEncoder(), id, [":status", "200"], true);
}
