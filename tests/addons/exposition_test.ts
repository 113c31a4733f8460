/** Prometheus' text format. @module */
import { assertEquals } from "@std/assert";
import { type Family, Histogram, labelsOf, merged, textOf } from "../../addons/admin/exposition.ts";

Deno.test("families as text: help and labels escaped, histograms by buckets that add up", () => {
  const histogram = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.add(value);
  const families: Family[] = [
    {
      name: "a_total",
      help: "Back\\slash\nand line.",
      type: "counter",
      samples: { "": { [labelsOf({ x: 'q"\\\n', y: "" })]: 2 } },
    },
    { name: "b", help: "B.", type: "gauge", samples: { "": { "": Infinity } } },
    { name: "c_seconds", help: "C.", type: "histogram", samples: histogram.samples() },
  ];
  assertEquals(textOf(families).split("\n"), [
    "# HELP a_total Back\\\\slash\\nand line.",
    "# TYPE a_total counter",
    'a_total{x="q\\"\\\\\\n",y=""} 2',
    "# HELP b B.",
    "# TYPE b gauge",
    "b +Inf",
    "# HELP c_seconds C.",
    "# TYPE c_seconds histogram",
    'c_seconds_bucket{le="0.1"} 2',
    'c_seconds_bucket{le="1"} 3',
    'c_seconds_bucket{le="+Inf"} 4',
    "c_seconds_sum 7.65",
    "c_seconds_count 4",
    "",
  ]);
});

Deno.test("isolates are added up, or the worst of them counts; what one has alone stays", () => {
  const family = (name: string, samples: Record<string, number>, merge?: "max"): Family => ({
    name,
    help: "H.",
    type: "gauge",
    merge,
    samples: { "": samples },
  });
  const sums = merged([
    [family("a", { x: 1, y: 2 }), family("lag", { "": 3 }, "max")],
    [family("a", { y: 5, z: 1 }), family("lag", { "": 1 }, "max"), family("only", { "": 4 })],
  ]);
  assertEquals(sums.map(({ name, samples }) => [name, samples[""]]), [["a", { x: 1, y: 7, z: 1 }], ["lag", {
    "": 3,
  }], ["only", { "": 4 }]]);
});
