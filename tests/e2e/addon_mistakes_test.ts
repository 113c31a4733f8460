/** Contract section 2: what an addon gives that cannot be sent is its own error, told at once, and never a flow that hangs. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { HttpFlow, Response as FlowResponse } from "weir";
import { exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";

/** A used body: the Response was read before it was given. */
const used = new Response("used");
await used.text();

// deno-lint-ignore no-explicit-any -- values that the types refuse, as untyped addons may give
const MISTAKES: [what: string, hook: (flow: any) => void, said: string][] = [
  ["text that is a number", (flow) => flow.response.text = 5, "it was given the number 5"],
  [
    "content that is an array",
    (flow) => flow.response.content = [1, 2],
    "it was given a value of type Array",
  ],
  ["content that is undefined", (flow) => flow.response.content = undefined, "it was given undefined"],
  [
    "a response that is a plain object",
    (flow) => flow.response = { status: 200, body: "x" },
    "new Response(",
  ],
  ["a response that is undefined", (flow) => flow.response = undefined, "was given undefined"],
  ["a Response whose body was used", (flow) => flow.response = used, "used already"],
  ["Response.error()", (flow) => flow.response = Response.error(), "flow.kill()"],
];
for (const [what, hook, said] of MISTAKES) {
  Deno.test(`an addon that gives ${what} is logged, and the flow goes on without it`, async () => {
    await using server = await origin(withLength("from the origin"));
    await using proxy = await startProxy({ response: hook });
    const seen = await exchange(proxy, server.url());
    assertEquals([seen.head.statusCode, seen.text], [200, "from the origin"]);
    assertStringIncludes(await proxy.logged(/^error: Addon/), said);
  });
}

Deno.test("content may be any kind of buffer, and content-length is right for the next addon", async () => {
  const lengths: (string | null)[] = [];
  await using server = await origin(withLength("from the origin"));
  await using proxy = await startProxy([
    { response: (flow: HttpFlow) => void (flow.response!.content = new TextEncoder().encode("abc").buffer) },
    { response: (flow: HttpFlow) => void lengths.push(flow.response!.headers.get("content-length")) },
  ]);
  const seen = await exchange(proxy, server.url());
  assertEquals([seen.text, seen.head.get("content-length"), lengths], ["abc", "3", ["3"]]);
});

Deno.test("trailers may be given as an object", async () => {
  await using server = await origin(withLength("body"));
  await using proxy = await startProxy({
    response: (flow: HttpFlow) => void (flow.response!.trailers = { "x-sum": "1" }),
  });
  const seen = await exchange(proxy, server.url());
  assertEquals([seen.text, seen.trailers], ["body", [["x-sum", "1"]]]);
});

Deno.test("an addon that answers with the response of an earlier flow sends its body again, each time", async () => {
  let kept: FlowResponse | null = null;
  await using server = await origin(withLength("kept"));
  await using proxy = await startProxy({
    request: (flow: HttpFlow) => {
      if (kept !== null) flow.response = kept;
    },
    response: (flow: HttpFlow) => {
      flow.response!.headers.append("x-seen", "1");
      kept ??= flow.response;
    },
  });
  // The kept one stays as it is.
  for (const copies of [["1"], ["1", "1"], ["1", "1"]]) {
    const seen = await exchange(proxy, server.url());
    assertEquals([seen.text, seen.head.all("x-seen")], ["kept", copies]);
  }
  assertEquals(server.requests.length, 1);
});
