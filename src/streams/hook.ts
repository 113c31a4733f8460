/**
 * `message.stream`: what addons may set it to, and the body that comes out of it.
 *
 * Whatever is given becomes one more body in the chain. Nothing that a hook returns can break the framing: empty output is
 * nothing, other values fail the body, and the length is known only at the end.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import type { BytesLike } from "./bytes.ts";
import { nameOf } from "./bytes.ts";
import { ChunkHookBody } from "./chunk_hook.ts";
import { GeneratorHookBody } from "./generator_hook.ts";
import { LocalTransformStream } from "./local_transform.ts";
import type { Chunk } from "./split.ts";
import { StreamHookBody, type StreamPair } from "./stream_hook.ts";

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
 * Either of them, as one signature: from a union of two the compiler would infer no parameter type for a function that an addon
 * writes in place. An async generator function gets the iterable of all chunks, any other function one chunk at a time.
 */
export type HookFunction = (
  chunks: AsyncIterable<Chunk> & Chunk,
) => ChunkOutput | PromiseLike<ChunkOutput>;

/** One way to change a body. */
export type StreamHook = HookFunction | StreamPair;

/** A stream behind another one in an array: it gets what that one gives, which may be no bytes (TextDecoderStream). */
export interface StagePair {
  /** What it gives. */
  readonly readable: ReadableStream<unknown>;
  /** What it gets. */
  readonly writable: WritableStream<never>;
}

/** The values of `message.stream`: buffer, pass on, or pass through one or more hooks in order. */
export type StreamValue = boolean | StreamHook | readonly (StreamHook | StagePair)[];

/** Options for {@linkcode throughHook}. */
export interface HookOptions {
  /** Told once per failing hook, before the body fails with the same error. */
  onAddonError?: (error: WeirError) => void;
}

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
  if (hook.readable.locked || hook.writable.locked) {
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
  return typeof value === "object" && value !== null &&
    "readable" in value && value.readable instanceof ReadableStream &&
    "writable" in value && value.writable instanceof WritableStream;
}

/**
 * The body that comes out of `value` when `body` goes in; `body` itself for a boolean. Its size is not known before its end,
 * each piece that a hook gives is a chunk, and the source's trailers follow.
 */
export function throughHook(body: Body, value: StreamValue, options: HookOptions = {}): Body {
  if (typeof value === "boolean") return body;
  const onAddonError = options.onAddonError ?? (() => {});
  const hooks = Array.isArray(value) ? value : [value];
  return joined(hooks).reduce<Body>((source, hook) => throughOne(source, hook, onAddonError), body);
}

/** Neighbouring streams become one pair, so that they hand each other their own values (text, objects). */
function joined(hooks: readonly StreamHook[]): StreamHook[] {
  const all: StreamHook[] = [];
  for (const hook of hooks) {
    const last = all.at(-1);
    if (isOwnPair(last) && isOwnPair(hook) && !last.readable.locked && !hook.writable.locked) {
      all[all.length - 1] = { writable: last.writable, readable: last.readable.pipeThrough(hook) };
    } else all.push(hook);
  }
  return all;
}

/** A pair whose streams are really used; a LocalTransformStream's are not. */
function isOwnPair(hook: StreamHook | undefined): hook is StreamPair {
  return typeof hook === "object" && !(hook instanceof LocalTransformStream);
}

function throughOne(source: Body, hook: StreamHook, onAddonError: (error: WeirError) => void): Body {
  if (typeof hook === "function") {
    return tagOf(hook) === "AsyncGeneratorFunction"
      ? new GeneratorHookBody(source, hook as GeneratorHook, onAddonError)
      : new ChunkHookBody(source, hook as ChunkHook, onAddonError);
  }
  try {
    if (hook instanceof LocalTransformStream) {
      return new ChunkHookBody(source, hook.takeTransform(), onAddonError);
    }
    return new StreamHookBody(source, hook, onAddonError);
  } catch (thrown) {
    // The stream was free when it was assigned, and went to another message since.
    return new ChunkHookBody(source, () => Promise.reject(thrown), onAddonError);
  }
}
