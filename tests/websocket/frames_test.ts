import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeFrameHead, FrameParser, MAX_HEAD, Opcode } from "../../src/websocket/frames.ts";
import { encode, type TestFrame } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

/** What a parser makes of bytes that come in pieces: frames, payloads joined. */
function parse(bytes: Uint8Array, sizes: number[], masked: boolean) {
  const parser = new FrameParser(masked ? "client" : "server", true);
  const frames: { fin: boolean; rsv1: boolean; opcode: number; length: number; payload: number[] }[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + sizes[turn % sizes.length];
    parser.push(bytes.slice(at, end));
    for (let event = parser.next(); event !== undefined; event = parser.next()) {
      const { fin, rsv1, opcode, length } = parser.head;
      if (event === "head") frames.push({ fin, rsv1, opcode, length, payload: [] });
      else frames[frames.length - 1].payload.push(...parser.piece);
    }
    at = end;
  }
  return { frames, left: parser.left, open: parser.open };
}

const message = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }).chain((parts) =>
  fc.record({ text: fc.boolean(), compressed: fc.boolean() }).map(({ text, compressed }): TestFrame[] =>
    parts.map((payload, i) => ({
      fin: i === parts.length - 1,
      rsv: i === 0 && compressed ? 4 : 0,
      opcode: i > 0 ? 0 : text ? 1 : 2,
      payload,
    }))
  )
);
const control = fc.record({ opcode: fc.constantFrom(9, 10), payload: fc.uint8Array({ maxLength: 125 }) })
  .map((frame): TestFrame[] => [frame]);

Deno.test("frames are the same whole, byte by byte, and at random splits", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(message, control), { maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
    fc.boolean(),
    (groups, sizes, masked) => {
      const sent = groups.flat();
      const bytes = new Uint8Array(sent.flatMap((frame) => [...encode(frame, masked)]));
      const expected = sent.map(({ fin = true, rsv = 0, opcode, payload }) => ({
        fin,
        rsv1: rsv === 4,
        opcode,
        length: payload!.length,
        payload: [...payload as Uint8Array],
      }));
      for (const how of [[bytes.length || 1], [1], sizes]) {
        assertEquals(parse(bytes, how, masked), { frames: expected, left: 0, open: false });
      }
    },
  ));
});

Deno.test("a control frame may be between fragments", () => {
  const frames: TestFrame[] = [
    { fin: false, opcode: 1, payload: "a" },
    { opcode: 9 },
    { opcode: 0, payload: "b" },
  ];
  const bytes = new Uint8Array(frames.flatMap((frame) => [...encode(frame, true)]));
  assertEquals(parse(bytes, [1], true).frames.map(({ opcode }) => opcode), [1, 9, 0]);
});

Deno.test("heads are written as they are read, at every length of length", () => {
  const into = new Uint8Array(MAX_HEAD);
  for (const length of [0, 125, 126, 65535, 65536, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER]) {
    for (const key of [null, 0x7f_12_34_56]) {
      const end = encodeFrameHead(into, 0, true, true, Opcode.binary, length, key);
      const parser = new FrameParser(key === null ? "server" : "client", true);
      parser.push(into.slice(0, end));
      assertEquals(parser.next(), "head");
      const { fin, rsv1, opcode, masked } = parser.head;
      assertEquals([fin, rsv1, opcode, masked, parser.head.length], [true, true, 2, key !== null, length]);
    }
  }
});
