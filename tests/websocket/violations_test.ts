/** RFC 6455's rules, broken by each side: whole, byte by byte, and at random splits. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { byteByByte, type Split, splitBy, whole } from "../support/memory_conn.ts";
import { closeFrame, encode, startRelay, TAKEOVER, type TestFrame } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

interface Violation {
  name: string;
  frames: TestFrame[];
  code: number;
  /** Masked although a server, unmasked although a client. */
  wrongMask?: boolean;
  deflate?: boolean;
}

const bad = (...bytes: number[]) => new Uint8Array(bytes);

const VIOLATIONS: Violation[] = [
  {
    name: "a mask that is missing or too many",
    frames: [{ opcode: 1, payload: "x" }],
    wrongMask: true,
    code: 1002,
  },
  { name: "RSV1 without an extension", frames: [{ opcode: 1, rsv: 4, payload: "x" }], code: 1002 },
  { name: "RSV2", frames: [{ opcode: 1, rsv: 2, payload: "x" }], deflate: true, code: 1002 },
  { name: "RSV3", frames: [{ opcode: 2, rsv: 1, payload: "x" }], deflate: true, code: 1002 },
  { name: "RSV1 on a control frame", frames: [{ opcode: 9, rsv: 4 }], deflate: true, code: 1002 },
  {
    name: "RSV1 on a continuation",
    frames: [{ fin: false, opcode: 1, payload: "x" }, { opcode: 0, rsv: 4, payload: "x" }],
    deflate: true,
    code: 1002,
  },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    name: `the reserved opcode ${opcode}`,
    frames: [{ opcode, payload: "x" }],
    code: 1002,
  })),
  { name: "a ping of 126 bytes", frames: [{ opcode: 9, payload: new Uint8Array(126) }], code: 1002 },
  { name: "a fragmented ping", frames: [{ fin: false, opcode: 9 }], code: 1002 },
  { name: "a fragmented Close", frames: [{ fin: false, opcode: 8 }], code: 1002 },
  { name: "a continuation of nothing", frames: [{ opcode: 0, payload: "x" }], code: 1002 },
  {
    name: "a new message inside another",
    frames: [{ fin: false, opcode: 1, payload: "x" }, { opcode: 1, payload: "y" }],
    code: 1002,
  },
  { name: "bad UTF-8", frames: [{ opcode: 1, payload: bad(0x61, 0xff) }], code: 1007 },
  {
    name: "bad UTF-8 split over fragments",
    frames: [{ fin: false, opcode: 1, payload: bad(0xed) }, { opcode: 0, payload: bad(0xa0, 0x80) }],
    code: 1007,
  },
  { name: "UTF-8 cut short", frames: [{ opcode: 1, payload: bad(0xe2, 0x82) }], code: 1007 },
  { name: "a Close of one byte", frames: [{ opcode: 8, payload: bad(3) }], code: 1002 },
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((code) => ({
    name: `the close code ${code}`,
    frames: [closeFrame(code)],
    code: 1002,
  })),
  {
    name: "a close reason that is not UTF-8",
    frames: [{ opcode: 8, payload: bad(3, 232, 0xc0, 0x80) }],
    code: 1007,
  },
  {
    name: "what cannot be inflated",
    frames: [{ opcode: 2, rsv: 4, payload: bad(255, 255, 255, 255) }],
    deflate: true,
    code: 1007,
  },
  { name: "a message over the limit", frames: [{ opcode: 2, payload: new Uint8Array(501) }], code: 1009 },
  {
    name: "fragments over the limit together",
    frames: [{ fin: false, opcode: 2, payload: new Uint8Array(300) }, {
      opcode: 0,
      payload: new Uint8Array(201),
    }],
    code: 1009,
  },
];

async function check(
  from: "client" | "server",
  violation: Violation,
  split: Split,
  stream: boolean,
): Promise<void> {
  const test = startRelay({
    stream,
    messageLimit: 500,
    deflate: violation.deflate ? TAKEOVER : null,
    conn: { split },
  });
  const offender = test[from], peer = from === "client" ? test.server : test.client;
  const masked = (from === "client") !== (violation.wrongMask ?? false);
  for (const frame of violation.frames) await offender.conn.write(encode(frame, masked));
  const close = await offender.frame();
  assertEquals([close.opcode, close.payload[0] << 8 | close.payload[1]], [8, violation.code]);
  // The other side hears the truth too, unless a frame that was begun keeps a Close frame from being sent.
  const answer = from === "client" ? 1001 : 1011;
  for (;;) {
    let seen;
    try {
      seen = await peer.frame();
    } catch {
      assert(stream);
      break;
    }
    if (seen.opcode !== 8) {
      assert(stream, "a message that is wrong must not be delivered");
      continue;
    }
    assertEquals(seen.payload[0] << 8 | seen.payload[1], answer);
    await peer.send(closeFrame(answer));
    break;
  }
  offender.conn.close();
  peer.conn.close();
  const error = await test.relay.ended;
  assertEquals([error?.side, error?.code], [from, violation.code === 1009 ? "limit" : "protocol"]);
  assertEquals(test.data.closeCode, violation.code);
  assertEquals(test.data.messages.length, 0);
}

for (const from of ["client", "server"] as const) {
  for (const violation of VIOLATIONS) {
    Deno.test(`${from}: ${violation.name} is answered with ${violation.code}`, async () => {
      for (const stream of [false, true]) {
        await check(from, violation, whole, stream);
        await check(from, violation, byteByByte, stream);
      }
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
          fc.boolean(),
          (counts, stream) => check(from, violation, splitBy(counts), stream),
        ),
        { numRuns: 5 },
      );
    });
  }
}

Deno.test("lengths of 2^63 and more, and those a number cannot count, are refused", async () => {
  for (const high of [0x80, 0x00]) {
    const test = startRelay();
    const head = new Uint8Array([0x82, 0x80 | 127, high, 0x20, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    await test.client.conn.write(head);
    const close = await test.client.frame();
    assertEquals(close.payload[0] << 8 | close.payload[1], 1002);
    assertEquals((await test.server.brief()).slice(0, 10), "close 1001");
    test.client.conn.close();
    test.server.conn.close();
    await test.relay.ended;
  }
});
