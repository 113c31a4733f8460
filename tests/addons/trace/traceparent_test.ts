/** The field `traceparent` (W3C Trace Context, §3.2). @module */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { randomParent, readParent, writeParent } from "../../../addons/trace/traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c", SPAN = "b7ad6b7169203331";

Deno.test("traceparent is read and written", () => {
  const parent = readParent(`00-${TRACE}-${SPAN}-01`);
  assertEquals(parent, { traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
  assertEquals(writeParent(parent!), `00-${TRACE}-${SPAN}-01`);
  // A later version may say more, and other flags mean nothing yet.
  assertEquals(readParent(`01-${TRACE}-${SPAN}-fe-more`)?.traceFlags, 0);
});

Deno.test("what is no traceparent is none", () => {
  const wrong = [
    null,
    "",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}x-${SPAN}-01`,
  ];
  for (const value of wrong) assertEquals(readParent(value), null, String(value));
});

Deno.test("traces of weir's own are random", () => {
  assertMatch(writeParent(randomParent()), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assertNotEquals(writeParent(randomParent()), writeParent(randomParent()));
});
