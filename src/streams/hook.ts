/**
 * `message.stream`: what addons may set it to, and the body that comes out of it.
 *
 * Whatever is given becomes one more body in the chain. Nothing that a hook returns can break the framing:
 * empty output is nothing, other values fail the body, and the length is known only at the end.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import type { BytesLike } from "./bytes.ts";
import { nameOf } from "./bytes.ts";
import { perChunk } from "./chunk_hook.ts";
import { generated } from "./generator_hook.ts";
import type { Chunk } from "./split.ts";
import { Stage } from "./stage.ts";
import { foreign, type StreamPair } from "./stream_hook.ts";

/** What a per-chunk hook gives for one chunk: bytes, nothing, or several pieces. */
export type ChunkOutput =
  | BytesLike
  | null
  | undefined
  | void
  | Iterable<BytesLike | null>
  | AsyncIterable<BytesLike | null>;

/** Called for each chunk, and once more with an empty chunk at the end. */
export type ChunkHook = (chunk: Chunk) => ChunkOutput | PromiseLike<ChunkOutput>;

/** `async function*`: gets all chunks, yields what is sent. */
export type GeneratorHook = (chunks: AsyncIterable<Chunk>) => AsyncGenerator<BytesLike, void, unknown>;

/**
 * Either of them, as one signature: from a union of two the compiler would infer no parameter type for a
 * function that an addon writes in place. An async generator function gets the iterable of all chunks, any
 * other function one chunk at a time.
 */
export type HookFunction = (
  chunks: AsyncIterable<Chunk> & Chunk,
) => ChunkOutput | PromiseLike<ChunkOutput>;

/** One way to change a body. */
export type StreamHook = HookFunction | StreamPair;

/**
 * A stream behind another one in an array: it gets what that one gives, which may be no bytes
 * (TextDecoderStream).
 */
export interface StagePair {
  /** What it gives. */
  readonly readable: ReadableStream<unknown>;
  /** What it gets. */
  readonly writable: WritableStream<never>;
}

/** The values of `message.stream`: buffer, pass on, or pass through one or more hooks in order. */
export type StreamValue = boolean | StreamHook | readonly (StreamHook | StagePair)[];

/**
 * Refuses what cannot be a value of `message.stream`, when it is assigned.
 *
 * @throws {TypeError} that says what was given and, where there is one, what to write instead.
 */
export function checkStreamValue(value: unknown): asserts value is StreamValue {
  if (typeof value === "boolean") return;
  if (Array.isArray(value)) {
    value.forEach((hook, index) => checkHook(hook, ` at index ${index} of the array`));
  } else checkHook(value, "");
}

function checkHook(hook: unknown, where: string): void {
  if (typeof hook === "function") {
    const kind = tagOf(hook);
    if (kind === "GeneratorFunction") {
      throw new TypeError(
        `message.stream was given a sync generator function${where}; write \`async function*\` instead.`,
      );
    }
    if (isClass(hook)) {
      throw new TypeError(
        `message.stream was given the class ${hook.name}${where}; write \`new ${hook.name}(…)\` instead.`,
      );
    }
    return;
  }
  if (!isPair(hook)) {
    throw new TypeError(
      `message.stream was given ${
        Array.isArray(hook) ? "an array" : nameOf(hook)
      }${where}; it takes true, false, a function, ` +
        "an async generator function, a TransformStream (or { readable, writable }), or an array of those.",
    );
  }
  if (hook instanceof Stage ? hook.locked : hook.readable.locked || hook.writable.locked) {
    throw new TypeError(
      `message.stream was given a stream${where} that is in use; make a new one per message.`,
    );
  }
}

/** "AsyncGeneratorFunction" for those, also when bound or from another realm; "" for plain functions. */
function tagOf(value: object): unknown {
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] ?? "";
}

function isClass(value: CallableFunction): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function isPair(value: unknown): value is StreamPair {
  return value instanceof Stage || typeof value === "object" && value !== null &&
      "readable" in value && value.readable instanceof ReadableStream &&
      "writable" in value && value.writable instanceof WritableStream;
}

/** The stages that `value` stands for, in order; none for a boolean. */
export function stagesOf(value: StreamValue): Stage[] {
  if (typeof value === "boolean") return [];
  const hooks = Array.isArray(value) ? value : [value];
  return joined(hooks).map(stageOf);
}

/**
 * Neighbouring streams of others become one pair, so that they hand each other their own values (text,
 * objects).
 */
function joined(hooks: readonly StreamHook[]): StreamHook[] {
  const all: StreamHook[] = [];
  for (const hook of hooks) {
    const last = all.at(-1);
    if (isForeign(last) && isForeign(hook) && !last.readable.locked && !hook.writable.locked) {
      all[all.length - 1] = { writable: last.writable, readable: last.readable.pipeThrough(hook) };
    } else all.push(hook);
  }
  return all;
}

function isForeign(hook: StreamHook | undefined): hook is StreamPair {
  return typeof hook === "object" && !(hook instanceof Stage);
}

function stageOf(hook: StreamHook): Stage {
  if (hook instanceof Stage) return hook;
  if (typeof hook !== "function") return foreign(hook);
  return tagOf(hook) === "AsyncGeneratorFunction"
    ? generated(hook as GeneratorHook)
    : perChunk(hook as ChunkHook);
}

/** `body` behind all of these, one after the other. A stage that is in use elsewhere by now fails it. */
export function piped(
  body: Body,
  stages: readonly Stage[],
  onFault: (error: WeirError) => void = () => {},
  warn?: (text: string) => void,
): Body {
  return stages.reduce((source, stage) => {
    try {
      return stage.through(source, onFault, warn);
    } catch (thrown) {
      return perChunk(() => Promise.reject(thrown)).through(source, onFault);
    }
  }, body);
}
