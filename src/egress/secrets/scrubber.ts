/**
 * Values back to placeholders, in everything that goes to the program: heads, trailers, bodies, messages, texts.
 * @module
 */
import { concat } from "@std/bytes";
import {
  decoded,
  type FoundSecret,
  Redacting,
  type Stage,
  stagesOf,
  type StreamHook,
} from "../../streams/mod.ts";
import { modelStream } from "../../streams/units/mod.ts";
import type { Headers } from "../../http/mod.ts";
import type { Counts } from "./counts.ts";
import type { Secret } from "./secret.ts";

/** Bytes that an event of a model may have. */
const MODEL_HOLD = 16 * 1024 * 1024;
/** Media types whose texts come piece by piece. */
const IN_PIECES = /^text\/event-stream\b|ndjson|jsonl|json-lines/i;
const JSON_TYPE = /[/+]json\b/i;

/** Fields that were looked at lately and had no value in them: most come again and again. */
const MAX_CLEAN = 1024;
/** Longer ones are looked at each time. */
const MAX_CLEAN_LENGTH = 256;
/** Shorter texts have no value in any form. */
const LEAST = 8;

/** Takes the values of secrets out of what comes back. */
export class Scrubber {
  readonly #secrets: readonly Secret[];
  readonly #redacting: Redacting;
  readonly #clean = new Set<string>();

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets;
    this.#redacting = new Redacting(secrets.map((secret) => secret.reveal()));
  }

  /** There is nothing to look for. */
  get isIdle(): boolean {
    return this.#secrets.length === 0;
  }

  /** Text without values, the same when it has none. One character for each byte, as fields have them. */
  line(text: string, counts: Counts | null = null): string {
    if (text.length < LEAST || this.#clean.has(text)) return text;
    const bytes = latin1Bytes(text);
    const clean = this.bytes(bytes, counts);
    if (clean !== bytes) return Array.from(clean, (byte) => String.fromCharCode(byte)).join("");
    if (text.length <= MAX_CLEAN_LENGTH) {
      if (this.#clean.size >= MAX_CLEAN) this.#clean.clear();
      this.#clean.add(text);
    }
    return text;
  }

  /** Bytes without values, the same ones when they have none. */
  bytes(bytes: Uint8Array, counts: Counts | null = null): Uint8Array {
    let isChanged = false;
    const editor = this.#redacting.editor((found) => {
      isChanged = true;
      return this.#by(found, counts);
    });
    const begin = editor.push(bytes).slice();
    const end = editor.end();
    return isChanged ? concat([begin, end]) : bytes;
  }

  /** Name, value, name, value, … without values; the same list when it has none. */
  fields(raw: string[], counts: Counts): string[] {
    let clean: string[] | null = null;
    for (let i = 1; i < raw.length; i += 2) {
      const text = this.line(raw[i], counts);
      if (text !== raw[i]) (clean ??= raw.slice())[i] = text;
    }
    return clean ?? raw;
  }

  /**
   * The stages of a response's body. `isModelJson`: it is the answer of a model in pieces, though its media type is JSON.
   */
  body(headers: Headers, counts: Counts, isModelJson = false): readonly Stage[] {
    const type = headers.get("content-type") ?? "";
    const isModel = IN_PIECES.test(type) || isModelJson && JSON_TYPE.test(type);
    if (!isModel && !headers.has("content-encoding")) return [this.stage(counts)];
    const hooks: StreamHook[] = [this.stage(counts)];
    if (isModel) hooks.unshift(modelStream({ headers }, () => this.stage(counts), { hold: MODEL_HOLD }));
    try {
      return stagesOf(decoded({ headers }, ...hooks));
    } catch {
      // A coding that weir does not know is looked at as it is.
      return [this.stage(counts)];
    }
  }

  /** A stage for one body without a coding. */
  stage(counts: Counts): Stage {
    return this.#redacting.stage((found) => this.#by(found, counts));
  }

  /** The same for one message. */
  editor(counts: Counts): { push(piece: Uint8Array): Uint8Array; end(): Uint8Array } {
    return this.#redacting.editor((found) => this.#by(found, counts));
  }

  #by({ index, write }: FoundSecret, counts: Counts | null): Uint8Array {
    counts?.add(this.#secrets[index].name);
    return write(this.#secrets[index].placeholder);
  }
}

/** A byte for each character. */
function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
