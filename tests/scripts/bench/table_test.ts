import { assertEquals } from "@std/assert";
import type { Case, Sample } from "../../../scripts/bench/cases/case.ts";
import type { PeerName } from "../../../scripts/bench/peers/peer.ts";
import type { Outcome } from "../../../scripts/bench/rounds.ts";
import { markdown, number, rows } from "../../../scripts/bench/table.ts";

const JOB: Case = {
  name: "work",
  unit: "req/s",
  peers: ["weir", "mitmdump"],
  reach: [{ than: "mitmdump", atLeast: 10 }, { detail: "p99 ms", atMost: 5 }],
  measure: () => Promise.reject(new Error("Nothing is measured here.")),
};

function outcome(peer: PeerName, samples: Sample[], failure: string | null = null): Outcome {
  return { peer, samples, failure };
}

Deno.test("a row has the median, those of the details, CPU per request, each round's ratio and the verdict", () => {
  const sample = (value: number, p99: number, seconds: number): Sample => ({
    value,
    details: { "p99 ms": p99 },
    cpu: { seconds, requests: 1000 },
  });
  const weir = outcome("weir", [sample(900, 4, 0.1), sample(1000, 6, 0.2), sample(1100, 3, 0.3)]);
  const mitmdump = outcome("mitmdump", [sample(90, 40, 1), sample(125, 40, 1), sample(100, 40, 1)]);
  assertEquals(rows(JOB, [weir, mitmdump]), [
    ["work", "weir", "1 000 req/s", "p99 4.00 ms", "200 µs each", "", "p99 ms ≤ 5.00 met"],
    [
      "",
      "mitmdump",
      "100 req/s",
      "p99 40.0 ms",
      "1 000 µs each",
      "**10.0** (10.0, 8.00, 11.0)",
      "≥ 10.0 met",
    ],
  ]);
});

Deno.test("a figure that is not reached is called missed", () => {
  const [weir, mitmdump] = rows(JOB, [
    outcome("weir", [{ value: 99, details: { "p99 ms": 5.1 } }]),
    outcome("mitmdump", [{ value: 10 }]),
  ]);
  assertEquals(weir.at(-1), "p99 ms ≤ 5.00 **missed**");
  assertEquals(mitmdump.at(-1), "≥ 10.0 **missed**");
});

Deno.test("CPU time of a transfer is told per GiB", () => {
  const [row] = rows(JOB, [outcome("weir", [{ value: 1, cpu: { seconds: 0.5, bytes: 2 ** 29 } }])]);
  assertEquals(row[4], "1.00 s/GiB");
});

Deno.test("a proxy that failed says why, and leaves the others alone", () => {
  const table = rows(JOB, [
    outcome("weir", [], "It exited."),
    outcome("mitmdump", [{ value: 10 }]),
  ]);
  assertEquals(table[0].slice(0, 3), ["work", "weir", "– (It exited.)"]);
  assertEquals(table[1].slice(0, 3), ["", "mitmdump", "10.0 req/s"]);
  assertEquals(table[1].slice(5), ["", ""]);
});

Deno.test("numbers have three significant digits or are whole, with groups of three", () => {
  assertEquals([0.123, 1.005, 12.34, 123.4, 1234.5, 1234567, -2000, NaN].map(number), [
    "0.12",
    "1.00",
    "12.3",
    "123",
    "1 235",
    "1 234 567",
    "-2 000",
    "–",
  ]);
});

Deno.test("the table is Markdown, with pipes in cells escaped", () => {
  const lines = markdown([["a|b", "c", "d", "e", "f", "g", "h"]]).split("\n");
  assertEquals(lines.length, 3);
  assertEquals(lines[1], "|---|---|---|---|---|---|---|");
  assertEquals(lines[2], "| a\\|b | c | d | e | f | g | h |");
});
