/** Frames as bytes, with what the parser says of each (RFC 6455 §5.2 – §5.5), for both sides and with and without deflate. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { WebSocketError } from "../../src/websocket/close.ts";
import { FrameParser } from "../../src/websocket/frames.ts";

type Verdict = string;

/** "head OPCODE LENGTH" and "end" for each frame, "more" where one is not complete, or the code of the refusal. */
function verdict(
  bytes: readonly number[],
  from: "client" | "server",
  deflate: boolean,
  sizes = [bytes.length],
): Verdict {
  const parser = new FrameParser(from, deflate);
  const seen: string[] = [];
  let isOpen = false;
  try {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const end = at + Math.max(1, sizes[turn % sizes.length]);
      parser.push(Uint8Array.from(bytes.slice(at, end)));
      for (let event = parser.next(); event !== undefined; event = parser.next()) {
        if (event === "head") {
          seen.push(`${parser.head.fin ? "" : "-"}${parser.head.opcode}:${parser.head.length}`);
        }
        isOpen = parser.left > 0;
      }
      at = end;
    }
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    return [...seen, `${error.closeCode}`].join(" ");
  }
  return seen.join(" ") + (isOpen ? " more" : "");
}

const KEY = [1, 2, 3, 4];
const zeros = (count: number) => new Array<number>(count).fill(0);

// deno-fmt-ignore -- one case per line reads as a table
const FROM_CLIENT: [what: string, bytes: number[], plain: Verdict, deflated?: Verdict][] = [
  ["an empty text", [0x81, 0x80, ...KEY], "1:0"],
  ["a text", [0x81, 0x81, ...KEY, 0x60], "1:1"],
  ["half a head", [0x81], ""],
  ["a head without its key", [0x81, 0x81, 1, 2], ""],
  ["a head without its payload", [0x81, 0x82, ...KEY, 1], "1:2 more"],
  ["125 bytes", [0x82, 0x80 | 125, ...KEY, ...zeros(125)], "2:125"],
  ["126 bytes", [0x82, 0x80 | 126, 0, 126, ...KEY, ...zeros(126)], "2:126"],
  ["a length of two bytes, cut", [0x82, 0x80 | 126, 0], ""],
  ["a length of eight bytes", [0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, ...KEY], "2:65536 more"],
  ["a length of 2^53 - 1", [0x82, 0x80 | 127, 0, 0x1f, 255, 255, 255, 255, 255, 255, ...KEY], "2:9007199254740991 more"],
  ["a length of 2^53", [0x82, 0x80 | 127, 0, 0x20, 0, 0, 0, 0, 0, 0, ...KEY], "1002"],
  ["a length of 2^63", [0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, ...KEY], "1002"],
  ["no mask", [0x81, 0x01, 0x61], "1002"],
  ["RSV1", [0xc1, 0x80, ...KEY], "1002", "1:0"],
  ["RSV2", [0xa1, 0x80, ...KEY], "1002"],
  ["RSV3", [0x91, 0x80, ...KEY], "1002"],
  ["all of them", [0xf1, 0x80, ...KEY], "1002"],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, number[], Verdict] => [`opcode ${opcode}`, [0x80 | opcode, 0x80, ...KEY], "1002"]),
  ["a ping", [0x89, 0x80, ...KEY], "9:0"],
  ["a pong that nobody asked for", [0x8a, 0x80, ...KEY], "10:0"],
  ["a Close without a code", [0x88, 0x80, ...KEY], "8:0"],
  ["a ping of 126 bytes", [0x89, 0x80 | 126, 0, 126, ...KEY], "1002"],
  ["a ping in fragments", [0x09, 0x80, ...KEY], "1002"],
  ["a Close in fragments", [0x08, 0x80, ...KEY], "1002"],
  ["a ping with RSV1", [0xc9, 0x80, ...KEY], "1002"],
  ["two fragments", [0x01, 0x80, ...KEY, 0x80, 0x80, ...KEY], "-1:0 0:0"],
  ["a ping between fragments", [0x01, 0x80, ...KEY, 0x89, 0x80, ...KEY, 0x80, 0x80, ...KEY], "-1:0 9:0 0:0"],
  ["a continuation of nothing", [0x80, 0x80, ...KEY], "1002"],
  ["a continuation behind the last fragment", [0x81, 0x80, ...KEY, 0x80, 0x80, ...KEY], "1:0 1002"],
  ["a message within another", [0x01, 0x80, ...KEY, 0x81, 0x80, ...KEY], "-1:0 1002"],
  ["RSV1 on a continuation", [0x41, 0x80, ...KEY, 0xc0, 0x80, ...KEY], "1002", "-1:0 1002"],
];

for (const [what, bytes, plain, deflated = plain] of FROM_CLIENT) {
  Deno.test(`from a client, ${what}: ${plain || "waits"}${deflated === plain ? "" : `, with deflate ${deflated}`}`, () => {
    for (const sizes of [[bytes.length], [1], [2, 3]]) {
      assertEquals(verdict(bytes, "client", false, sizes), plain);
      assertEquals(verdict(bytes, "client", true, sizes), deflated);
    }
  });
}

Deno.test("a server's frames have no mask", () => {
  assertEquals(verdict([0x81, 0x01, 0x61], "server", false), "1:1");
  assertEquals(verdict([0x81, 0x81, ...KEY, 0x61], "server", false), "1002");
  assertEquals(verdict([0x82, 126, 0xff, 0xff], "server", false), "2:65535 more");
});

Deno.test("whatever bytes come, the parser waits, reads or refuses, at every split alike", () => {
  const head = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }));
  const bytes = fc.array(
    fc.oneof(head.map((pair) => [...pair]), fc.constant(KEY), fc.array(fc.nat(255), { maxLength: 4 })),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(
      bytes,
      fc.constantFrom<"client" | "server">("client", "server"),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (parts, from, deflate, sizes) => {
        const all = parts.flat();
        if (all.length === 0) return;
        assertEquals(verdict(all, from, deflate, sizes), verdict(all, from, deflate));
      },
    ),
    { seed: 10, numRuns: 3000 },
  );
});
