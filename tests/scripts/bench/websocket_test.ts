import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { acceptKey, frames, MessageCounter } from "../../../scripts/bench/websocket.ts";

const SIZES = [0, 1, 125, 126, 1024, 65535, 65536];

Deno.test("the key of RFC 6455 section 1.3 is answered as there", async () => {
  assertEquals(await acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

for (const masked of [false, true]) {
  Deno.test(`messages are counted, whole and byte by byte, ${masked ? "masked" : "unmasked"}`, () => {
    for (const size of SIZES) {
      const block = frames(size, 3, masked);
      const whole = new MessageCounter();
      whole.feed(block);
      assertEquals([whole.messages, whole.payload], [3, 3 * size]);
      if (size > 1024) continue;
      const single = new MessageCounter();
      for (let i = 0; i < block.length; i++) single.feed(block.subarray(i, i + 1));
      assertEquals([single.messages, single.payload], [3, 3 * size]);
    }
  });
}

Deno.test("messages are counted at any split", () => {
  const block = new Uint8Array([...frames(200, 2, true), ...frames(1, 1, false)]);
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }), (steps) => {
    const counter = new MessageCounter();
    for (let at = 0, i = 0; at < block.length; at += steps[i++ % steps.length]) {
      counter.feed(block.subarray(at, at + steps[i % steps.length]));
    }
    assertEquals([counter.messages, counter.payload], [3, 401]);
  }));
});

Deno.test("control frames and pieces of a message are no messages", () => {
  const counter = new MessageCounter();
  counter.feed(new Uint8Array([0x02, 1, 7, 0x89, 0, 0x00, 1, 7, 0x80, 1, 7]));
  assertEquals(counter.messages, 1);
  assertEquals(counter.payload, 3);
});
