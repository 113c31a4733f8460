/** When a filter's answer is known: at the request's head, its body, the response's head, its body, the end. @module */
import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { HttpFlow } from "../../src/flow/flow.ts";
import { internals } from "../../src/internals.ts";
import { parseFilter } from "../../src/filter/mod.ts";
import { StoredBody } from "../../src/streams/mod.ts";
import { give, httpFlow, response } from "./support.ts";

/** The stages of one exchange: POST /x with body `one`, answered with 404, JSON and the body `two`. */
const STAGES = ["requestheaders", "request", "responseheaders", "response", "complete"] as const;

function* exchange(): Generator<HttpFlow> {
  const init = { method: "POST", url: "http://h/x", live: true };
  const flow = httpFlow(init);
  yield flow;
  give(flow.request, "one");
  yield flow;
  flow.response = response({ status: 404, responseHeaders: { "content-type": "application/json" } });
  yield flow;
  give(flow.response!, "two");
  yield flow;
  flow[internals].ended = true;
  yield flow;
}

const [T, F, U] = [true, false, undefined];

const ROWS: [filter: string, ...verdicts: (boolean | undefined)[]][] = [
  ["~all", T, T, T, T, T],
  ["~m POST", T, T, T, T, T],
  ["~m GET", F, F, F, F, F],
  ["~q", T, T, F, F, F],
  ["~s", U, U, T, T, T],
  ["!~q", U, U, T, T, T],
  ["!~s", T, T, F, F, F],
  ["~c 404", U, U, T, T, T],
  ["~c 200", U, U, F, F, F],
  ["!~c 200", U, U, T, T, T],
  ["~ts json", U, U, T, T, T],
  ["~t json", U, U, T, T, T],
  ["~hq host", T, T, T, T, T],
  ["~h host", T, T, T, T, T],
  ["~h nothing", U, U, F, F, F],
  ["~bq one", U, T, T, T, T],
  ["~bq two", U, F, F, F, F],
  ["~bs two", U, U, U, T, T],
  ["~b one", U, T, T, T, T],
  ["~b three", U, U, U, F, F],
  ["!~b three", U, U, U, T, T],
  ["~e", U, U, U, U, F],
  ["~streamed", U, U, U, F, F],
  ["~size >2", U, T, T, T, T],
  ["~size >5", U, U, U, T, T],
  ["~size <3", U, F, F, F, F],
  ["~size <9", U, U, U, U, T],
  ["~websocket", U, U, F, F, F],
  ["~graphql x", F, F, F, F, F],
  // One side decides where it can.
  ["~m GET & ~b one", F, F, F, F, F],
  ["~m POST | ~b one", T, T, T, T, T],
  ["~m POST & ~b one", U, T, T, T, T],
  ["~b three | ~c 404", U, U, T, T, T],
  ["!(~m POST & ~c 404)", U, U, F, F, F],
  ["~q & ~m POST", T, T, F, F, F],
  ["~s & ~m GET", F, F, F, F, F],
];

for (const [filter, ...verdicts] of ROWS) {
  Deno.test(`${filter} is decided in time`, () => {
    const parsed = parseFilter(filter);
    const flows = exchange();
    for (const [index, stage] of STAGES.entries()) {
      const flow: HttpFlow = flows.next().value;
      assertEquals([stage, parsed.decide(flow)], [stage, verdicts[index]]);
      assertEquals(parsed(flow), verdicts[index] === true);
    }
  });
}

/** As mitmproxy says in its hooks `request` and `response`; undefined where that takes the message's body. */
const RULES: [filter: string, ...verdicts: (boolean | undefined)[]][] = [
  // of the request: at its head, with its body; of the response: at its head, with its body
  ["~all", T, T, T, T],
  ["~q", T, T, F, F],
  ["~s", F, F, T, T],
  ["!~s", T, T, F, F],
  ["~c 404", F, F, T, T],
  ["!~c 404", T, T, F, F],
  ["!~c 200", T, T, T, T],
  ["~t json", F, F, T, T],
  ["~bq one", U, T, T, T],
  ["~bs two", F, F, U, T],
  ["!~bs two", T, T, U, F],
  ["~b one", U, T, T, T],
  ["~b three", U, F, U, F],
  ["~q ~b one", U, T, F, F],
  ["~e", F, F, F, F],
  ["!~e", T, T, T, T],
  ["~size >2", U, T, T, T],
  ["~size >5", U, F, U, T],
  ["~time <60000", T, T, T, T],
  ["~dst h:80", T, T, T, T],
  ["~websocket", F, F, F, F],
];
for (const [filter, ...verdicts] of RULES) {
  Deno.test(`${filter} is decided for a rule as soon as the message is known`, () => {
    const parsed = parseFilter(filter);
    const found: (boolean | undefined)[] = [];
    for (const flow of exchange()) {
      if (found.length < 4) found.push(parsed.decideFor(flow, flow.response ?? flow.request));
    }
    assertEquals(found, verdicts);
  });
}

Deno.test("needs says what an answer may have to wait for", () => {
  const needs: [string, string][] = [
    ["~m GET & ~hq x", "request"],
    ["~m GET | ~c 200", "response"],
    ["~m GET !~b x", "bodies"],
    ["(~b x | ~e)", "end"],
    ["~size >3", "end"],
  ];
  for (const [filter, need] of needs) assertEquals([filter, parseFilter(filter).needs], [filter, need]);
});

Deno.test("a streamed body that is not kept matches nothing, one that is kept is known once it is whole", async () => {
  const filter = parseFilter("~bs two");
  const flow = httpFlow({ status: 200, live: true });
  const state = flow.response![internals];
  state.mode = "streamed";
  assertEquals(filter.decide(flow), false);
  using stored = state.stored = new StoredBody();
  assertEquals(filter.decide(flow), undefined);
  await stored.append(new TextEncoder().encode("two"));
  assertEquals(filter.decide(flow), undefined);
  stored.end(null);
  assertEquals(filter.decide(flow), true);
});

Deno.test("a copy that was cut short matches nothing", () => {
  const flow = httpFlow({ status: 200, live: true });
  const state = flow.response![internals];
  state.mode = "streamed";
  using stored = state.stored = new StoredBody();
  stored.end(new WeirError("server", "closed", "cut"));
  flow[internals].ended = true;
  assertEquals(parseFilter("~bs ''").decide(flow), false);
});

Deno.test("a long kept body is searched in windows, as if it were one text, wherever the match is", async () => {
  const MIB = 1024 * 1024;
  const flow = httpFlow({ status: 200, live: true });
  const state = flow.response![internals];
  state.mode = "streamed";
  using stored = state.stored = new StoredBody();
  const body = new Uint8Array(5 * MIB).fill(0x2e);
  const put = (at: number, text: string) => body.set(new TextEncoder().encode(text), at);
  put(0, "first");
  // Over the end of the first window, where the second begins, and at the end.
  put(2 * MIB - 3, "middle");
  put(2 * MIB - 256 * 1024, "second");
  put(5 * MIB - 4, "last");
  for (let at = 0; at < body.length; at += MIB) await stored.append(body.subarray(at, at + MIB));
  stored.end(null);
  flow[internals].ended = true;
  const cases: [string, boolean][] = [
    ["^first", true],
    ["first", true],
    ["middle", true],
    ["second", true],
    ["last$", true],
    ["'first.*\\.$'", false],
    ["^second", false],
    ["mid$", false],
    ["'mid\\b'", false],
    ["first.*", true],
    ["^last", false],
    ["absent", false],
  ];
  for (const [pattern, expected] of cases) {
    assertEquals([pattern, parseFilter(`~bs ${pattern}`).decide(flow)], [pattern, expected]);
  }
  // In memory it is the same.
  state.raw = body;
  for (const [pattern, expected] of cases) {
    assertEquals([pattern, parseFilter(`~bs ${pattern}`).decide(flow)], [pattern, expected]);
  }
});
