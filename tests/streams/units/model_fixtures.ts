/**
 * Answers of language models as they are on the wire, made for given texts, and what a client reads out of them. The formats are
 * those of the providers' documentation and of their SDKs' types.
 * @module
 */

/** What a model says: each text in its pieces (tokens), and a tool's arguments. */
export interface Said {
  readonly text: readonly string[];
  readonly reasoning: readonly string[];
  /** The arguments of a call to `read`, JSON text in pieces. */
  readonly tool: readonly string[];
}

/** What a client has at the end. */
export interface Heard {
  text: string;
  reasoning: string;
  /** As text, or the strings in an object. */
  tool: string;
}

/** A provider, in one frame. */
export interface Provider {
  readonly name: string;
  readonly type: string;
  write(said: Said): string;
  read(body: string): Heard;
  /** Names of the channels that are asked about. */
  readonly channels: readonly string[];
}

// deno-lint-ignore no-explicit-any -- The fixtures' clients trust what they read, as clients do.
type Any = any;

const sse = (events: Any[], end = "\n", isNamed = false) =>
  events.map((event) =>
    (isNamed ? `event: ${event.type}${end}` : "") + `data: ${JSON.stringify(event)}${end}${end}`
  ).join("");

function dataOf(body: string): Any[] {
  return body.split(/\r?\n\r?\n/).flatMap((block) => {
    const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
    const data = lines.map((line) => line.slice(5).trim()).join("\n");
    return data === "" || data === "[DONE]" ? [] : [JSON.parse(data)];
  });
}

const nothing = (): Heard => ({ text: "", reasoning: "", tool: "" });
/** The strings of a tool's arguments, as the object that holds them is made from them and read again. */
const objectFrom = (parts: readonly string[]) => ({
  path: parts.join(""),
  n: 1.5,
  deep: [{ again: parts.join("") }],
});
const stringsOf = ({ path, deep }: Any) => `${path}|${deep[0].again}`;
export const heardObject = (tool: string) => `${tool}|${tool}`;

const chatBase = {
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1764313200,
  model: "gpt-5",
  system_fingerprint: "fp_1",
};

export const chatStream: Provider = {
  name: "OpenAI Chat Completions, streamed",
  type: "text/event-stream; charset=utf-8",
  channels: ["reasoning 0", "text 0", "tool 0 read call_1"],
  write({ text, reasoning, tool }) {
    const chunk = (delta: Any, finish_reason: string | null = null) => ({
      ...chatBase,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      usage: null,
    });
    return ": OPENROUTER PROCESSING\n\n" + sse([
      chunk({ role: "assistant", content: "", refusal: null }),
      ...reasoning.map((reasoning_content) => chunk({ reasoning_content })),
      ...text.map((content) => chunk({ content })),
      chunk({
        tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "read", arguments: "" } }],
      }),
      ...tool.map((part) => chunk({ tool_calls: [{ index: 0, function: { arguments: part } }] })),
      chunk({}, "tool_calls"),
      { ...chatBase, choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
    ]) + "data: [DONE]\n\n";
  },
  read(body) {
    const heard = nothing();
    let isOver = false;
    for (const { choices } of dataOf(body)) {
      for (const { delta, finish_reason } of choices) {
        if (isOver) throw new Error("There is a delta behind the end.");
        heard.text += delta.content ?? "";
        heard.reasoning += delta.reasoning_content ?? "";
        heard.tool += delta.tool_calls?.[0].function.arguments ?? "";
        isOver = finish_reason !== null;
      }
    }
    return heard;
  },
};

export const chatWhole: Provider = {
  name: "OpenAI Chat Completions, whole",
  type: "application/json",
  channels: ["reasoning 0", "text 0", "tool 0 read call_1"],
  write({ text, reasoning, tool }) {
    return JSON.stringify(
      {
        ...chatBase,
        object: "chat.completion",
        choices: [{
          index: 0,
          message: {
            role: "assistant",
            content: text.join(""),
            refusal: null,
            reasoning_content: reasoning.join(""),
            tool_calls: [{
              id: "call_1",
              type: "function",
              function: { name: "read", arguments: tool.join("") },
            }],
          },
          finish_reason: "stop",
        }],
      },
      null,
      2,
    );
  },
  read(body) {
    const { message } = JSON.parse(body).choices[0];
    const tool = message.tool_calls[0].function.arguments;
    return { text: message.content, reasoning: message.reasoning_content, tool };
  },
};

/** The items of a response's output. */
function items({ text, reasoning, tool }: Said, isDone: boolean) {
  const of = (parts: readonly string[]) => isDone ? parts.join("") : "";
  return [
    { id: "rs_1", type: "reasoning", summary: isDone ? [{ type: "summary_text", text: of(reasoning) }] : [] },
    {
      id: "msg_1",
      type: "message",
      status: isDone ? "completed" : "in_progress",
      role: "assistant",
      content: isDone ? [{ type: "output_text", text: of(text), annotations: [], logprobs: [] }] : [],
    },
    {
      id: "fc_1",
      type: "function_call",
      call_id: "call_1",
      name: "read",
      arguments: of(tool),
      status: "completed",
    },
  ];
}

const response = (said: Said, isDone: boolean) => ({
  id: "resp_1",
  object: "response",
  created_at: 1764313200,
  status: isDone ? "completed" : "in_progress",
  model: "gpt-5",
  output: isDone ? items(said, true) : [],
  usage: null,
});

export const responsesStream: Provider = {
  name: "OpenAI Responses, streamed",
  type: "text/event-stream",
  channels: ["reasoning 0", "text 1", "tool 2 read call_1"],
  write(said) {
    const [reasoning, message, call] = items(said, false);
    const [reasoned, messaged, called] = items(said, true) as Any[];
    const summary = { item_id: "rs_1", output_index: 0, summary_index: 0 };
    const content = { item_id: "msg_1", output_index: 1, content_index: 0 };
    const args = { item_id: "fc_1", output_index: 2 };
    const part = (text: string) => ({ type: "output_text", annotations: [], logprobs: [], text });
    const events = [
      { type: "response.created", response: response(said, false) },
      { type: "response.in_progress", response: response(said, false) },
      { type: "response.output_item.added", output_index: 0, item: reasoning },
      { type: "response.reasoning_summary_part.added", ...summary, part: { type: "summary_text", text: "" } },
      ...said.reasoning.map((delta) => ({
        type: "response.reasoning_summary_text.delta",
        ...summary,
        delta,
        obfuscation: "x9",
      })),
      { type: "response.reasoning_summary_text.done", ...summary, text: said.reasoning.join("") },
      {
        type: "response.reasoning_summary_part.done",
        ...summary,
        part: { type: "summary_text", text: said.reasoning.join("") },
      },
      { type: "response.output_item.done", output_index: 0, item: reasoned },
      { type: "response.output_item.added", output_index: 1, item: message },
      { type: "response.content_part.added", ...content, part: part("") },
      ...said.text.map((delta) => ({ type: "response.output_text.delta", ...content, delta, logprobs: [] })),
      { type: "response.output_text.done", ...content, text: said.text.join(""), logprobs: [] },
      { type: "response.content_part.done", ...content, part: part(said.text.join("")) },
      { type: "response.output_item.done", output_index: 1, item: messaged },
      { type: "response.output_item.added", output_index: 2, item: { ...call, arguments: "" } },
      ...said.tool.map((delta) => ({ type: "response.function_call_arguments.delta", ...args, delta })),
      { type: "response.function_call_arguments.done", ...args, arguments: said.tool.join("") },
      { type: "response.output_item.done", output_index: 2, item: called },
      { type: "response.completed", response: response(said, true) },
    ];
    return sse(events.map((event, index) => ({ sequence_number: index, ...event })), "\n", true);
  },
  read(body) {
    const heard = nothing();
    const ended: Partial<Heard> = {};
    let final: Any = null;
    const say = (name: keyof Heard, text: string) => {
      if (name in ended) throw new Error(`There is a delta of ${name} behind its end.`);
      heard[name] += text;
    };
    const repeat = (name: keyof Heard, text: string) => {
      ended[name] = text;
      if (text !== heard[name]) throw new Error(`${name} was ${heard[name]}, and is now said to be ${text}.`);
    };
    for (const block of body.split("\n\n").slice(0, -1)) {
      const event = dataOf(`${block}\n\n`)[0];
      if (!block.startsWith(`event: ${event.type}\n`)) throw new Error(`The event is misnamed: ${block}`);
    }
    dataOf(body).forEach((event, index) => {
      if (event.sequence_number !== index) throw new Error(`Number ${event.sequence_number} at ${index}.`);
      const { type, delta, item } = event;
      if (type === "response.reasoning_summary_text.delta") say("reasoning", delta);
      if (type === "response.output_text.delta") say("text", delta);
      if (type === "response.function_call_arguments.delta") say("tool", delta);
      if (type === "response.reasoning_summary_text.done") repeat("reasoning", event.text);
      if (type === "response.reasoning_summary_part.done") repeat("reasoning", event.part.text);
      if (type === "response.output_text.done") repeat("text", event.text);
      if (type === "response.content_part.done") repeat("text", event.part.text);
      if (type === "response.function_call_arguments.done") repeat("tool", event.arguments);
      if (type === "response.output_item.done") {
        if (item.type === "reasoning") repeat("reasoning", item.summary[0].text);
        if (item.type === "message") repeat("text", item.content[0].text);
        if (item.type === "function_call") repeat("tool", item.arguments);
      }
      if (type === "response.completed") final = event.response;
    });
    const [reasoning, message, call] = final.output;
    repeat("reasoning", reasoning.summary[0].text);
    repeat("text", message.content[0].text);
    repeat("tool", call.arguments);
    return heard;
  },
};

export const responsesWhole: Provider = {
  name: "OpenAI Responses, whole",
  type: "application/json",
  channels: ["reasoning 0", "text 1", "tool 2 read call_1"],
  write: (said) => JSON.stringify(response(said, true), null, 2),
  read(body) {
    const [reasoning, message, call] = JSON.parse(body).output;
    return { text: message.content[0].text, reasoning: reasoning.summary[0].text, tool: call.arguments };
  },
};

const anthropicMessage = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-opus-4-5",
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
};

export const anthropicStream: Provider = {
  name: "Anthropic Messages, streamed",
  type: "text/event-stream",
  channels: ["reasoning 0", "text 1", "tool 2 read toolu_1"],
  write({ text, reasoning, tool }) {
    const block = (index: number, content_block: Any, deltas: Any[]) => [
      { type: "content_block_start", index, content_block },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ];
    return sse(
      [
        { type: "message_start", message: { ...anthropicMessage, content: [] } },
        { type: "ping" },
        ...block(0, { type: "thinking", thinking: "", signature: "" }, [
          ...reasoning.map((thinking) => ({ type: "thinking_delta", thinking })),
          { type: "signature_delta", signature: "EqQB" },
        ]),
        ...block(1, { type: "text", text: "" }, text.map((text) => ({ type: "text_delta", text }))),
        ...block(2, { type: "tool_use", id: "toolu_1", name: "read", input: {} }, [
          { type: "input_json_delta", partial_json: "" },
          ...tool.map((partial_json) => ({ type: "input_json_delta", partial_json })),
        ]),
        {
          type: "message_delta",
          delta: { stop_reason: "tool_use", stop_sequence: null },
          usage: { output_tokens: 9 },
        },
        { type: "message_stop" },
      ],
      "\r\n",
      true,
    );
  },
  read(body) {
    const heard = nothing();
    const open = new Set<number>();
    for (const { type, index, delta } of dataOf(body)) {
      if (type === "content_block_start") open.add(index);
      if (type === "content_block_stop") open.delete(index);
      if (type !== "content_block_delta") continue;
      if (!open.has(index)) throw new Error("There is a delta of a block that is not open.");
      heard.text += delta.text ?? "";
      heard.reasoning += delta.thinking ?? "";
      heard.tool += delta.partial_json ?? "";
    }
    return heard;
  },
};

export const anthropicWhole: Provider = {
  name: "Anthropic Messages, whole",
  type: "application/json",
  channels: ["reasoning 0", "text 1", "tool 2 read toolu_1"],
  write: ({ text, reasoning, tool }) =>
    JSON.stringify({
      ...anthropicMessage,
      content: [
        { type: "thinking", thinking: reasoning.join(""), signature: "EqQB" },
        { type: "text", text: text.join("") },
        { type: "tool_use", id: "toolu_1", name: "read", input: objectFrom(tool) },
      ],
      stop_reason: "tool_use",
    }),
  read(body) {
    const [{ thinking }, { text }, { input }] = JSON.parse(body).content;
    return { text, reasoning: thinking, tool: stringsOf(input) };
  },
};

/** The chunks of Gemini: several parts may stand in one, and the last one may have text as well. */
function geminiChunks({ text, reasoning, tool }: Said): Any[] {
  const chunk = (parts: Any[], more: Any = {}) => ({
    candidates: [{ content: { parts, role: "model" }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: 4 },
    modelVersion: "gemini-3-pro",
    responseId: "r1",
  });
  return [
    ...reasoning.map((text) => chunk([{ text, thought: true }])),
    ...text.slice(0, -1).map((text) => chunk([{ text }])),
    chunk([{ functionCall: { name: "read", args: objectFrom(tool), id: "c1" }, thoughtSignature: "Eg==" }]),
    chunk(text.slice(-1).map((text) => ({ text })), { finishReason: "STOP" }),
  ];
}

function readGemini(chunks: Any[]): Heard {
  const heard = nothing();
  let isOver = false;
  for (const { candidates: [candidate] } of chunks) {
    if (isOver) throw new Error("There is a chunk behind the end.");
    for (const part of candidate.content.parts) {
      if (part.functionCall) heard.tool += stringsOf(part.functionCall.args);
      else heard[part.thought ? "reasoning" : "text"] += part.text;
    }
    isOver = candidate.finishReason !== undefined;
  }
  return heard;
}

const geminiChannels = ["reasoning 0", "text 0", "tool 0 read c1"];

export const geminiStream: Provider = {
  name: "Gemini, server-sent events",
  type: "text/event-stream",
  channels: geminiChannels,
  write: (said) => sse(geminiChunks(said), "\r\n"),
  read: (body) => readGemini(dataOf(body)),
};

export const geminiArray: Provider = {
  name: "Gemini, a JSON array",
  type: "application/json; charset=UTF-8",
  channels: geminiChannels,
  write: (said) =>
    `[${geminiChunks(said).map((chunk) => JSON.stringify(chunk, null, 2)).join("\n,\r\n")}\n]\n`,
  read: (body) => readGemini(JSON.parse(body)),
};

export const geminiWhole: Provider = {
  name: "Gemini, whole",
  type: "application/json",
  channels: geminiChannels,
  write({ text, reasoning, tool }) {
    const parts = [
      { text: reasoning.join(""), thought: true },
      ...text.map((text) => ({ text })),
      { functionCall: { name: "read", args: objectFrom(tool), id: "c1" } },
    ];
    return JSON.stringify({ candidates: [{ content: { parts, role: "model" }, finishReason: "STOP" }] });
  },
  read: (body) => readGemini([JSON.parse(body)]),
};

const ollamaBase = { model: "qwen3", created_at: "2026-11-28T07:00:00.5Z" };
const ollamaEnd = { done_reason: "stop", done: true, total_duration: 5043500667, eval_count: 290 };
const ollamaCall = (tool: readonly string[]) => [{ function: { name: "read", arguments: objectFrom(tool) } }];

function readOllama(objects: Any[]): Heard {
  const heard = nothing();
  let isOver = false;
  for (const { message, done } of objects) {
    if (isOver) throw new Error("There is a line behind the end.");
    heard.text += message.content;
    heard.reasoning += message.thinking ?? "";
    for (const call of message.tool_calls ?? []) heard.tool += stringsOf(call.function.arguments);
    isOver = done;
  }
  return heard;
}

export const ollamaStream: Provider = {
  name: "Ollama, streamed",
  type: "application/x-ndjson",
  channels: ["reasoning 0", "text 0", "tool 0 read"],
  write({ text, reasoning, tool }) {
    const line = (message: Any) => ({
      ...ollamaBase,
      message: { role: "assistant", content: "", ...message },
      done: false,
    });
    return [
      ...reasoning.map((thinking) => line({ thinking })),
      ...text.map((content) => line({ content })),
      line({ tool_calls: ollamaCall(tool) }),
      { ...ollamaBase, message: { role: "assistant", content: "" }, ...ollamaEnd },
    ].map((line) => `${JSON.stringify(line)}\n`).join("");
  },
  read: (body) => readOllama(body.trim().split("\n").map((line) => JSON.parse(line))),
};

export const ollamaWhole: Provider = {
  name: "Ollama, whole",
  type: "application/json; charset=utf-8",
  channels: ["reasoning 0", "text 0", "tool 0 read"],
  write({ text, reasoning, tool }) {
    const message = {
      role: "assistant",
      content: text.join(""),
      thinking: reasoning.join(""),
      tool_calls: ollamaCall(tool),
    };
    return JSON.stringify({ ...ollamaBase, message, ...ollamaEnd });
  },
  read: (body) => readOllama([JSON.parse(body)]),
};

export const PROVIDERS: readonly Provider[] = [
  chatStream,
  chatWhole,
  responsesStream,
  responsesWhole,
  anthropicStream,
  anthropicWhole,
  geminiStream,
  geminiArray,
  geminiWhole,
  ollamaStream,
  ollamaWhole,
];

/** Those whose tool arguments are an object. */
export const WITH_OBJECTS = new Set([
  anthropicWhole,
  geminiStream,
  geminiArray,
  geminiWhole,
  ollamaStream,
  ollamaWhole,
]);
