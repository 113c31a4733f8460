import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { applyMask, newMaskKey } from "../../src/websocket/mask.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

Deno.test("masking is RFC 6455 §5.3's XOR at any length, alignment and offset", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.nat(9),
      fc.nat(100_000),
      (payload, key, align, offset) => {
        const buffer = new Uint8Array(align + payload.length + 5);
        buffer.set(payload, align);
        const number = key[0] | key[1] << 8 | key[2] << 16 | key[3] << 24;
        applyMask(buffer.subarray(align, align + payload.length), number, offset);
        assertEquals(
          buffer.subarray(align, align + payload.length),
          payload.map((byte, i) => byte ^ key[(i + offset) % 4]),
        );
        assertEquals(buffer.subarray(align + payload.length), new Uint8Array(5));
      },
    ),
  );
});

Deno.test("mask keys differ, also past a batch", () => {
  const keys = new Set(Array.from({ length: 5000 }, newMaskKey));
  assertNotEquals(keys.size, 1);
  assertEquals(keys.size > 4990, true);
});
