import { assertEquals, assertMatch } from "@std/assert";
import { drifts, type Sample } from "../../../scripts/soak/drift.ts";

const MIB = 1024 * 1024;

/** A run of so many samples. */
function run(count: number, at: (i: number) => Partial<Sample>): Sample[] {
  return Array.from(
    { length: count },
    (_, i) => ({ rss: 150 * MIB, descriptors: 50, exchanges: 10 * i, ...at(i) }),
  );
}

Deno.test("what stays as it is does not drift, nor does what warms up in the first third", () => {
  assertEquals(drifts(run(30, () => ({}))), []);
  assertEquals(drifts(run(30, (i) => ({ rss: Math.min(90 + 10 * i, 190) * MIB }))), []);
  assertEquals(
    drifts(run(30, (i) => ({ rss: (150 + 30 * (i % 3)) * MIB, descriptors: 40 + 7 * (i % 4) }))),
    [],
  );
});

Deno.test("memory that goes on growing is told", () => {
  const [line, ...more] = drifts(run(60, (i) => ({ rss: (150 + 10 * i) * MIB })));
  assertMatch(line, /^Memory grows: 4\d\d MiB, then 6\d\d MiB\.$/);
  assertEquals(more, []);
});

Deno.test("descriptors that are not given back are told", () => {
  assertMatch(
    drifts(run(60, (i) => ({ descriptors: 40 + 3 * i })))[0],
    /^Descriptors grow: 1\d\d, then 19\d\.$/,
  );
});

Deno.test("a proxy that has stopped is told", () => {
  assertMatch(drifts(run(30, (i) => ({ exchanges: Math.min(i, 15) })))[0], /^Nothing moves any more/);
});

Deno.test("a run of two samples says nothing", () => {
  assertMatch(drifts(run(2, () => ({})))[0], /too short/);
});
