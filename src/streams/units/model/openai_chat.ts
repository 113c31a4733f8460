/**
 * OpenAI's Chat Completions (`chat.completion.chunk` events, `chat.completion` whole), as many others write
 * them too: vLLM, DeepSeek, OpenRouter, Groq, Mistral with their fields for reasoning; and the older
 * Completions with `text`.
 * @module
 */
import {
  type Dialect,
  type Json,
  listOf,
  type ModelChannel,
  NOTHING,
  numberOf,
  objectOf,
  pick,
  type Reading,
  type Slot,
  stringOf,
  stringsIn,
} from "./dialect.ts";
import type { Edit, Path } from "./splice.ts";

/** Members of a choice's `delta` or `message` that are text. */
const TEXTS = {
  content: "text",
  refusal: "text",
  reasoning_content: "reasoning",
  reasoning: "reasoning",
} as const;

/** The dialect, when it is this one. */
export function chatOf(event: Json): Dialect | null {
  const isChat = /^(chat\.completion|text_completion)/.test(stringOf(event.object) ?? "");
  return isChat || Array.isArray(event.choices) ? new ChatDialect() : null;
}

class ChatDialect implements Dialect {
  /** Names and ids of calls, which only their first delta has. */
  readonly #calls = new Map<string, ModelChannel>();

  read(event: Json): Reading {
    const slots: Slot[] = [], ends: string[] = [];
    listOf(event.choices).forEach((choice, at) => {
      const it = objectOf(choice);
      if (it === null) return;
      const index = numberOf(it.index, at);
      slots.push(...this.#choice(event, it, index, ["choices", at]));
      if (typeof it.finish_reason !== "string") return;
      ends.push(`${index}/`);
      for (const key of this.#calls.keys()) if (key.startsWith(`${index}/`)) this.#calls.delete(key);
    });
    return slots.length === 0 && ends.length === 0 ? NOTHING : { slots, ends };
  }

  *#choice(event: Json, choice: Json, index: number, path: Path): Generator<Slot, void> {
    const mutes: Edit[] = choice.logprobs ? [{ path: [...path, "logprobs"], json: "null" }] : [];
    /** A slot for one text; `around` puts a delta around what is added. */
    const slot = (
      key: string,
      channel: ModelChannel,
      path: Path,
      text: string,
      around: (text: string) => Json,
    ): Slot => ({
      key: `${index}/${key}`,
      channel,
      kind: "delta",
      texts: [{ path, text }],
      insert: (text) => ({
        ...pick(event, "id", "object", "created", "model", "provider", "service_tier", "system_fingerprint"),
        choices: [{
          index,
          ...around(text),
          ..."logprobs" in choice ? { logprobs: null } : {},
          finish_reason: null,
        }],
        ..."usage" in event ? { usage: null } : {},
      }),
      mutes,
    });
    const said: ModelChannel = { kind: "text", index };
    if (typeof choice.text === "string") {
      yield slot("text", said, [...path, "text"], choice.text, (text) => ({ text }));
    }
    const where = objectOf(choice.delta) !== null ? "delta" : "message";
    const delta = objectOf(choice[where]);
    if (delta === null) return;
    path = [...path, where];
    for (const [name, kind] of Object.entries(TEXTS)) {
      const value = delta[name];
      const channel = { kind, index };
      const around = (text: string) => ({ delta: { [name]: text } });
      if (typeof value === "string") yield slot(name, channel, [...path, name], value, around);
      else if (Array.isArray(value)) yield* parts(value, [...path, name], index, slot);
    }
    for (const [at, detail] of listOf(delta.reasoning_details).entries()) {
      const it = objectOf(detail) ?? {};
      for (const name of ["text", "summary"]) {
        const text = it[name], key = `reasoning_details/${numberOf(it.index, at)}/${name}`;
        const around = (text: string) => ({
          delta: { reasoning_details: [{ ...pick(it, "type", "format", "index"), [name]: text }] },
        });
        if (typeof text !== "string") continue;
        yield slot(key, { kind: "reasoning", index }, [...path, "reasoning_details", at, name], text, around);
      }
    }
    const transcript = objectOf(delta.audio)?.transcript;
    if (typeof transcript === "string") {
      const around = (transcript: string) => ({ delta: { audio: { transcript } } });
      yield slot("audio", said, [...path, "audio", "transcript"], transcript, around);
    }
    yield* this.#tools(delta, index, path, slot);
  }

  *#tools(delta: Json, choice: number, path: Path, slot: MakeSlot): Generator<Slot, void> {
    const call = objectOf(delta.function_call);
    if (call !== null) {
      const channel = this.#call(`${choice}/function_call`, 0, call.name, undefined);
      const around = (text: string) => ({ delta: { function_call: { arguments: text } } });
      yield* args(
        "function_call",
        channel,
        [...path, "function_call", "arguments"],
        call.arguments,
        slot,
        around,
      );
    }
    for (const [at, tool] of listOf(delta.tool_calls).entries()) {
      const it = objectOf(tool);
      if (it === null) continue;
      const index = numberOf(it.index, at);
      for (const [type, name] of [["function", "arguments"], ["custom", "input"]]) {
        const inner = objectOf(it[type]);
        if (inner === null) continue;
        const key = `tool/${index}/${type}`;
        const channel = this.#call(`${choice}/${key}`, index, inner.name, it.id);
        const around = (text: string) => ({ delta: { tool_calls: [{ index, [type]: { [name]: text } }] } });
        yield* args(key, channel, [...path, "tool_calls", at, type, name], inner[name], slot, around);
      }
    }
  }

  #call(key: string, index: number, name: unknown, id: unknown): ModelChannel {
    const old = this.#calls.get(key);
    const called = { name: stringOf(name) ?? old?.name, id: stringOf(id) ?? old?.id };
    const channel: ModelChannel = {
      kind: "tool",
      index,
      ...called.name === undefined ? {} : { name: called.name },
      ...called.id === undefined ? {} : { id: called.id },
    };
    this.#calls.set(key, channel);
    return channel;
  }
}

type MakeSlot = (
  key: string,
  channel: ModelChannel,
  path: Path,
  text: string,
  around: (text: string) => Json,
) => Slot;

/** A call's arguments: text, or (of servers that are not OpenAI's) an object. */
function* args(
  key: string,
  channel: ModelChannel,
  path: Path,
  value: unknown,
  slot: MakeSlot,
  around: (text: string) => Json,
): Generator<Slot, void> {
  if (typeof value === "string") yield slot(key, channel, path, value, around);
  else if (objectOf(value) !== null) {
    yield { ...slot(key, channel, path, "", around), kind: "values", texts: stringsIn(value, path) };
  }
}

/**
 * Content in parts (Mistral): `{ type: "text", text }`, `{ type: "thinking", thinking: [{ type: "text", text
 * }] }`.
 */
function* parts(list: unknown[], path: Path, index: number, slot: MakeSlot): Generator<Slot, void> {
  for (const [at, part] of list.entries()) {
    const it = objectOf(part);
    if (typeof it?.text === "string") {
      const around = (text: string) => ({ delta: { content: [{ type: "text", text }] } });
      yield slot("content", { kind: "text", index }, [...path, at, "text"], it.text, around);
    }
    for (const [inner, thought] of listOf(it?.thinking).entries()) {
      const text = objectOf(thought)?.text;
      const around = (text: string) => ({
        delta: { content: [{ type: "thinking", thinking: [{ type: "text", text }] }] },
      });
      if (typeof text !== "string") continue;
      yield slot(
        "thinking",
        { kind: "reasoning", index },
        [...path, at, "thinking", inner, "text"],
        text,
        around,
      );
    }
  }
}
