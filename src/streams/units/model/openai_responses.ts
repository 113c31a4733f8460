/**
 * OpenAI's Responses: typed events (`response.…`), each with a `sequence_number`, that say their text in
 * deltas and then repeat it; whole, an object `response` with its `output`.
 * @module
 */
import {
  ALL,
  type Dialect,
  type Json,
  listOf,
  type ModelChannel,
  NOTHING,
  numberOf,
  objectOf,
  type Reading,
  type Slot,
  stringOf,
} from "./dialect.ts";
import type { Edit, Path } from "./splice.ts";

interface Stream {
  readonly part: string;
  readonly kind: ModelChannel["kind"];
  readonly whole: string;
}

/**
 * Of the events that come as `….delta` and `….done`: the channel, and where the second one has all of the
 * text.
 */
const STREAMS = new Map<string, Stream>(Object.entries<Stream>({
  "response.output_text": { part: "text", kind: "text", whole: "text" },
  "response.refusal": { part: "refusal", kind: "text", whole: "refusal" },
  "response.reasoning_text": { part: "reasoning", kind: "reasoning", whole: "text" },
  "response.reasoning_summary_text": { part: "summary", kind: "reasoning", whole: "text" },
  "response.function_call_arguments": { part: "arguments", kind: "tool", whole: "arguments" },
  "response.mcp_call_arguments": { part: "arguments", kind: "tool", whole: "arguments" },
  "response.custom_tool_call_input": { part: "input", kind: "tool", whole: "input" },
  "response.code_interpreter_call_code": { part: "code", kind: "tool", whole: "code" },
  "response.audio.transcript": { part: "transcript", kind: "text", whole: "transcript" },
}));
interface PartText extends Omit<Stream, "whole"> {
  readonly text: string;
  readonly delta: string;
}

/** The channel of a part's text, by the part's type. */
const PARTS = new Map<string, PartText>(Object.entries<PartText>({
  output_text: { part: "text", text: "text", kind: "text", delta: "response.output_text" },
  refusal: { part: "refusal", text: "refusal", kind: "text", delta: "response.refusal" },
  reasoning_text: { part: "reasoning", text: "text", kind: "reasoning", delta: "response.reasoning_text" },
  summary_text: {
    part: "summary",
    text: "text",
    kind: "reasoning",
    delta: "response.reasoning_summary_text",
  },
}));
/** Members of an item that are the arguments of a call. */
const ARGUMENTS = {
  arguments: "response.function_call_arguments",
  input: "response.custom_tool_call_input",
  code: "response.code_interpreter_call_code",
};
const FINAL = /^response\.(completed|incomplete|failed|cancelled)$/;

/** The dialect, when it is this one. */
export function responsesOf(event: Json): Dialect | null {
  const isEvent = stringOf(event.type)?.startsWith("response.") ?? false;
  return isEvent || event.object === "response" ? new ResponsesDialect() : null;
}

class ResponsesDialect implements Dialect {
  readonly repeats = true;
  /** Calls by the place of their item in the output. */
  readonly #calls = new Map<number, ModelChannel>();

  read(event: Json): Reading {
    const type = stringOf(event.type) ?? "";
    if (event.object === "response") return { slots: this.#output(event, [], "delta"), ends: ALL };
    if (FINAL.test(type)) {
      const response = objectOf(event.response);
      return { slots: response === null ? [] : this.#output(response, ["response"], "whole"), ends: ALL };
    }
    const [, stream, step] = /^(.*)\.(delta|done|added)$/.exec(type) ?? [];
    if (stream === undefined) return NOTHING;
    const output = numberOf(event.output_index, 0);
    const kind = step === "done" ? "whole" : "delta";
    if (stream === "response.output_item") {
      const item = objectOf(event.item);
      const slots = item === null ? [] : [...this.#item(item, output, ["item"], kind)];
      return { slots, ends: step === "done" ? [`${output}/`] : [] };
    }
    if (stream === "response.content_part" || stream === "response.reasoning_summary_part") {
      const part = objectOf(event.part);
      const index = numberOf(event.content_index ?? event.summary_index, 0);
      return {
        slots: part === null ? [] : [...this.#part(part, event.item_id, output, index, ["part"], kind)],
        ends: [],
      };
    }
    const known = STREAMS.get(stream);
    return known === undefined ? NOTHING : this.#text(event, known, step, output);
  }

  /** An event that says a piece of text, or all of it. */
  #text(event: Json, { part, kind, whole }: Stream, step: string, output: number): Reading {
    const index = event.content_index ?? event.summary_index;
    const key = `${output}/${part}/${numberOf(index, 0)}/`;
    const name = step === "delta" ? "delta" : whole;
    const text = event[name];
    const ends = step === "done" ? [key] : [];
    if (typeof text !== "string") return { slots: [], ends };
    const channel = kind === "tool"
      ? this.#calls.get(output) ?? { kind, index: output }
      : { kind, index: output };
    const slot: Slot = {
      key,
      channel,
      kind: step === "delta" ? "delta" : "whole",
      texts: [{ path: [name], text }],
      insert: (delta) => {
        const { obfuscation: _, ...rest } = event;
        return { ...rest, delta, ..."logprobs" in rest ? { logprobs: [] } : {} };
      },
      mutes: muted(event, []),
    };
    return { slots: [slot], ends };
  }

  #output(response: Json, path: Path, kind: Slot["kind"]): Slot[] {
    return listOf(response.output).flatMap((item, index) => {
      const it = objectOf(item);
      return it === null ? [] : [...this.#item(it, index, [...path, "output", index], kind)];
    });
  }

  *#item(item: Json, output: number, path: Path, kind: Slot["kind"]): Generator<Slot, void> {
    for (const name of ["content", "summary"]) {
      for (const [index, part] of listOf(item[name]).entries()) {
        const it = objectOf(part);
        if (it !== null) yield* this.#part(it, item.id, output, index, [...path, name, index], kind);
      }
    }
    if (!/_call$|approval_request$/.test(stringOf(item.type) ?? "")) return;
    const name = stringOf(item.name) ??
      (item.type === "code_interpreter_call" ? "code_interpreter" : undefined);
    const id = stringOf(item.call_id) ?? stringOf(item.id);
    const channel: ModelChannel = {
      kind: "tool",
      index: output,
      ...name === undefined ? {} : { name },
      ...id === undefined ? {} : { id },
    };
    this.#calls.set(output, channel);
    for (const [name, delta] of Object.entries(ARGUMENTS)) {
      const text = item[name];
      if (typeof text !== "string") continue;
      const type = name === "arguments" && item.type === "mcp_call" ? "response.mcp_call_arguments" : delta;
      yield {
        key: `${output}/${name}/0/`,
        channel,
        kind,
        texts: [{ path: [...path, name], text }],
        insert: (delta) => ({ type: `${type}.delta`, item_id: item.id, output_index: output, delta }),
      };
    }
  }

  *#part(
    part: Json,
    item: unknown,
    output: number,
    index: number,
    path: Path,
    kind: Slot["kind"],
  ): Generator<Slot, void> {
    const known = PARTS.get(stringOf(part.type) ?? "");
    const text = known === undefined ? null : part[known.text];
    if (known === undefined || typeof text !== "string") return;
    const place = known.part === "summary" ? { summary_index: index } : { content_index: index };
    yield {
      key: `${output}/${known.part}/${index}/`,
      channel: { kind: known.kind, index: output },
      kind,
      texts: [{ path: [...path, known.text], text }],
      insert: (delta) => ({
        type: `${known.delta}.delta`,
        item_id: item,
        output_index: output,
        ...place,
        delta,
      }),
      mutes: muted(part, path),
    };
  }
}

/** The probabilities of tokens, which say the text as well. */
function muted(event: Json, path: Path): Edit[] {
  return listOf(event.logprobs).length === 0 ? [] : [{ path: [...path, "logprobs"], json: "[]" }];
}
