import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { HttpFlow } from "../../src/flow/flow.ts";
import { Headers } from "../../src/http/headers.ts";
import type { Message } from "../../src/flow/message.ts";
import { internals } from "../../src/internals.ts";
import type { OptionChanges } from "../../src/options/registry.ts";
import { BodyPlan } from "../../src/proxy/body_plan.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import type { Body } from "../../src/streams/body.ts";
import { corruptStream } from "../../src/streams/mod.ts";
import { httpFlow, respond } from "../support/addon_host.ts";
import { bodyOfPieces, next, TestBody, text, turn, utf8, wholeText } from "../streams/support.ts";
import { proxyContext } from "./support.ts";

interface Plan {
  plan: BodyPlan;
  message: Message;
  context: ProxyContext;
  lines: string[];
}

function planFor(
  source: Body | null,
  options: OptionChanges = {},
  set: (message: Message) => void = () => {},
): Plan {
  const { context, lines } = proxyContext(() => Promise.reject(new Error("unused")), [], options);
  const flow: HttpFlow = httpFlow();
  flow[internals].log = context.log;
  flow[internals].addon = "addon1";
  const message = respond(flow);
  set(message);
  return { plan: new BodyPlan(context, message, source), message, context, lines };
}

function tooLarge(limit: number): WeirError {
  return new WeirError("server", "limit", `more than ${limit}`);
}

const passOn = (message: Message) => void (message.stream = true);
const buffer = (message: Message) => void (message.stream = false);
const over = (bytes: number) => (message: Message) => void (message.streamOver = bytes);
const endless = (message: Message) => void (message.streamEndless = true);
const all = (...sets: ((message: Message) => void)[]) => (message: Message) =>
  sets.forEach((set) => set(message));

/** Bodies of five bytes: with a declared size, and without. */
const DECLARED = 5, UNDECLARED = null;

const ROWS: [what: string, size: number | null, OptionChanges, (message: Message) => void, string | null][] =
  [
    ["nothing set", DECLARED, {}, () => {}, null],
    ["nothing set, undeclared", UNDECLARED, {}, () => {}, null],
    ["1: stream = true", DECLARED, {}, passOn, "addon"],
    ["1 before 2 and 3", DECLARED, {}, all(passOn, over(1), endless), "addon"],
    ["1: false before 2, 3 and 4", DECLARED, { body_buffer_limit: 1 }, all(buffer, over(1), endless), null],
    ["1: false before 2 and 4, undeclared", UNDECLARED, { body_buffer_limit: 1 }, all(buffer, over(1)), null],
    ["1: false before memory_limit", UNDECLARED, { memory_limit: 1 }, buffer, null],
    ["2: larger", DECLARED, {}, over(4), "size"],
    ["2: exactly as large", DECLARED, {}, over(5), null],
    ["2: larger, undeclared", UNDECLARED, {}, over(4), "size"],
    ["2: exactly as large, undeclared", UNDECLARED, {}, over(5), null],
    ["2: zero streams everything", UNDECLARED, {}, over(0), "size"],
    ["2 before 3", DECLARED, {}, all(over(4), endless), "size"],
    ["2 before 4", DECLARED, { body_buffer_limit: 4 }, over(4), "size"],
    ["2 before 4, undeclared", UNDECLARED, { body_buffer_limit: 4 }, over(4), "size"],
    ["3: never-ending", UNDECLARED, {}, endless, "type"],
    ["3 where 2 does not apply", DECLARED, {}, all(over(5), endless), "type"],
    ["3 before 4", DECLARED, { body_buffer_limit: 1 }, endless, "type"],
    ["4: body_buffer_limit", DECLARED, { body_buffer_limit: 4 }, () => {}, "memory"],
    ["4: exactly body_buffer_limit", DECLARED, { body_buffer_limit: 5 }, () => {}, null],
    ["4: body_buffer_limit, undeclared", UNDECLARED, { body_buffer_limit: 4 }, () => {}, "memory"],
    ["4 where 2 does not apply yet", UNDECLARED, { body_buffer_limit: 3 }, over(4), "memory"],
    ["4: memory_limit", UNDECLARED, { memory_limit: 4 }, () => {}, "memory"],
    ["4: memory_limit where 2 does not apply", DECLARED, { memory_limit: 4 }, over(100), "memory"],
  ];
for (const [what, size, options, set, streamedBy] of ROWS) {
  Deno.test(`${what}: streamedBy ${streamedBy}`, async () => {
    const body = bodyOfPieces(["12", "345"]);
    body.size = size;
    const { plan, message, lines, context } = planFor(body, options, set);
    await plan.settle(tooLarge);
    assertEquals(message.streamedBy, streamedBy);
    assertEquals(message.text, streamedBy === null ? "12345" : null);
    const limit = what.includes("memory_limit")
      ? "memory_limit together with the others"
      : "body_buffer_limit";
    const warning = `The response body passes ${limit}: it is streamed, and hooks do not see its content.`;
    assertEquals(
      lines,
      streamedBy === "memory" ? [`warn: addon1: GET http://example.com/path: ${warning}`] : [],
    );
    assertEquals(await wholeText(plan.outgoing()!), "12345");
    assertEquals(message.size, 5);
    plan.release();
    assertEquals(context.memory.used, 0);
  });
}

Deno.test("willBuffer says what the head alone tells", () => {
  assertEquals(planFor(new TestBody()).plan.willBuffer, true);
  assertEquals(planFor(new TestBody(), {}, over(9)).plan.willBuffer, true);
  assertEquals(planFor(new TestBody({ size: 10 }), {}, over(9)).plan.willBuffer, false);
  assertEquals(planFor(new TestBody(), {}, passOn).plan.willBuffer, false);
  assertEquals(planFor(null).plan.willBuffer, false);
});

Deno.test("a message without a body is buffered and empty, and no hook is called", async () => {
  const { plan, message } = planFor(null, {}, (message) => {
    message.stream = () => "never";
  });
  await plan.settle(tooLarge);
  assertEquals([message.content?.length, message.streamedBy, plan.outgoing()], [0, null, null]);
});

Deno.test("what was read goes out at once when the rest is streamed after all", async () => {
  const body = new TestBody({ chunked: true }).push("12").push("345");
  const { plan } = planFor(body, {}, over(4));
  await plan.settle(tooLarge);
  const out = plan.outgoing()!;
  assertEquals([text((await next(out))!), text((await next(out))!), out.take()], ["12", "345", undefined]);
  body.push("6").end();
  assertEquals(await wholeText(out), "6");
});

Deno.test("memory that was booked stays so until what was collected is on its way", async () => {
  const body = new TestBody().push("12").push("345");
  const { plan, context } = planFor(body, { memory_limit: 4 });
  await plan.settle(tooLarge);
  const out = plan.outgoing()!;
  assertEquals(context.memory.used, 5);
  await next(out);
  assertEquals(context.memory.used, 5);
  body.push("6").end();
  await wholeText(out);
  assertEquals(context.memory.used, 0);
  plan.release();
  assertEquals(context.memory.used, 0);
});

Deno.test("a buffered body is what addons made of it, as often as it is asked for", async () => {
  const { plan, message } = planFor(bodyOfPieces(["old"]));
  await plan.settle(tooLarge);
  message.text = "changed";
  assertEquals(plan.outgoing()!.size, null, "no length was declared");
  message.headers.set("content-length", "7");
  assertEquals(plan.outgoing()!.size, 7);
  assertEquals([await wholeText(plan.outgoing()!), await wholeText(plan.outgoing()!)], [
    "changed",
    "changed",
  ]);
  message.content = "";
  assertEquals(plan.outgoing(), null);
  message.headers.delete("content-length");
  message.trailers = new Headers([["X-Sum", "0"]]);
  const out = plan.outgoing()!;
  assertEquals([out.take(), out.size, out.trailers], [null, null, ["X-Sum", "0"]]);
});

for (const [mode, set] of [["buffered", () => {}], ["streamed", passOn]] as const) {
  Deno.test(`trailers are seen and passed on, and the end is dated (${mode})`, async () => {
    const body = bodyOfPieces(["a"]);
    body.trailers = ["X-Sum", "1"];
    const { plan, message } = planFor(body, {}, set);
    await plan.settle(tooLarge);
    const out = plan.outgoing()!;
    await wholeText(out);
    assertEquals([out.trailers, message.trailers?.raw], [["X-Sum", "1"], ["X-Sum", "1"]]);
    assert(message.timestampEnd! >= message.timestampStart);
  });
}

Deno.test("a hook changes what is sent; one that throws breaks the body, and the log names its addon", async () => {
  const good = planFor(bodyOfPieces(["a", "b"]), {}, (message) => {
    message.stream = (chunk) => text(chunk).toUpperCase();
  });
  await good.plan.settle(tooLarge);
  assertEquals([good.plan.outgoing()!.size, await wholeText(good.plan.outgoing()!)], [null, "AB"]);
  const bad = planFor(bodyOfPieces(["a"]), {}, (message) => {
    message.stream = () => {
      throw new Error("oops");
    };
  });
  await bad.plan.settle(tooLarge);
  await assertRejects(() => wholeText(bad.plan.outgoing()!), WeirError, "oops");
  assertMatch(bad.lines[0], /^error: .*oops.*message\.stream.*the flow is cut$/);
});

Deno.test("body_size_limit: a declared size is refused before anything is read, streamed or not", async () => {
  for (const set of [() => {}, passOn]) {
    const body = bodyOfPieces(["12345"]);
    body.size = 5;
    const { plan } = planFor(body, { body_size_limit: 4 }, set);
    await assertRejects(() => plan.settle(tooLarge), WeirError, "more than 4");
    assertEquals(body.taken, 0);
  }
});

Deno.test("body_size_limit: an undeclared one fails when it is passed, collected or streamed", async () => {
  const collected = planFor(bodyOfPieces(["123", "45"]), { body_size_limit: 4 });
  await assertRejects(() => collected.plan.settle(tooLarge), WeirError, "more than 4");
  const streamed = planFor(bodyOfPieces(["123", "45"]), { body_size_limit: 4 }, passOn);
  await streamed.plan.settle(tooLarge);
  const out = streamed.plan.outgoing()!;
  assertEquals(text((await next(out))!), "123");
  await assertRejects(() => next(out), WeirError, "more than 4");
});

Deno.test("discard ends the wait for a body, at any stage, and cancels its source", async () => {
  const reason = new WeirError("weir", "killed", "Killed.");
  for (const set of [() => {}, passOn]) {
    const body = new TestBody().push("a");
    const { plan, context } = planFor(body, {}, set);
    const settled = plan.settle(tooLarge).then(() => "settled", (error) => error.message);
    await turn();
    plan.discard(reason);
    assertEquals([await settled, body.cancelled], [set === passOn ? "settled" : "Killed.", reason]);
    plan.discard(reason);
    plan.release();
    assertEquals(context.memory.used, 0);
  }
  const unread = new TestBody();
  planFor(unread).plan.discard(reason);
  assertEquals(unread.cancelled, reason);
});

Deno.test("a body that is cut short while it is collected rejects with its own error, and books nothing for good", async () => {
  const cut = new WeirError("server", "closed", "Cut.");
  const { plan, context } = planFor(new TestBody().push("a").end(cut));
  assertEquals(await assertRejects(() => plan.settle(tooLarge)), cut);
  plan.release();
  assertEquals(context.memory.used, 0);
});

Deno.test("store_streamed_bodies keeps a copy of what was sent; a buffered body has none", async () => {
  const { plan, message } = planFor(bodyOfPieces(["a", "b"]), { store_streamed_bodies: true }, (message) => {
    message.stream = (chunk) => text(chunk).toUpperCase();
  });
  await plan.settle(tooLarge);
  assertEquals(message.content, null);
  await wholeText(plan.outgoing()!);
  assertEquals(message.content, utf8("AB"));
  message[internals].stored!.dispose();
  const buffered = planFor(bodyOfPieces(["a"]), { store_streamed_bodies: true });
  await buffered.plan.settle(tooLarge);
  assertEquals(buffered.message[internals].stored, null);
});

Deno.test("trailers that an addon sets early follow a streamed body, in place of its own", async () => {
  const body = bodyOfPieces(["a"]);
  body.size = 1;
  body.trailers = ["X-Sum", "1"];
  const { plan, message } = planFor(body, {}, passOn);
  message.trailers = { "x-mine": "2" };
  await plan.settle(tooLarge);
  const out = plan.outgoing()!;
  // A length leaves no room for trailers.
  assertEquals([out.size, out.trailers], [null, null]);
  assertEquals([await wholeText(out), out.trailers], ["a", ["x-mine", "2"]]);
});

Deno.test("a hook may set the trailers as late as at its body's end", async () => {
  const { plan, message } = planFor(bodyOfPieces(["a", "b"]), {}, (message) => {
    message.stream = async function* (chunks) {
      let count = 0;
      for await (const chunk of chunks) {
        count += chunk.length;
        yield chunk;
      }
      message.trailers = { "x-count": `${count}` };
    };
  });
  await plan.settle(tooLarge);
  const out = plan.outgoing()!;
  assertEquals([await wholeText(out), out.trailers, message.trailers?.raw], [
    "ab",
    ["x-count", "2"],
    ["x-count", "2"],
  ]);
});

Deno.test("a streamed body that nobody touches keeps its declared size", async () => {
  const body = bodyOfPieces(["a"]);
  body.size = 1;
  const { plan } = planFor(body, {}, passOn);
  await plan.settle(tooLarge);
  assertEquals(plan.outgoing()!.size, 1);
});

Deno.test("what a streamed body is to pass, it passes behind stream, whatever decided that", async () => {
  const edit = (message: Message) => {
    message.whenStreamed(() => (chunk) => `${text(chunk)}b`);
    message.whenStreamed(() => [(chunk) => `${text(chunk)}c`]);
  };
  for (const set of [passOn, over(1), endless, (message: Message) => message.stream = (chunk) => chunk]) {
    const { plan } = planFor(bodyOfPieces(["12"]), {}, all(set, edit));
    await plan.settle(tooLarge);
    const whole = plan.outgoing()!;
    assertEquals(whole.size, null);
    assertEquals(await wholeText(whole), "12bcbcc");
  }
  const { plan, message } = planFor(bodyOfPieces(["12"]), {}, edit);
  await plan.settle(tooLarge);
  assertEquals(message.text, "12");
});

Deno.test("when whenStreamed throws, the body is cut and the addon named", async () => {
  const { plan, lines } = planFor(
    bodyOfPieces(["12"]),
    {},
    all(passOn, (message) =>
      message.whenStreamed(() => {
        throw new Error("no stage today");
      })),
  );
  await plan.settle(tooLarge);
  await assertRejects(() => wholeText(plan.outgoing()!), WeirError, "no stage today");
  assertMatch(lines[0], /^error: Addon .*: no stage today \(in message.stream\); the flow is cut$/);
});

Deno.test("what a body is to pass last, it passes behind all else, streamed or buffered, once for each attempt, and its length stays", async () => {
  const last = (message: Message) => {
    message.sendThrough(() => corruptStream(0));
    message.sendThrough(() => corruptStream(1));
  };
  const source = () => Object.assign(bodyOfPieces(["ab"]), { size: 2 });
  const { plan: streamed } = planFor(source(), {}, all(passOn, last));
  await streamed.settle(tooLarge);
  const out = streamed.outgoing()!;
  assertEquals([out.size, await wholeText(out)], [2, "\x60c"]);
  const { plan: edited } = planFor(
    source(),
    {},
    all(last, (message) => message.stream = (chunk) => text(chunk).toUpperCase()),
  );
  await edited.settle(tooLarge);
  assertEquals(await wholeText(edited.outgoing()!), "@C");
  const { plan: buffered, message } = planFor(source(), {}, last);
  await buffered.settle(tooLarge);
  assertEquals([message.streamedBy, message.text], [null, "ab"]);
  for (let attempt = 0; attempt < 2; attempt++) {
    const out = buffered.outgoing()!;
    assertEquals([out.size, await wholeText(out)], [2, "\x60c"]);
  }
  assertEquals(message.text, "ab");
});

Deno.test("when sendThrough throws, the body is cut and the addon named", async () => {
  const { plan, lines } = planFor(bodyOfPieces(["12"]), {}, (message) =>
    message.sendThrough(() => {
      throw new Error("no stage today");
    }));
  await plan.settle(tooLarge);
  await assertRejects(() => wholeText(plan.outgoing()!), WeirError, "no stage today");
  assertMatch(lines[0], /^error: Addon .*: no stage today \(in message.stream\); the flow is cut$/);
});

const whole = (message: Message) => message.needWhole("It is needed");

Deno.test("a body that is needed as a whole is buffered, whatever else was said, behind the stages of stream", async () => {
  const double = (message: Message) => void (message.stream = (chunk) => text(chunk).repeat(2));
  for (const set of [passOn, over(0), endless, double]) {
    const { plan, message } = planFor(bodyOfPieces(["12", "3"]), {}, all(set, whole));
    message.headers.set("content-length", "3");
    await plan.settle(tooLarge);
    const expected = set === double ? "121233" : "123";
    assertEquals([message.text, message.streamedBy], [expected, null]);
    assertEquals(message.headers.get("content-length"), `${expected.length}`);
    assertEquals(await wholeText(plan.outgoing()!), expected);
  }
});

for (
  const [option, message] of [
    ["body_buffer_limit", "It is needed, but the response body is larger than body_buffer_limit (4 bytes)."],
    ["memory_limit", "It is needed, but the response body has no room in memory (memory_limit)."],
  ]
) {
  Deno.test(`a body that is needed as a whole and passes ${option} fails, and its source is stopped`, async () => {
    const source = new TestBody().push("123").push("45");
    const { plan, context } = planFor(source, { [option]: 4 }, all(passOn, whole));
    const error = await assertRejects(() => plan.settle(tooLarge), WeirError);
    assertEquals([error.message, error.code], [message, "limit"]);
    assert(source.cancelled !== null);
    plan.release();
    assertEquals(context.memory.used, 0);
  });
}
