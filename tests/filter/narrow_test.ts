/** What filters say in plain facts: `filter.narrow`, for databases. @module */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Condition,
  type Flow,
  type FlowFacts,
  flowFacts,
  makeHttpFlow,
  makeServerConnection,
  makeTcpFlow,
  parseFilter,
} from "weir";

/** Whether facts fulfil a condition, as a database would say it. */
function fulfils(facts: FlowFacts, condition: Condition): boolean {
  if (condition.kind === "not") return !fulfils(facts, condition.part);
  if (condition.kind !== "fact") {
    const holds = (part: Condition) => fulfils(facts, part);
    return condition.kind === "all" ? condition.parts.every(holds) : condition.parts.some(holds);
  }
  const fact = facts[condition.fact], { test, value } = condition;
  if (fact === null) return false;
  if (test === "like") return like(String(value)).test(String(fact));
  if (test === "=") return fact === value;
  const [a, b] = [Number(fact), Number(value)];
  return test === "<" ? a < b : test === "<=" ? a <= b : test === ">" ? a > b : a >= b;
}

function like(pattern: string): RegExp {
  const expression = pattern.replace(
    /\\?[^]/g,
    (found) =>
      found === "%" ? "[^]*" : found === "_" ? "[^]" : `\\u{${found.at(-1)!.codePointAt(0)!.toString(16)}}`,
  );
  return new RegExp(`^${expression}$`, "iu");
}

const flows: Flow[] = [
  makeHttpFlow({
    request: { url: "http://api.example.com/a?x=1", timestampStart: 1000 },
    response: { statusCode: 200, body: "x".repeat(50), timestampStart: 1300, timestampEnd: 2500 },
  }),
  makeHttpFlow({
    request: {
      method: "POST",
      url: "https://other.example:8443/b",
      headers: { host: "api.example.com" },
      body: "abc",
    },
    response: { statusCode: 404 },
  }),
  makeHttpFlow({ request: { method: "PUT", url: "http://apixexample.com/" }, error: "It broke." }),
  makeHttpFlow({ request: { url: "http://\u212aelvin.example/" }, response: { statusCode: 500 } }),
  makeHttpFlow({
    request: { url: "http://a_b.example/" },
    response: { statusCode: 503, body: "y".repeat(3000) },
    error: "cut",
  }),
  makeTcpFlow({
    serverConn: makeServerConnection({ address: { hostname: "db.example", port: 5432 } }),
    messages: [{ fromClient: true, content: new Uint8Array(70), timestamp: 5 }],
  }),
];

const TERMS = [
  "~d api.example",
  "~d ^api",
  "~d com$",
  "~d kelvin",
  "~d a_b",
  "~d api\\.example",
  "~d a|b",
  "~d 'a(b)'",
  "~m post",
  "~m ^P",
  "~c 404",
  "~c 5xx",
  "~e",
  "~http",
  "~tcp",
  "~size >60",
  "~size <=3",
  "~size =50",
  "~time >1000",
  "~ttfb >=300",
  "~ttfb <5",
  "~q",
  "~s",
  "~u a",
  "~b x",
  "~all",
];

Deno.test("every flow that matches a filter fulfils what the filter narrows to", () => {
  const filter = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(...TERMS),
      tie("filter").map((part) => `!(${part})`),
      fc.tuple(tie("filter"), fc.constantFrom("&", "|"), tie("filter")).map(([a, by, b]) =>
        `(${a}) ${by} (${b})`
      ),
    ),
  })).filter;
  fc.assert(
    fc.property(filter, (text) => {
      const matches = parseFilter(text), { narrow } = matches;
      for (const flow of flows) {
        if (matches(flow) && narrow !== null) {
          assert(fulfils(flowFacts(flow), narrow), `${text} of ${flow.id}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("what is plain in a filter is narrowed to exactly the flows that match", () => {
  for (
    const text of [
      "~c 404",
      "!~c 404",
      "~c 5xx",
      "~e",
      "!~e",
      "~tcp",
      "~size >60 & !~e",
      "~ttfb <5 | ~e",
      "~time >1000",
      "!(~e | ~tcp)",
    ]
  ) {
    const matches = parseFilter(text);
    assertEquals(
      flows.map((flow) => fulfils(flowFacts(flow), matches.narrow!)),
      flows.map((flow) => matches(flow)),
      text,
    );
  }
});

Deno.test("names and methods are narrowed as far as a database can search", () => {
  const count = (text: string) => {
    const { narrow } = parseFilter(text);
    return narrow === null ? null : flows.filter((flow) => fulfils(flowFacts(flow), narrow)).length;
  };
  assertEquals(count("~d api.example"), 3);
  assertEquals(count("~d api\\.example"), 2);
  assertEquals(count("~d ^apix"), 1);
  assertEquals(count("~d a_b"), 1);
  assertEquals(count("~m post"), 1);
});

Deno.test("what only looking can tell is not narrowed", () => {
  for (const text of ["~b x", "~u a", "~d a|b", "!~d a", "~all", "~b x | ~c 404", "~q"]) {
    assertEquals(parseFilter(text).narrow, null, text);
  }
  assertEquals(parseFilter("~b x & ~c 404").narrow, parseFilter("~c 404").narrow);
});
