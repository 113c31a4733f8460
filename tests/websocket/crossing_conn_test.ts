import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { CrossingConn, type MessageCrossing } from "../../src/websocket/crossing_conn.ts";
import { FrameParser } from "../../src/websocket/frames.ts";
import { literalReplacer } from "../../src/streams/mod.ts";
import { memoryConnPair, splitBy } from "../support/memory_conn.ts";
import { encode } from "./support.ts";

const runs = Number(Deno.env.get("WEIR_TEST_RUNS") ?? 100);

/** Up, "holder" becomes "the value"; down, the other way. */
const crossing: MessageCrossing = {
  up: () => literalReplacer([["holder", "the value"]]),
  down: () => literalReplacer([["the value", "holder"]]),
};

/** Messages, each `opcode text`, and control frames as they came between them. */
function messagesIn(side: "client" | "server", bytes: Uint8Array): string[] {
  const parser = new FrameParser(side, false);
  const found: string[] = [];
  let message = "", control = "", opcode = 0;
  const decoder = new TextDecoder("latin1");
  parser.push(bytes);
  for (let event; (event = parser.next()) !== undefined;) {
    const { head, piece, left } = parser;
    if (event === "head") {
      if (head.opcode === 1 || head.opcode === 2) opcode = head.opcode;
      continue;
    }
    if (head.opcode >= 8) {
      control += decoder.decode(piece);
      if (left === 0) {
        found.push(`${head.opcode} ${control}`);
        control = "";
      }
      continue;
    }
    message += decoder.decode(piece);
    if (left === 0 && head.fin) {
      found.push(`${opcode} ${message}`);
      message = "";
    }
  }
  return found;
}

const text = fc.array(fc.constantFrom("holder", "the value", "hol", "the v", "x", " "), { maxLength: 12 })
  .map((parts) => parts.join(""));
const message = fc.record({
  opcode: fc.constantFrom(1, 2),
  /** Its fragments. */
  parts: fc.array(text, { minLength: 1, maxLength: 4 }),
  /** A pong between them. */
  pong: fc.boolean(),
});

Deno.test("messages are changed as a whole in both directions, whatever their fragments and however their bytes come", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("up" as const, "down" as const),
      fc.array(message, { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      async (direction, messages, counts) => {
        const isUp = direction === "up";
        const frames = messages.flatMap(({ opcode, parts, pong }) =>
          parts.flatMap((payload, i) => [
            { opcode: i === 0 ? opcode : 0, payload, fin: i === parts.length - 1 },
            ...pong && i === 0 ? [{ opcode: 10, payload: "p" }] : [],
          ])
        );
        const wire = concat(frames.map((frame) => encode(frame, isUp)));
        const changed = (whole: string) =>
          isUp ? whole.replaceAll("holder", "the value") : whole.replaceAll("the value", "holder");
        const expected = messages.map(({ opcode, parts }) => `${opcode} ${changed(parts.join(""))}`);
        const [near, far] = memoryConnPair({ split: splitBy(counts), capacity: 1024 * 1024 });
        const conn = new CrossingConn(near, crossing);
        const seen: Uint8Array[] = [];
        if (isUp) {
          let at = 0;
          for (let turn = 0; at < wire.length; turn++) {
            const end = Math.min(wire.length, at + counts[turn % counts.length]);
            await conn.write(wire.subarray(at, end));
            at = end;
          }
          await conn.closeWrite();
        } else {
          await far.write(wire);
          await far.closeWrite();
        }
        const from = isUp ? far : conn, into = new Uint8Array(64);
        for (let count; (count = await from.read(into)) !== null;) seen.push(into.slice(0, count));
        const found = messagesIn(isUp ? "client" : "server", concat(seen));
        assertEquals(found.filter((line) => !line.startsWith("10 ")), expected);
        assertEquals(
          found.filter((line) => line.startsWith("10 ")).length,
          messages.filter(({ pong }) => pong).length,
        );
        conn.close();
        far.close();
      },
    ),
    { numRuns: runs },
  );
});

Deno.test("a frame that is here as a whole and is not changed stays one frame of its length", async () => {
  const [near, far] = memoryConnPair();
  const conn = new CrossingConn(near, crossing);
  await far.write(
    concat([
      encode({ opcode: 1, payload: "one", fin: false }, false),
      encode({ opcode: 0, payload: "twotwo" }, false),
    ]),
  );
  const into = new Uint8Array(64);
  const count = await conn.read(into);
  assertEquals([...into.subarray(0, count!)], [
    ...concat([
      encode({ opcode: 1, payload: "one", fin: false }, false),
      encode({ opcode: 0, payload: "twotwo" }, false),
    ]),
  ]);
  conn.close();
  far.close();
});
