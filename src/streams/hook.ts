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
import { bodyOf, readableOf } from "./convert.ts";
import { GeneratorHookBody } from "./generator_hook.ts";
import { LocalTransformStream } from "./local_transform.ts";
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
export type ChunkHook = (chunk: Uint8Array) => ChunkOutput | PromiseLike<ChunkOutput>;

/** `async function*`: gets all chunks, yields what is sent. */
export type GeneratorHook = (chunks: AsyncIterable<Uint8Array>) => AsyncGenerator<BytesLike, void, unknown>;

/**
 * Either of them, as one signature: from a union of two the compiler would infer no parameter type for a function that an addon
 * writes in place. An async generator function gets the iterable of all chunks, any other function one chunk at a time.
 */
export type HookFunction = (
  chunks: AsyncIterable<Uint8Array> & Uint8Array,
) => ChunkOutput | PromiseLike<ChunkOutput>;

/** One way to change a body. */
export type StreamHook = HookFunction | StreamPair;

/** The values of `message.stream`: buffer, pass on, or pass through one or more hooks in order. */
export type StreamValue = boolean | StreamHook | readonly StreamHook[];

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
  const hooks: readonly StreamHook[] = Array.isArray(value) ? value : [value];
  return hooks.reduce<Body>((source, hook) => throughOne(source, hook, onAddonError), body);
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

/** Any hook as a pair of streams, for whoever pipes web streams rather than bodies. */
export function hookStream(
  value: StreamValue,
  onAddonError?: (error: WeirError) => void,
): { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> } {
  checkStreamValue(value);
  const inlet = new TransformStream<Uint8Array, Uint8Array>();
  const body = throughHook(bodyOf(inlet.readable), value, { onAddonError });
  return { readable: readableOf(body, { split: false }), writable: inlet.writable };
}
