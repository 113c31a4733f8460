/**
 * Gemini's `generateContent` and `streamGenerateContent`: candidates with parts, in server-sent events or as
 * a JSON array.
 * @module
 */
import {
  type Dialect,
  type Json,
  listOf,
  type ModelChannel,
  numberOf,
  objectOf,
  pick,
  type Reading,
  type Slot,
  stringOf,
  stringsIn,
} from "./dialect.ts";
import type { Edit, Path } from "./splice.ts";

/** The dialect, when it is this one. */
export function geminiOf(event: Json): Dialect | null {
  const isGemini = Array.isArray(event.candidates) || objectOf(event.promptFeedback) !== null ||
    objectOf(event.usageMetadata) !== null;
  return isGemini ? new GeminiDialect() : null;
}

class GeminiDialect implements Dialect {
  /** The calls of each candidate so far: how many, and the last one. */
  readonly #calls = new Map<number, { count: number; last: ModelChannel }>();

  read(event: Json): Reading {
    const slots: Slot[] = [], ends: string[] = [];
    listOf(event.candidates).forEach((candidate, at) => {
      const it = objectOf(candidate);
      if (it === null) return;
      const index = numberOf(it.index, at);
      const path = ["candidates", at];
      const mutes = it.logprobsResult ? [{ path: [...path, "logprobsResult"], json: "{}" }] : [];
      listOf(objectOf(it.content)?.parts).forEach((part, at) => {
        const inner = objectOf(part);
        if (inner === null) return;
        slots.push(...this.#part(event, it, inner, index, [...path, "content", "parts", at], mutes));
        ends.push(...this.#endsOf(inner, index));
      });
      if (typeof it.finishReason === "string") ends.push(`${index}/`);
    });
    return { slots, ends };
  }

  *#part(
    event: Json,
    candidate: Json,
    part: Json,
    index: number,
    path: Path,
    mutes: Edit[],
  ): Generator<Slot, void> {
    const { text, thought } = part;
    /** An event that adds a part. */
    const added = (part: Json): Json => ({
      candidates: [{ content: { parts: [part], role: "model" }, ...pick(candidate, "index") }],
      ...pick(event, "modelVersion", "responseId"),
    });
    if (typeof text === "string") {
      yield {
        key: `${index}/${thought === true ? "thought" : "text"}`,
        channel: { kind: thought === true ? "reasoning" : "text", index },
        kind: "delta",
        texts: [{ path: [...path, "text"], text }],
        insert: (text) => added({ text, ...pick(part, "thought") }),
        mutes,
      };
    }
    const call = objectOf(part.functionCall);
    if (call === null) return;
    path = [...path, "functionCall"];
    const channel = this.#call(call, index);
    const key = `${index}/call/${channel.index}/`;
    yield { key, channel, kind: "values", texts: stringsIn(call.args, [...path, "args"]), mutes };
    for (const [at, arg] of listOf(call.partialArgs).entries()) {
      const { jsonPath, stringValue: text } = objectOf(arg) ?? {};
      if (typeof text !== "string") continue;
      yield {
        key: `${key}${jsonPath}/`,
        channel,
        kind: "delta",
        texts: [{ path: [...path, "partialArgs", at, "stringValue"], text }],
        insert: (stringValue) => {
          const partialArgs = [{ jsonPath, stringValue, willContinue: true }];
          return added({ functionCall: { partialArgs, willContinue: true } });
        },
        mutes,
      };
    }
  }

  /** A call's channel; one without a name goes on with the call before it (arguments that are streamed). */
  #call(call: Json, index: number): ModelChannel {
    const name = stringOf(call.name), id = stringOf(call.id);
    const before = this.#calls.get(index);
    if (name === undefined && before !== undefined) return before.last;
    const count = before?.count ?? 0;
    const last: ModelChannel = {
      kind: "tool",
      index: count,
      ...name === undefined ? {} : { name },
      ...id === undefined ? {} : { id },
    };
    this.#calls.set(index, { count: count + 1, last });
    return last;
  }

  /** The arguments of the last call that this part ends. */
  #endsOf(part: Json, index: number): string[] {
    const call = objectOf(part.functionCall);
    if (call === null) return [];
    const key = `${index}/call/${this.#calls.get(index)?.last.index}/`;
    if (call.willContinue !== true) return [key];
    return listOf(call.partialArgs).map(objectOf).filter((arg) => arg !== null && arg.willContinue !== true)
      .map((arg) => `${key}${arg!.jsonPath}/`);
  }
}
