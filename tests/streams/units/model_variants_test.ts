/** What providers, and servers that speak like them, write besides plain answers: event by event. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { replaceStream } from "../../../src/streams/replace.ts";
import { type ModelChannel, modelStream } from "../../../src/streams/units/mod.ts";
import { PROVIDERS, responsesStream } from "./model_fixtures.ts";
import { textThrough } from "./support.ts";

/** The events that come out, and the channels that were asked about; "sk-live" is replaced by "[key]" in all of them. */
async function run(
  type: "text/event-stream" | "application/x-ndjson" | "application/json",
  events: unknown[],
): Promise<{ events: unknown[]; channels: string[] }> {
  const channels: string[] = [];
  const stage = modelStream({ headers: new Headers({ "content-type": type }) }, (channel: ModelChannel) => {
    channels.push(Object.values(channel).join(" "));
    return replaceStream("sk-live", "[key]");
  });
  const isSse = type === "text/event-stream";
  const body = events.map((event) =>
    isSse ? `data: ${JSON.stringify(event)}\n\n` : `${JSON.stringify(event)}\n`
  ).join("");
  const out = await textThrough(stage, [body]);
  const texts = isSse ? out.split("\n\n").map((event) => event.slice("data: ".length)) : out.split("\n");
  return { events: texts.filter((text) => text !== "").map((text) => JSON.parse(text)), channels };
}

const delta = (delta: unknown, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const BODY = ["a sk", "-live b sk"];

const CHAT: [string, (text: string) => unknown, string][] = [
  ["a refusal", (refusal) => ({ refusal }), "text 0"],
  ["reasoning (OpenRouter, Groq)", (reasoning) => ({ reasoning }), "reasoning 0"],
  [
    "reasoning in details",
    (text) => ({ reasoning_details: [{ type: "reasoning.text", index: 0, text }] }),
    "reasoning 0",
  ],
  ["content in parts (Mistral)", (text) => ({ content: [{ type: "text", text }] }), "text 0"],
  [
    "thinking in parts (Mistral)",
    (text) => ({ content: [{ type: "thinking", thinking: [{ type: "text", text }] }] }),
    "reasoning 0",
  ],
  ["a transcript", (transcript) => ({ audio: { transcript } }), "text 0"],
  ["a function call", (text) => ({ function_call: { arguments: text } }), "tool 0"],
  ["a call of a tool", (text) => ({ tool_calls: [{ index: 3, function: { arguments: text } }] }), "tool 3"],
  ["a call of a custom tool", (input) => ({ tool_calls: [{ index: 3, custom: { input } }] }), "tool 3"],
];

for (const [name, of, channel] of CHAT) {
  Deno.test(`Chat Completions: ${name}`, async () => {
    const said = [...BODY.map((text) => delta(of(text))), delta({}, "stop")];
    const { events, channels } = await run("text/event-stream", said);
    const added = { ...delta(of("sk")) };
    assertEquals(events, [delta(of("a ")), delta(of("[key] b ")), added, delta({}, "stop")]);
    assertEquals(channels, [channel]);
  });
}

Deno.test("Completions, as they were before", async () => {
  const choice = (text: string, finish_reason: string | null = null) => ({
    object: "text_completion",
    choices: [{ index: 0, text, finish_reason }],
  });
  const { events } = await run("text/event-stream", [choice("a sk-l"), choice("ive sk", "stop")]);
  assertEquals(events, [choice("a "), choice("[key] sk", "stop")]);
});

Deno.test("Chat Completions: arguments that are an object", async () => {
  const call = (value: string) => ({
    choices: [{
      index: 0,
      message: {
        content: null,
        tool_calls: [{ id: "c", function: { name: "f", arguments: { a: [value, 1], b: "sk-" } } }],
      },
      finish_reason: "stop",
    }],
  });
  const { events, channels } = await run("application/json", [call("live sk-live")]);
  assertEquals(events, [call("live [key]")]);
  assertEquals(channels, ["tool 0 f c"]);
});

const PLACE = { item_id: "i", output_index: 2 };
const RESPONSES: [string, string, Record<string, unknown>, string, string][] = [
  ["text", "response.output_text", { content_index: 1 }, "text", "text 2"],
  ["a refusal", "response.refusal", { content_index: 1 }, "refusal", "text 2"],
  ["reasoning", "response.reasoning_text", { content_index: 0 }, "text", "reasoning 2"],
  ["a summary of reasoning", "response.reasoning_summary_text", { summary_index: 0 }, "text", "reasoning 2"],
  ["a call of a function", "response.function_call_arguments", {}, "arguments", "tool 2"],
  ["a call over MCP", "response.mcp_call_arguments", {}, "arguments", "tool 2"],
  ["a call of a custom tool", "response.custom_tool_call_input", {}, "input", "tool 2"],
  ["code", "response.code_interpreter_call_code", {}, "code", "tool 2"],
];

for (const [name, type, place, whole, channel] of RESPONSES) {
  Deno.test(`Responses: ${name}`, async () => {
    const piece = (delta: string, sequence_number: number) => ({
      type: `${type}.delta`,
      ...PLACE,
      ...place,
      delta,
      sequence_number,
    });
    const done = (text: string, sequence_number: number) => ({
      type: `${type}.done`,
      ...PLACE,
      ...place,
      [whole]: text,
      sequence_number,
    });
    const last = (sequence_number: number) => ({
      type: "response.completed",
      response: { output: [] },
      sequence_number,
    });
    const { events, channels } = await run("text/event-stream", [
      piece("a sk", 7),
      piece("-live b sk", 8),
      done("a sk-live b sk", 9),
      last(10),
    ]);
    assertEquals(events, [
      piece("a ", 7),
      piece("[key] b ", 8),
      piece("sk", 9),
      done("a [key] b sk", 10),
      last(11),
    ]);
    assertEquals(channels, [channel]);
  });
}

Deno.test("Responses: one that ends before its texts do, and a stream that is without its last events", async () => {
  const piece = (delta: string, sequence_number: number, output_index = 0) => ({
    type: "response.output_text.delta",
    item_id: "i",
    output_index,
    content_index: 0,
    delta,
    sequence_number,
  });
  const cut = (text: string, sequence_number: number) => ({
    type: "response.incomplete",
    sequence_number,
    response: { output: [{ type: "message", content: [{ type: "output_text", text, annotations: [] }] }] },
  });
  const { events } = await run("text/event-stream", [piece("sk-live sk", 0), cut("sk-live sk", 1)]);
  assertEquals(events, [piece("[key] ", 0), piece("sk", 1), cut("[key] sk", 2)]);
  const open = await run("text/event-stream", [piece("x sk", 0), piece("y sk", 1, 1)]);
  assertEquals(open.events, [piece("x ", 0), piece("y ", 1, 1), piece("sk", 2), piece("sk", 3, 1)]);
});

Deno.test("Responses: texts that come only whole, and what was there when a part was added", async () => {
  const item = (text: string) => ({
    type: "response.output_item.done",
    output_index: 0,
    item: { type: "message", content: [{ type: "output_text", text }] },
  });
  assertEquals((await run("text/event-stream", [item("a sk-live b sk")])).events, [item("a [key] b sk")]);
  const added = (text: string) => ({
    type: "response.content_part.added",
    item_id: "i",
    output_index: 0,
    content_index: 0,
    part: { type: "output_text", text },
  });
  const done = (text: string) => ({
    type: "response.output_text.done",
    item_id: "i",
    output_index: 0,
    content_index: 0,
    text,
  });
  const piece = (delta: string) => ({
    type: "response.output_text.delta",
    item_id: "i",
    output_index: 0,
    content_index: 0,
    delta,
  });
  const { events, channels } = await run("text/event-stream", [
    added("x sk"),
    piece("-live"),
    done("x sk-live"),
  ]);
  assertEquals(events, [added("x "), piece("[key]"), done("x [key]")]);
  assertEquals(channels, ["text 0"]);
});

Deno.test("where the text changed, the probabilities of its tokens are gone; elsewhere they stay", async () => {
  const logprobs = { content: [{ token: "sk", logprob: -1 }] };
  const chunk = (content: string, logprobs: unknown) => ({
    choices: [{ index: 0, delta: { content }, logprobs, finish_reason: null }],
  });
  const { events } = await run("text/event-stream", [
    chunk("a", logprobs),
    chunk("sk-", logprobs),
    chunk("live", logprobs),
  ]);
  assertEquals(events, [chunk("a", logprobs), chunk("", null), chunk("[key]", null)]);
  const piece = (delta: string, logprobs: unknown) => ({
    type: "response.output_text.delta",
    item_id: "i",
    output_index: 0,
    content_index: 0,
    delta,
    logprobs,
  });
  const done = (text: string, logprobs: unknown) => ({
    type: "response.output_text.done",
    item_id: "i",
    output_index: 0,
    content_index: 0,
    text,
    logprobs,
  });
  const response = await run("text/event-stream", [piece("a", [1]), piece("sk", [1]), done("ask", [1])]);
  assertEquals(response.events, [piece("a", [1]), piece("", []), piece("sk", []), done("ask", [1])]);
});

Deno.test("Anthropic: a tool that the server runs, and text that is there when its block starts", async () => {
  const start = (content_block: unknown) => ({ type: "content_block_start", index: 0, content_block });
  const piece = (delta: unknown) => ({ type: "content_block_delta", index: 0, delta });
  const stop = { type: "content_block_stop", index: 0 };
  const tool = start({ type: "server_tool_use", id: "s1", name: "web_search", input: {} });
  const json = (partial_json: string) => piece({ type: "input_json_delta", partial_json });
  const called = await run("text/event-stream", [tool, json('{"q":"sk-'), json('live"}'), stop]);
  assertEquals(called.events, [tool, json('{"q":"'), json('[key]"}'), stop]);
  assertEquals(called.channels, ["tool 0 web_search s1"]);
  const text = (text: string) => piece({ type: "text_delta", text });
  const { events } = await run("text/event-stream", [
    start({ type: "text", text: "sk-" }),
    text("live s"),
    stop,
  ]);
  assertEquals(events, [start({ type: "text", text: "" }), text("[key] "), text("s"), stop]);
});

Deno.test("Ollama: /api/generate", async () => {
  const line = (response: string, done = false) => ({ model: "m", created_at: "t", response, done });
  const { events } = await run("application/x-ndjson", [line("a sk"), line("-live s"), line("", true)]);
  assertEquals(events, [line("a "), line("[key] "), line("s"), line("", true)]);
  assertEquals((await run("application/json", [line("a sk-live s", true)])).events, [
    line("a [key] s", true),
  ]);
});

Deno.test("Gemini: arguments that are streamed are a text each", async () => {
  const part = (functionCall: unknown) => ({
    candidates: [{ content: { parts: [{ functionCall }], role: "model" }, index: 0 }],
  });
  const arg = (jsonPath: string, stringValue: string, willContinue?: true) =>
    willContinue ? { jsonPath, stringValue, willContinue } : { jsonPath, stringValue };
  const more = (...partialArgs: unknown[]) => part({ partialArgs, willContinue: true });
  const said = [
    part({ name: "f", id: "c", willContinue: true }),
    more(arg("$.a", "x sk", true), arg("$.b", "sk-", true)),
    more(arg("$.a", "-live"), arg("$.b", "", true)),
    more(arg("$.b", "live s", true)),
    part({}),
    part({ name: "g", args: { a: "sk-live" } }),
  ];
  const { events, channels } = await run("text/event-stream", said);
  assertEquals(events, [
    said[0],
    more(arg("$.a", "x ", true), arg("$.b", "", true)),
    more(arg("$.a", "[key]"), arg("$.b", "", true)),
    more(arg("$.b", "[key] ", true)),
    more(arg("$.b", "s", true)),
    said[4],
    part({ name: "g", args: { a: "[key]" } }),
  ]);
  assertEquals(channels, ["tool 0 f c", "tool 0 f c", "tool 1 g"]);
});

Deno.test("Gemini: an answer that was blocked, and one with code to run", async () => {
  const blocked = [{ promptFeedback: { blockReason: "SAFETY" } }, { usageMetadata: { promptTokenCount: 1 } }];
  assertEquals((await run("text/event-stream", blocked)).events, blocked);
  const code = [{
    candidates: [{
      content: { parts: [{ executableCode: { language: "PYTHON", code: "1" } }, { inlineData: {} }] },
    }],
  }];
  assertEquals((await run("text/event-stream", code)).events, code);
});

Deno.test("events of other kinds in a model's stream pass, errors among them", async () => {
  const others = [
    { type: "ping" },
    { error: { message: "overloaded sk-live" } },
    { choices: null },
    { choices: [null, 5, {}] },
    [1],
    5,
    null,
  ];
  const { events } = await run("text/event-stream", [delta({ content: "x" }), ...others]);
  assertEquals(events, [delta({ content: "x" }), ...others]);
});

/** JSON in which one value is something else, or has another name. */
function damaged(text: string, at: number, by: unknown): string {
  const value = JSON.parse(text);
  const places: [object, string][] = [];
  const visit = (inner: unknown) => {
    if (typeof inner !== "object" || inner === null) return;
    for (const [name, part] of Object.entries(inner)) {
      places.push([inner, name]);
      visit(part);
    }
  };
  visit(value);
  if (places.length === 0) return text;
  const [holder, name] = places[at % places.length];
  Reflect.set(holder, name, by);
  return JSON.stringify(value);
}

Deno.test("events that are not as they should be do no harm", async () => {
  const strange = fc.constantFrom<unknown>(
    null,
    5,
    "x",
    "toString",
    [],
    [null],
    {},
    [{}],
    { type: "text", text: 5 },
    -1,
    "__proto__.delta",
  );
  const said = { text: ["a", "b"], reasoning: ["c"], tool: ['{"a":', '"b"}'] };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...PROVIDERS),
      fc.array(fc.tuple(fc.nat(), fc.nat(), strange), { minLength: 1, maxLength: 4 }),
      async (provider, damages) => {
        const whole = provider.write(said);
        const parts = /^\s*[{[]/.test(whole) && !/^\{.*\}$/m.test(whole)
          ? ["", whole]
          : whole.split(/(\{.*\})/);
        for (const [part, at, by] of damages) {
          const index = 1 + 2 * (part % Math.floor(parts.length / 2));
          parts[index] = damaged(parts[index], at, by);
        }
        const body = parts.join("");
        const headers = new Headers({ "content-type": provider.type });
        const out = await textThrough(modelStream({ headers }, () => replaceStream("\0", "")), [body]);
        // Of Responses, events that repeat the text say what the deltas said.
        if (provider !== responsesStream) assertEquals(out, body);
      },
    ),
    { numRuns: 500 },
  );
});
