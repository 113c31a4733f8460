import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { median, medians, percentile, ratios } from "../../../scripts/bench/statistics.ts";

Deno.test("median is the middle value, whatever the order", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([10, 9, 100]), 10);
  assertEquals(median([]), NaN);
  assertEquals(median([NaN, 3, NaN, 1, 2]), 2);
});

Deno.test("percentile takes the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assertEquals(percentile(hundred, 0.5), 50);
  assertEquals(percentile(hundred, 0.99), 99);
  assertEquals(percentile(hundred, 1), 100);
  assertEquals(percentile(hundred, 0), 1);
  assertEquals(percentile([7], 0.99), 7);
  assertEquals(percentile([], 0.5), NaN);
});

Deno.test("percentile is one of the values, and at least the given share of them is not above it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const value = percentile(values, share);
        assertEquals(values.includes(value), true);
        assertEquals(values.filter((other) => other <= value).length >= share * values.length - 1e-9, true);
      },
    ),
  );
});

Deno.test("neither median nor percentile changes what it is given", () => {
  const values = [3, 1, 2];
  median(values);
  percentile(values, 0.5);
  assertEquals(values, [3, 1, 2]);
});

Deno.test("medians are taken of each key where it is there", () => {
  assertEquals(medians([{ a: 1 }, { a: 3, b: 5 }, { a: 2 }]), { a: 2, b: 5 });
  assertEquals(medians([{}, {}]), {});
});

Deno.test("ratios are those of rounds that both sides have", () => {
  assertEquals(ratios([10, 20, 30], [5, 40]), [2, 0.5]);
  assertEquals(ratios([10], [5, 40]), [2]);
  assertEquals(ratios([1, -1, 1], [0, 1, -1]), [NaN, NaN, NaN]);
});
