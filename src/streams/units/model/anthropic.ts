/**
 * Anthropic's Messages: content blocks that start, get deltas and stop; whole, a `message` with its
 * `content`.
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
  stringsIn,
} from "./dialect.ts";
import type { Path } from "./splice.ts";

const EVENTS = /^(message_(start|delta|stop)|content_block_(start|delta|stop))$/;

interface DeltaText {
  readonly name: string;
  readonly kind: ModelChannel["kind"];
}

/** The text of a delta, by its type. */
const DELTAS = new Map<string, DeltaText>(Object.entries<DeltaText>({
  text_delta: { name: "text", kind: "text" },
  thinking_delta: { name: "thinking", kind: "reasoning" },
  input_json_delta: { name: "partial_json", kind: "tool" },
}));

/** The dialect, when it is this one. */
export function anthropicOf(event: Json): Dialect | null {
  const isWhole = event.type === "message" && Array.isArray(event.content);
  return isWhole || EVENTS.test(stringOf(event.type) ?? "") ? new AnthropicDialect() : null;
}

class AnthropicDialect implements Dialect {
  /** Calls by the index of their block. */
  readonly #calls = new Map<number, ModelChannel>();

  read(event: Json): Reading {
    const index = numberOf(event.index, 0);
    switch (event.type) {
      case "message":
        return {
          slots: listOf(event.content).flatMap((block, index) =>
            this.#block(block, index, ["content", index])
          ),
          ends: ALL,
        };
      case "message_delta":
      case "message_stop":
        return { slots: [], ends: ALL };
      case "content_block_start":
        return { slots: this.#block(event.content_block, index, ["content_block"]), ends: [] };
      case "content_block_delta":
        return { slots: this.#delta(objectOf(event.delta) ?? {}, index), ends: [] };
      case "content_block_stop":
        this.#calls.delete(index);
        return { slots: [], ends: [`${index}/`] };
      default:
        return NOTHING;
    }
  }

  #delta(delta: Json, index: number): Slot[] {
    const known = DELTAS.get(stringOf(delta.type) ?? "");
    const text = known === undefined ? null : delta[known.name];
    if (known === undefined || typeof text !== "string") return [];
    const channel = this.#calls.get(index) ?? { kind: known.kind, index };
    return [slot(index, channel, `${delta.type}`, ["delta", known.name], text)];
  }

  #block(block: unknown, index: number, path: Path): Slot[] {
    const it = objectOf(block);
    if (it === null) return [];
    const { type, text, thinking, input } = it;
    if (type === "text" && typeof text === "string") {
      return [slot(index, { kind: "text", index }, "text_delta", [...path, "text"], text)];
    }
    if (type === "thinking" && typeof thinking === "string") {
      return [slot(index, { kind: "reasoning", index }, "thinking_delta", [...path, "thinking"], thinking)];
    }
    if (!/(^|_)tool_use$/.test(stringOf(type) ?? "")) return [];
    const name = stringOf(it.name), id = stringOf(it.id);
    const channel: ModelChannel = {
      kind: "tool",
      index,
      ...name === undefined ? {} : { name },
      ...id === undefined ? {} : { id },
    };
    this.#calls.set(index, channel);
    if (objectOf(input) === null) return [];
    const texts = stringsIn(input, [...path, "input"]);
    return [{ key: `${index}/input`, channel, kind: "values", texts }];
  }
}

function slot(index: number, channel: ModelChannel, type: string, path: Path, text: string): Slot {
  const { name } = DELTAS.get(type)!;
  return {
    key: `${index}/${name}`,
    channel,
    kind: "delta",
    texts: [{ path, text }],
    insert: (text) => ({ type: "content_block_delta", index, delta: { type, [name]: text } }),
  };
}
