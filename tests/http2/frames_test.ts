import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Code, ConnectionError } from "../../src/http2/errors.ts";
import { FrameReader } from "../../src/http2/frame_reader.ts";
import { checkFrame, Flag, FrameType, PREFACE, unpad } from "../../src/http2/frames.ts";
import { Output } from "../../src/http2/output.ts";
import { RateLimits } from "../../src/http2/rate_limits.ts";
import { defaultPeerSettings, readSettings, settingsPayload } from "../../src/http2/settings.ts";
import { type Frame, frameBytes } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

function codeOf(run: () => void): number {
  return assertThrows(run, ConnectionError).code;
}

Deno.test("frames with a wrong size or on a wrong stream are refused by their header", () => {
  const wrong: [type: number, flags: number, streamId: number, length: number, code: number][] = [
    [FrameType.DATA, 0, 0, 5, Code.PROTOCOL_ERROR],
    [FrameType.DATA, 0, 1, 16_385, Code.FRAME_SIZE_ERROR],
    [FrameType.HEADERS, 0, 0, 5, Code.PROTOCOL_ERROR],
    [FrameType.PRIORITY, 0, 0, 5, Code.PROTOCOL_ERROR],
    [FrameType.PRIORITY, 0, 1, 4, Code.FRAME_SIZE_ERROR],
    [FrameType.RST_STREAM, 0, 0, 4, Code.PROTOCOL_ERROR],
    [FrameType.RST_STREAM, 0, 1, 3, Code.FRAME_SIZE_ERROR],
    [FrameType.SETTINGS, 0, 1, 0, Code.PROTOCOL_ERROR],
    [FrameType.SETTINGS, 0, 0, 5, Code.FRAME_SIZE_ERROR],
    [FrameType.SETTINGS, Flag.ACK, 0, 6, Code.FRAME_SIZE_ERROR],
    [FrameType.PING, 0, 1, 8, Code.PROTOCOL_ERROR],
    [FrameType.PING, 0, 0, 7, Code.FRAME_SIZE_ERROR],
    [FrameType.GOAWAY, 0, 1, 8, Code.PROTOCOL_ERROR],
    [FrameType.GOAWAY, 0, 0, 7, Code.FRAME_SIZE_ERROR],
    [FrameType.WINDOW_UPDATE, 0, 1, 5, Code.FRAME_SIZE_ERROR],
    [FrameType.CONTINUATION, 0, 0, 1, Code.PROTOCOL_ERROR],
    [0x77, 0, 0, 16_385, Code.FRAME_SIZE_ERROR],
  ];
  for (const [type, flags, streamId, length, code] of wrong) {
    assertEquals(
      codeOf(() => checkFrame(type, flags, streamId, length)),
      code,
      `type ${type}, length ${length}`,
    );
  }
  checkFrame(0x77, 0xff, 12345, 16_384);
});

Deno.test("padding and priority fields are taken off, too much padding is refused", () => {
  const bytes = (...list: number[]) => Uint8Array.from(list);
  assertEquals(unpad(FrameType.DATA, Flag.PADDED, bytes(2, 7, 8, 0, 0)), bytes(7, 8));
  assertEquals(unpad(FrameType.DATA, 0, bytes(2, 7)), bytes(2, 7));
  assertEquals(
    unpad(FrameType.HEADERS, Flag.PADDED | Flag.PRIORITY, bytes(1, 0, 0, 0, 3, 9, 7, 0)),
    bytes(7),
  );
  // The PRIORITY bit means nothing on DATA.
  assertEquals(unpad(FrameType.DATA, Flag.PRIORITY, bytes(7)), bytes(7));
  assertEquals(codeOf(() => unpad(FrameType.DATA, Flag.PADDED, bytes(2, 1))), Code.PROTOCOL_ERROR);
  assertEquals(codeOf(() => unpad(FrameType.DATA, Flag.PADDED, bytes())), Code.FRAME_SIZE_ERROR);
  assertEquals(codeOf(() => unpad(FrameType.HEADERS, Flag.PRIORITY, bytes(0, 0, 0))), Code.FRAME_SIZE_ERROR);
});

function readAll(bytes: Uint8Array, splits: number[]): Frame[] {
  const reader = new FrameReader(true), frames: Frame[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const space = reader.space();
    const part = bytes.subarray(at, at + Math.min(space.length, splits[turn % splits.length]));
    space.set(part);
    reader.filled(part.length);
    at += part.length;
    while (reader.next()) {
      const { type, flags, streamId, payload } = reader;
      frames.push({ type, flags, streamId, payload: payload.slice() });
    }
  }
  return frames;
}

Deno.test("frames are read the same whole, byte by byte and at random splits", () => {
  const frame = fc.record({
    type: fc.constantFrom(FrameType.DATA, FrameType.HEADERS, 0x42),
    flags: fc.nat(255),
    streamId: fc.integer({ min: 1, max: 0x7fffffff }),
    payload: fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constant(new Uint8Array(16_384).fill(7))),
  });
  const splits = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), splits, (frames, counts) => {
      const all = [PREFACE, ...frames.map((f) => frameBytes(f.type, f.flags, f.streamId, f.payload))];
      const bytes = Uint8Array.from(all.flatMap((part) => [...part]));
      assertEquals(readAll(bytes, counts), frames);
      if (bytes.length < 2000) assertEquals(readAll(bytes, [1]), frames);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a connection without the preface is refused at its first wrong byte", () => {
  const reader = new FrameReader(true);
  reader.space().set(new TextEncoder().encode("PRI * HTTP/1"));
  reader.filled(12);
  assertEquals(codeOf(() => reader.next()), Code.PROTOCOL_ERROR);
});

Deno.test("a head larger than a frame goes out as HEADERS and CONTINUATION", () => {
  const output = new Output(() => {});
  output.headerBlock(5, new Uint8Array(40_000).fill(1), true);
  const reader = new FrameReader(false), seen: [number, number, number][] = [];
  const bytes = output.take();
  reader.space().set(bytes);
  reader.filled(bytes.length);
  while (reader.next()) seen.push([reader.type, reader.flags, reader.payload.length]);
  assertEquals(seen, [
    [FrameType.HEADERS, Flag.END_STREAM, 16_384],
    [FrameType.CONTINUATION, 0, 16_384],
    [FrameType.CONTINUATION, Flag.END_HEADERS, 7232],
  ]);
});

Deno.test("settings out of range are refused, unknown ones ignored", () => {
  const read = (id: number, value: number, from: "client" | "server" = "client") => () =>
    readSettings(settingsPayload([[id, value]]), defaultPeerSettings(), from);
  assertEquals(codeOf(read(2, 2)), Code.PROTOCOL_ERROR);
  assertEquals(codeOf(read(2, 1, "server")), Code.PROTOCOL_ERROR);
  assertEquals(codeOf(read(4, 0x80000000)), Code.FLOW_CONTROL_ERROR);
  assertEquals(codeOf(read(5, 16_383)), Code.PROTOCOL_ERROR);
  assertEquals(codeOf(read(5, 0x1000000)), Code.PROTOCOL_ERROR);
  read(0x99, 1)();
  read(2, 0, "server")();
});

Deno.test("rate limits: bursts pass, floods do not, and time heals", () => {
  let now = 0;
  const limits = new RateLimits(() => now);
  for (let i = 0; i < 1000; i++) limits.count("reset");
  assertEquals(codeOf(() => limits.count("reset")), Code.ENHANCE_YOUR_CALM);
  now += 60_000;
  for (let i = 0; i < 900; i++) limits.count("reset");
  // A steady rate below the limit goes on for ever.
  const steady = new RateLimits(() => now);
  for (let i = 0; i < 20_000; i++, now += 1000 / 30) steady.count("reset");
});
