/**
 * Values back to placeholders, in everything that goes to the program: heads, trailers, bodies, messages, texts.
 * @module
 */
import {
  decoded,
  type FoundSecret,
  redactBytes,
  redactor,
  redactStream,
  type Stage,
  stagesOf,
  type StreamHook,
} from "../../streams/mod.ts";
import { modelStream } from "../../streams/units/mod.ts";
import { Headers } from "../../http/mod.ts";
import type { Counts } from "./counts.ts";
import type { Secret } from "./secret.ts";

/** Bytes that an event of a model may have. */
const MODEL_HOLD = 16 * 1024 * 1024;
/** Media types whose texts come piece by piece. */
const IN_PIECES = /^text\/event-stream\b|ndjson|jsonl|json-lines/i;
const JSON_TYPE = /[/+]json\b/i;

/** Takes the values of secrets out of what comes back. */
export class Scrubber {
  readonly #secrets: readonly Secret[];
  readonly #values: readonly string[];

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets;
    this.#values = secrets.map((secret) => secret.reveal());
  }

  /** There is nothing to look for. */
  get isIdle(): boolean {
    return this.#secrets.length === 0;
  }

  /** Text without values, the same when it has none. One character for each byte, as fields have them. */
  line(text: string, counts: Counts | null = null): string {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const clean = this.bytes(bytes, counts);
    return clean === bytes ? text : Array.from(clean, (byte) => String.fromCharCode(byte)).join("");
  }

  /** Bytes without values, the same ones when they have none. */
  bytes(bytes: Uint8Array, counts: Counts | null = null): Uint8Array {
    let isChanged = false;
    const clean = redactBytes(bytes, this.#values, (found) => {
      isChanged = true;
      return this.#by(found, counts);
    });
    return isChanged ? clean : bytes;
  }

  /** Name, value, name, value, … without values; the same list when it has none. */
  fields(raw: string[], counts: Counts): string[] {
    // One search for all of them: a value has no line break.
    let all = "";
    for (let i = 1; i < raw.length; i += 2) all += `${raw[i]}\n`;
    if (this.line(all) === all) return raw;
    return raw.map((text, i) => i % 2 === 0 ? text : this.line(text, counts));
  }

  /**
   * The stages of a response's body. `isModelJson`: it is the answer of a model in pieces, though its media type is JSON.
   */
  body(headers: Headers, counts: Counts, isModelJson = false): readonly Stage[] {
    const hooks: StreamHook[] = [];
    const type = headers.get("content-type") ?? "";
    if (IN_PIECES.test(type) || isModelJson && JSON_TYPE.test(type)) {
      hooks.push(modelStream({ headers }, () => this.stage(counts), { hold: MODEL_HOLD }));
    }
    hooks.push(this.stage(counts));
    try {
      return stagesOf(decoded({ headers }, ...hooks));
    } catch {
      // A coding that weir does not know is looked at as it is.
      return [this.stage(counts)];
    }
  }

  /** A stage for one body without a coding. */
  stage(counts: Counts): Stage {
    return redactStream(this.#values, (found) => this.#by(found, counts)) as Stage;
  }

  /** The same for one message. */
  editor(counts: Counts): { push(piece: Uint8Array): Uint8Array; end(): Uint8Array } {
    return redactor(this.#values, (found) => this.#by(found, counts));
  }

  #by({ index, write }: FoundSecret, counts: Counts | null): Uint8Array {
    counts?.add(this.#secrets[index].name);
    return write(this.#secrets[index].placeholder);
  }
}
