/**
 * Ollama's `/api/chat` and `/api/generate`: objects with `done`, one per line, or a single one.
 * @module
 */
import {
  ALL,
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
import type { Path } from "./splice.ts";

/** The dialect, when it is this one. */
export function ollamaOf(event: Json): Dialect | null {
  const isSaid = objectOf(event.message) !== null || typeof event.response === "string";
  return typeof event.done === "boolean" && isSaid ? new OllamaDialect() : null;
}

class OllamaDialect implements Dialect {
  /** How many calls were made. */
  #calls = 0;

  read(event: Json): Reading {
    const slots: Slot[] = [];
    const message = objectOf(event.message);
    if (message === null) {
      // Of `/api/generate`, the event itself is the message.
      slots.push(...texts(event, event, [], { response: "text", thinking: "reasoning" }, (inner) => ({
        response: "",
        ...inner,
      })));
    } else {
      const kinds = { content: "text", thinking: "reasoning" } as const;
      const around = (inner: Json) => ({ message: { ...pick(message, "role"), content: "", ...inner } });
      slots.push(...texts(event, message, ["message"], kinds, around));
      listOf(message.tool_calls).forEach((call, at) => {
        const it = objectOf(objectOf(call)?.function);
        if (it !== null) {
          slots.push(this.#call(it, objectOf(call)!, ["message", "tool_calls", at, "function"]));
        }
      });
    }
    return { slots, ends: event.done === true ? ALL : [] };
  }

  #call(it: Json, call: Json, path: Path): Slot {
    const number = this.#calls++;
    const name = stringOf(it.name), id = stringOf(call.id);
    const channel: ModelChannel = {
      kind: "tool",
      index: numberOf(it.index, number),
      ...name === undefined ? {} : { name },
      ...id === undefined ? {} : { id },
    };
    return {
      key: `call/${number}`,
      channel,
      kind: "values",
      texts: stringsIn(it.arguments, [...path, "arguments"]),
    };
  }
}

function* texts(
  event: Json,
  message: Json,
  path: Path,
  kinds: Record<string, ModelChannel["kind"]>,
  around: (message: Json) => Json,
): Generator<Slot, void> {
  for (const [name, kind] of Object.entries(kinds)) {
    const text = message[name];
    if (typeof text !== "string") continue;
    yield {
      key: name,
      channel: { kind, index: 0 },
      kind: "delta",
      texts: [{ path: [...path, name], text }],
      insert: (text) => ({
        ...pick(event, "model", "remote_model", "remote_host", "created_at"),
        ...around({ [name]: text }),
        done: false,
      }),
      mutes: Array.isArray(event.logprobs) ? [{ path: ["logprobs"], json: "[]" }] : [],
    };
  }
}
