/**
 * Which provider's dialect a body is in.
 * @module
 */
import { anthropicOf } from "./anthropic.ts";
import type { Dialect, Json } from "./dialect.ts";
import { geminiOf } from "./gemini.ts";
import { ollamaOf } from "./ollama.ts";
import { chatOf } from "./openai_chat.ts";
import { responsesOf } from "./openai_responses.ts";

const DIALECTS: readonly ((event: Json) => Dialect | null)[] = [
  responsesOf,
  chatOf,
  anthropicOf,
  geminiOf,
  ollamaOf,
];

/** The dialect of an event, or of a whole answer; null when it tells nothing. */
export function dialectOf(event: Json): Dialect | null {
  for (const of of DIALECTS) {
    const dialect = of(event);
    if (dialect !== null) return dialect;
  }
  return null;
}
