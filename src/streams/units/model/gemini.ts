/**
 * Gemini's `generateContent` and `streamGenerateContent`: candidates with parts, in server-sent events or as a JSON array.
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
  /** How many calls each candidate has made. */
  readonly #calls = new Map<number, number>();

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
    if (typeof text === "string") {
      yield {
        key: `${index}/${thought === true ? "thought" : "text"}`,
        channel: { kind: thought === true ? "reasoning" : "text", index },
        kind: "delta",
        texts: [{ path: [...path, "text"], text }],
        insert: (text) => ({
          candidates: [{
            content: { parts: [{ text, ...pick(part, "thought") }], role: "model" },
            ...pick(candidate, "index"),
          }],
          ...pick(event, "modelVersion", "responseId"),
        }),
        mutes,
      };
    }
    const call = objectOf(part.functionCall);
    if (call === null) return;
    const number = this.#calls.get(index) ?? 0;
    this.#calls.set(index, number + 1);
    const name = stringOf(call.name), id = stringOf(call.id);
    const channel: ModelChannel = {
      kind: "tool",
      index: number,
      ...name === undefined ? {} : { name },
      ...id === undefined ? {} : { id },
    };
    const texts = stringsIn(call.args, [...path, "functionCall", "args"]);
    yield { key: `${index}/call/${number}`, channel, kind: "values", texts, mutes };
  }
}
