/**
 * What a client may and may not send, frame by frame, with the verdict on each (RFC 9113 §3–§8, RFC 7541): the cases that
 * h2spec 2.6 has for servers, by its sections, and their like. `deno task conformance` runs h2spec itself where it is there.
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { splitBy } from "../support/memory_conn.ts";
import {
  Flag,
  frameBytes,
  FramePeer,
  FrameType,
  pieces,
  POST,
  responseHead,
  uint32,
  utf8,
} from "./support.ts";
import { withServer } from "./serve_support.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  FrameType;
const { END_STREAM, END_HEADERS, PADDED } = Flag;
const HAS_PRIORITY = Flag.PRIORITY;
const UNKNOWN = 0x16;

/** Nothing was wrong: the connection answers a PING. */
const FINE = "fine";
const closed = (id: number) => `RST_STREAM ${id} STREAM_CLOSED`;
const streamFault = (id: number) => `RST_STREAM ${id} PROTOCOL_ERROR`;
const fault = (last: number, code = "PROTOCOL_ERROR") => `GOAWAY ${last} ${code}`;

type Case = readonly [
  section: string,
  what: string,
  verdict: string,
  send: (p: FramePeer) => Promise<unknown>,
];

/** Writes frames one after the other, in the order in which they were given. */
class OrderedPeer extends FramePeer {
  #last: Promise<unknown> = Promise.resolve();

  override send(type: number, flags: number, streamId: number, payload?: Uint8Array): Promise<void> {
    const sent = this.#last.catch(() => {}).then(() => super.send(type, flags, streamId, payload));
    this.#last = sent;
    return sent;
  }
}

/** Frames one after the other; a connection that has ended takes none. */
async function all(...steps: Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(steps);
}

async function then(first: Promise<unknown>, next: () => Promise<unknown>): Promise<void> {
  await first;
  await next();
}

/** Fields of a GET as a block, without the peer's dynamic table, so that it can be cut and repeated. */
const BLOCK = Uint8Array.of(0x82, 0x86, 0x84, 0x41, 1, 97);
const POST_BLOCK = Uint8Array.of(0x83, 0x86, 0x84, 0x41, 1, 97);
const bytes = (...parts: (number | Uint8Array)[]) =>
  Uint8Array.from(parts.flatMap((part) => typeof part === "number" ? [part] : [...part]));
const setting = (id: number, value: number) => bytes(0, id, uint32(value));
const open = (p: FramePeer, id = 1) => p.send(HEADERS, END_HEADERS, id, POST_BLOCK);
const whole = (p: FramePeer, id = 1) => p.send(HEADERS, END_HEADERS | END_STREAM, id, BLOCK);
/** A whole request and its whole answer: the stream is closed in order. */
async function answered(p: FramePeer, id = 1): Promise<void> {
  await whole(p, id);
  for (let line = ""; !line.endsWith("+END"); line = await p.line());
}
const reset = async (p: FramePeer) => {
  await open(p);
  await p.rst(1, 8);
};

// deno-fmt-ignore -- one case per line reads as a table
const CASES: readonly Case[] = [
  ["4.1", "a frame of an unknown type", FINE, (p) => p.send(UNKNOWN, 0, 0, new Uint8Array(8))],
  ["4.1", "a frame of an unknown type on a stream", FINE, (p) => p.send(UNKNOWN, 0xff, 7, new Uint8Array(8))],
  ["4.1", "flags that a frame does not have", FINE, (p) => p.send(PING, 0xfe, 0, new Uint8Array(8))],
  ["4.1", "the reserved bit", FINE, (p) => p.send(PING, 0, 0x80000000, new Uint8Array(8))],
  ["4.2", "DATA of the largest size", FINE, (p) => all(open(p), p.data(1, new Uint8Array(16_384), true))],
  ["4.2", "DATA over the largest size", fault(1, "FRAME_SIZE_ERROR"), (p) => all(open(p), p.data(1, new Uint8Array(16_385)))],
  ["4.2", "HEADERS over the largest size", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(HEADERS, 5, 1, new Uint8Array(16_385))],
  ["4.2", "an unknown frame over the largest size", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(UNKNOWN, 0, 0, new Uint8Array(16_385))],
  ["4.3", "a block that cannot be decoded", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(0, 0xff, 0xff, 0xff))],
  ["4.3", "PRIORITY within a block", fault(0), (p) => all(p.send(HEADERS, END_STREAM, 1, BLOCK), p.send(PRIORITY, 0, 1, new Uint8Array(5)))],
  ["4.3", "HEADERS of another stream within a block", fault(0), (p) => all(p.send(HEADERS, END_STREAM, 1, BLOCK), whole(p, 3))],
  ["5.1", "DATA on an idle stream", fault(0), (p) => p.data(1, "x")],
  ["5.1", "RST_STREAM on an idle stream", fault(0), (p) => p.rst(1, 8)],
  ["5.1", "WINDOW_UPDATE on an idle stream", fault(0), (p) => p.windowUpdate(1, 100)],
  ["5.1", "CONTINUATION on an idle stream", fault(0), (p) => p.send(CONTINUATION, END_HEADERS, 1, BLOCK)],
  ["5.1", "PRIORITY on an idle stream", FINE, (p) => p.send(PRIORITY, 0, 1, new Uint8Array(5))],
  ["5.1", "DATA on a stream that is half-closed (remote)", closed(1), (p) => all(p.send(HEADERS, 5, 1, bytes(BLOCK.subarray(0, 2), 4, 5, utf8("/held"), 0x41, 1, 97)), p.data(1, "x"))],
  ["5.1", "HEADERS on a stream that is half-closed (remote)", closed(1), (p) => all(p.send(HEADERS, 5, 1, bytes(BLOCK.subarray(0, 2), 4, 5, utf8("/held"), 0x41, 1, 97)), whole(p))],
  ["5.1", "CONTINUATION on a stream that is half-closed (remote)", fault(1), (p) => all(p.send(HEADERS, 5, 1, bytes(BLOCK.subarray(0, 2), 4, 5, utf8("/held"), 0x41, 1, 97)), p.send(CONTINUATION, END_HEADERS, 1, BLOCK))],
  ["5.1", "WINDOW_UPDATE and PRIORITY on a stream that is half-closed (remote)", FINE, (p) => all(whole(p), p.windowUpdate(1, 5), p.send(PRIORITY, 0, 1, new Uint8Array(5)))],
  ["5.1", "DATA after the client's own RST_STREAM", closed(1), (p) => then(reset(p), () => all(p.data(1, "x")))],
  ["5.1", "HEADERS after the client's own RST_STREAM", fault(1, "STREAM_CLOSED"), (p) => then(reset(p), () => all(whole(p)))],
  ["5.1", "CONTINUATION after the client's own RST_STREAM", fault(1), (p) => then(reset(p), () => all(p.send(CONTINUATION, END_HEADERS, 1, BLOCK)))],
  ["5.1", "WINDOW_UPDATE, PRIORITY and RST_STREAM after the client's own RST_STREAM", FINE, (p) => then(reset(p), () => all(p.windowUpdate(1, 5), p.send(PRIORITY, 0, 1, new Uint8Array(5)), p.rst(1, 8)))],
  ["5.1", "DATA on a stream that both have ended", closed(1), (p) => then(answered(p), () => all(p.data(1, "x")))],
  ["5.1", "HEADERS on a stream that both have ended", fault(1, "STREAM_CLOSED"), (p) => then(answered(p), () => all(whole(p)))],
  ["5.1", "CONTINUATION on a stream that both have ended", fault(1), (p) => then(answered(p), () => all(p.send(CONTINUATION, END_HEADERS, 1, BLOCK)))],
  ["5.1", "WINDOW_UPDATE, PRIORITY and RST_STREAM on a stream that both have ended", FINE, (p) => then(answered(p), () => all(p.windowUpdate(1, 5), p.send(PRIORITY, 0, 1, new Uint8Array(5)), p.rst(1, 8)))],
  ["5.1", "DATA on a stream that weir has reset", streamFault(1), (p) => all(p.send(HEADERS, 5, 1, bytes(BLOCK, 0, 1, 65, 0)), p.data(1, "x"), p.data(1, "y"))],
  ["5.1", "HEADERS on a stream that weir has reset", streamFault(1), (p) => all(p.send(HEADERS, 5, 1, bytes(BLOCK, 0, 1, 65, 0)), whole(p))],
  ["5.1.1", "an even identifier", fault(0), (p) => whole(p, 2)],
  ["5.1.1", "an identifier below the last one", fault(5), (p) => then(answered(p, 5), () => all(whole(p, 3)))],
  ["5.3.1", "HEADERS that depend on their own stream (RFC 7540)", streamFault(1), (p) => p.send(HEADERS, 5 | HAS_PRIORITY, 1, bytes(uint32(1), 16, BLOCK))],
  ["5.3.1", "padded HEADERS that depend on their own stream, in two frames", streamFault(1), (p) => all(p.send(HEADERS, END_STREAM | HAS_PRIORITY | PADDED, 1, bytes(1, uint32(1), 16, BLOCK, 0)), p.send(CONTINUATION, END_HEADERS, 1))],
  ["5.3.1", "HEADERS that depend on another stream", FINE, (p) => p.send(HEADERS, 5 | HAS_PRIORITY, 3, bytes(uint32(1), 16, BLOCK))],
  ["5.3.1", "PRIORITY of an idle stream on itself", fault(0), (p) => p.send(PRIORITY, 0, 1, bytes(uint32(1), 16))],
  ["5.3.1", "PRIORITY of an open stream on itself", streamFault(1), (p) => all(open(p), p.send(PRIORITY, 0, 1, bytes(uint32(0x80000001), 16)))],
  ["5.4.1", "a PING of another length", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(PING, 0, 0, new Uint8Array(6))],
  ["5.5", "an unknown frame within a block", fault(0), (p) => all(p.send(HEADERS, END_STREAM, 1, BLOCK), p.send(UNKNOWN, 0, 1))],
  ["6.1", "DATA on stream 0", fault(0), (p) => p.data(0, "x")],
  ["6.1", "DATA with padding", FINE, (p) => all(open(p), p.send(DATA, PADDED | END_STREAM, 1, bytes(5, utf8("x"), new Uint8Array(5))))],
  ["6.1", "DATA with nothing but padding", FINE, (p) => all(open(p), p.send(DATA, PADDED | END_STREAM, 1, bytes(5, new Uint8Array(5))))],
  ["6.1", "DATA with more padding than payload", fault(1), (p) => all(open(p), p.send(DATA, PADDED | END_STREAM, 1, bytes(6, new Uint8Array(5))))],
  ["6.1", "padded DATA without a pad length", fault(1, "FRAME_SIZE_ERROR"), (p) => all(open(p), p.send(DATA, PADDED | END_STREAM, 1))],
  ["6.2", "HEADERS on stream 0", fault(0), (p) => whole(p, 0)],
  ["6.2", "HEADERS with padding and priority", FINE, (p) => p.send(HEADERS, 5 | PADDED | HAS_PRIORITY, 3, bytes(2, uint32(1), 16, BLOCK, 0, 0))],
  ["6.2", "HEADERS with more padding than payload", fault(0), (p) => p.send(HEADERS, 5 | PADDED, 1, bytes(20, BLOCK))],
  ["6.2", "HEADERS that end within their priority", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(HEADERS, 5 | HAS_PRIORITY, 1, new Uint8Array(4))],
  ["6.3", "PRIORITY on stream 0", fault(0), (p) => p.send(PRIORITY, 0, 0, new Uint8Array(5))],
  ["6.3", "PRIORITY of another length", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(PRIORITY, 0, 1, new Uint8Array(4))],
  ["6.4", "RST_STREAM on stream 0", fault(0), (p) => p.rst(0, 8)],
  ["6.4", "RST_STREAM of another length", fault(1, "FRAME_SIZE_ERROR"), (p) => all(open(p), p.send(RST_STREAM, 0, 1, new Uint8Array(3)))],
  ["6.5", "an acknowledgement of SETTINGS", FINE, (p) => p.send(SETTINGS, Flag.ACK, 0)],
  ["6.5", "an acknowledgement of SETTINGS with a payload", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(SETTINGS, Flag.ACK, 0, setting(3, 1))],
  ["6.5", "SETTINGS on a stream", fault(0), (p) => p.send(SETTINGS, 0, 1, setting(3, 1))],
  ["6.5", "SETTINGS of another length", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(SETTINGS, 0, 0, new Uint8Array(3))],
  ["6.5.2", "ENABLE_PUSH 2", fault(0), (p) => p.send(SETTINGS, 0, 0, setting(2, 2))],
  ["6.5.2", "INITIAL_WINDOW_SIZE 2^31", fault(0, "FLOW_CONTROL_ERROR"), (p) => p.send(SETTINGS, 0, 0, setting(4, 0x80000000))],
  ["6.5.2", "MAX_FRAME_SIZE below its least", fault(0), (p) => p.send(SETTINGS, 0, 0, setting(5, 16_383))],
  ["6.5.2", "MAX_FRAME_SIZE above its most", fault(0), (p) => p.send(SETTINGS, 0, 0, setting(5, 16_777_216))],
  ["6.5.2", "an unknown setting", FINE, (p) => p.send(SETTINGS, 0, 0, setting(255, 0xffffffff))],
  ["6.5.2", "the same setting twice, the last one counts", FINE, (p) => p.send(SETTINGS, 0, 0, bytes(setting(4, 0), setting(4, 65_535)))],
  ["6.6", "PUSH_PROMISE from a client", fault(0), (p) => p.send(FrameType.PUSH_PROMISE, END_HEADERS, 1, uint32(2))],
  ["6.7", "an acknowledgement of a PING that nobody sent", FINE, (p) => p.send(PING, Flag.ACK, 0, utf8("whatever"))],
  ["6.7", "PING on a stream", fault(0), (p) => p.send(PING, 0, 1, new Uint8Array(8))],
  ["6.8", "GOAWAY on a stream", fault(0), (p) => p.send(GOAWAY, 0, 1, new Uint8Array(8))],
  ["6.8", "GOAWAY of another length", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(GOAWAY, 0, 0, new Uint8Array(7))],
  ["6.9", "WINDOW_UPDATE by 0 on the connection", fault(0), (p) => p.windowUpdate(0, 0)],
  ["6.9", "WINDOW_UPDATE by 0 on a stream", streamFault(1), (p) => all(open(p), p.windowUpdate(1, 0))],
  ["6.9", "WINDOW_UPDATE of another length", fault(0, "FRAME_SIZE_ERROR"), (p) => p.send(WINDOW_UPDATE, 0, 0, new Uint8Array(3))],
  ["6.9.1", "a connection window over 2^31 - 1", fault(0, "FLOW_CONTROL_ERROR"), (p) => all(p.windowUpdate(0, 0x7fffffff), p.windowUpdate(0, 0x7fffffff))],
  ["6.9.1", "a stream window over 2^31 - 1", "RST_STREAM 1 FLOW_CONTROL_ERROR", (p) => all(open(p), p.windowUpdate(1, 0x7fffffff))],
  ["6.9.2", "SETTINGS that push a stream window over 2^31 - 1", fault(1, "FLOW_CONTROL_ERROR"), (p) => all(open(p), p.windowUpdate(1, 0x7fff0000), p.send(SETTINGS, 0, 0, setting(4, 0x7fffffff)))],
  ["6.10", "a block in three frames", FINE, (p) => all(p.send(HEADERS, END_STREAM, 1, BLOCK.subarray(0, 2)), p.send(CONTINUATION, 0, 1, BLOCK.subarray(2, 4)), p.send(CONTINUATION, END_HEADERS, 1, BLOCK.subarray(4)))],
  ["6.10", "CONTINUATION on stream 0", fault(0), (p) => all(p.send(HEADERS, END_STREAM, 1, BLOCK), p.send(CONTINUATION, END_HEADERS, 0))],
  ["6.10", "CONTINUATION of another stream", fault(0), (p) => all(p.send(HEADERS, END_STREAM, 1, BLOCK), p.send(CONTINUATION, END_HEADERS, 3))],
  ["6.10", "CONTINUATION behind a whole block", fault(1), (p) => all(open(p), p.send(CONTINUATION, END_HEADERS, 1, BLOCK))],
  ["6.10", "CONTINUATION behind DATA", fault(1), (p) => all(open(p), p.data(1, "x"), p.send(CONTINUATION, END_HEADERS, 1, BLOCK))],
  ["7", "RST_STREAM with an unknown code", FINE, (p) => all(open(p), p.rst(1, 0xff))],
  ["8.1", "a second HEADERS that does not end the stream", streamFault(1), (p) => all(open(p), p.send(HEADERS, END_HEADERS, 1, bytes(0, 1, 97, 0)))],
  ["8.1", "trailers", FINE, (p) => all(open(p), p.data(1, "x"), p.send(HEADERS, 5, 1, bytes(0, 1, 97, 0)))],
  ["8.1", "a pseudo-header field in trailers", streamFault(1), (p) => all(open(p), p.send(HEADERS, 5, 1, bytes(0x82)))],
  ["8.1", "a control character in trailers", streamFault(1), (p) => all(open(p), p.send(HEADERS, 5, 1, bytes(0, 1, 97, 1, 7)))],
  ["8.1.1", "DATA below the content-length", streamFault(1), (p) => all(p.request(1, [...POST, "content-length", "5"], false), p.data(1, "x", true))],
  ["8.1.1", "DATA in two frames above the content-length", streamFault(1), (p) => all(p.request(1, [...POST, "content-length", "3"], false), p.data(1, "xx"), p.data(1, "xx", true))],
  ["hpack 2.3.3", "an index beyond the tables", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(BLOCK, 0xc0))],
  ["hpack 4.2", "a table size update behind a field", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(BLOCK, 0x20))],
  ["hpack 4.2", "a table size update at the beginning", FINE, (p) => p.send(HEADERS, 5, 1, bytes(0x20, BLOCK))],
  ["hpack 5.2", "Huffman padding of more than seven bits", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(BLOCK, 0, 1, 97, 0x82, 0x1f, 0xff))],
  ["hpack 5.2", "Huffman padding of zeros", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(BLOCK, 0, 1, 97, 0x81, 0x18))],
  ["hpack 5.2", "a Huffman EOS", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(BLOCK, 0, 1, 97, 0x84, 0xff, 0xff, 0xff, 0xff))],
  ["hpack 6.1", "index 0", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(BLOCK, 0x80))],
  ["hpack 6.3", "a table larger than allowed", fault(0, "COMPRESSION_ERROR"), (p) => p.send(HEADERS, 5, 1, bytes(0x3f, 0xe1, 0xff, 0x03, BLOCK))],
];

for (const [section, what, verdict, send] of CASES) {
  Deno.test(`RFC 9113 §${section}: ${what}: ${verdict}`, () => judged(send, verdict));
}

async function judged(
  send: Case[3],
  verdict: string,
  options: Parameters<typeof withServer>[2] = {},
): Promise<void> {
  const gate = Promise.withResolvers<void>();
  await withServer(async (x) => {
    if (x.head.path === "/held") return void await gate.promise;
    await pieces(x.body).catch(() => {});
    await x.respond(responseHead(), null).catch(() => {});
  }, async ({ conn }) => {
    const peer = new OrderedPeer(conn);
    // A connection that ends early takes no more.
    await send(peer).catch(() => {});
    await peer.send(PING, 0, 0, utf8("the-end.")).catch(() => {});
    const seen: string[] = [];
    for (let line = ""; line !== "PING ACK the-end." && !line.startsWith("GOAWAY");) {
      line = await peer.line();
      if (/^(RST_STREAM|GOAWAY)/.test(line)) seen.push(line);
    }
    gate.resolve();
    assertEquals(seen, verdict === FINE ? [] : [verdict]);
  }, { capacity: 1 << 20, ...options });
}

Deno.test("the verdicts are the same however the bytes arrive", async () => {
  const small = CASES.filter(([section]) => section !== "4.2");
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...small),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
      async ([, , verdict, send], sizes) => await judged(send, verdict, { split: splitBy(sizes) }),
    ),
    { seed: 10, numRuns: 150 },
  );
});

Deno.test("whatever frames come, the connection goes on or ends with GOAWAY, and no handler is left", async () => {
  const frame = fc.tuple(
    fc.integer({ min: 0, max: 11 }),
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0, 1, 1, 1, 2, 3, 3, 5, 0x7fffffff),
    fc.oneof(
      fc.constant(BLOCK),
      fc.constant(POST_BLOCK),
      fc.uint8Array({ maxLength: 24 }),
      fc.constantFrom(
        uint32(0),
        uint32(8),
        setting(4, 0),
        setting(1, 0),
        new Uint8Array(8),
        new Uint8Array(5),
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 20 }), async (frames) => {
      await withServer(async (x) => {
        await pieces(x.body).catch(() => {});
        await x.respond(responseHead(), null).catch(() => {});
      }, async (peer) => {
        for (const [type, flags, id, payload] of frames) {
          await peer.conn.write(frameBytes(type, flags, id, payload)).catch(() => {});
        }
        await peer.conn.closeWrite().catch(() => {});
        const lines = await peer.rest();
        assertEquals(lines.filter((line) => line.startsWith("frame ")), []);
        assertEquals(lines.findIndex((line) => line.startsWith("GOAWAY")), lines.findLastIndex(isGoaway));
      }, { capacity: 1 << 20 });
    }),
    { seed: 10, numRuns: 300 },
  );
});

const isGoaway = (line: string) => line.startsWith("GOAWAY");
