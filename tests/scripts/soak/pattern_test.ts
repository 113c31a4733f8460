import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { pattern, PatternCheck, randomNumbers } from "../../../scripts/soak/pattern.ts";

Deno.test("a pattern passes its check however it is cut, and no other seed's, shifted or changed one does", () => {
  fc.assert(fc.property(fc.nat(255), fc.integer({ min: 1, max: 2000 }), fc.nat(), (seed, size, cut) => {
    const bytes = pattern(seed, 0, size);
    const check = new PatternCheck(seed);
    check.add(bytes.subarray(0, cut % size));
    check.add(bytes.subarray(cut % size));
    check.end(size);
    bytes[cut % size] ^= 1;
    assertThrows(() => new PatternCheck(seed).add(bytes), Error, `Byte ${cut % size} is `);
    assertThrows(() => new PatternCheck((seed + 1) & 255).add(pattern(seed, 0, size)), Error, "Byte 0 is ");
    assertThrows(() => check.end(size + 1), Error, `${size} bytes came, not ${size + 1}.`);
  }));
});

Deno.test("random numbers are the same for the same seed, and between 0 and 1", () => {
  const [one, same, other] = [7, 7, 8].map((seed) => {
    const next = randomNumbers(seed);
    return Array.from({ length: 100 }, () => next());
  });
  assertEquals(one, same);
  assertEquals(one.every((number) => number >= 0 && number < 1), true);
  assertEquals(one.every((number, i) => number === other[i]), false);
});
