/**
 * Replacing in bodies: one rule's expression and what takes the place of its matches. Bodies are bytes, one character each, as
 * Python's `re` has them on `bytes`.
 * @module
 */
import { Buffer } from "node:buffer";
import { replaceStream } from "weir";
import { latin1 } from "./escapes.ts";
import { FileValue } from "./file_value.ts";
import type { Spec } from "./spec.ts";
import { asIs, templateOf } from "./template.ts";

/** Where somebody is told, in a clause, what is odd. */
export type Warn = (text: string) => void;

/** Bytes in, bytes out. */
export type BytesTransform = TransformStream<Uint8Array, Uint8Array>;

/** One edit. */
export class BodyEdit {
  readonly #regexp: RegExp;
  readonly #replacement: string | FileValue;
  /** Why it cannot be done while a body flows, as a clause; null where it can. */
  readonly whyWhole: string | null;

  /** Of a rule with an expression and its replacement. @throws {OptionError} on what cannot be read. */
  constructor(spec: Spec) {
    const [subject, replacement] = spec.parts;
    const { source, flags } = spec.regex(subject, { bytes: true, dotAll: true });
    const regexp = this.#regexp = new RegExp(source, `${flags}g`);
    this.#replacement = replacement.text.startsWith("@")
      ? new FileValue(spec, replacement.text.slice(1))
      : templateOf(spec, replacement, regexp, "bytes");
    this.whyWhole = whyWhole(regexp);
  }

  /** Does it to one body: as it flows, holding at most `hold` bytes back, or where that cannot be, when it is whole. */
  stream(hold: number, warn: Warn): BytesTransform {
    return this.whyWhole === null
      ? replaceStream(this.#regexp, this.#template(warn), { bytes: true, hold })
      : perBody((bytes) => bytesOf(this.apply(textOf(bytes), warn)), hold);
  }

  /** Does it to a text that is bytes, one character each. */
  apply(text: string, warn: Warn): string {
    return text.replace(this.#regexp, this.#template(warn));
  }

  #template(warn: Warn): string {
    const replacement = this.#replacement;
    return replacement instanceof FileValue ? asIs(latin1(replacement.read(warn))) : replacement;
  }
}

function whyWhole(regexp: RegExp): string | null {
  try {
    replaceStream(regexp, "", { bytes: true });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
  }
}

/** Gives a function the whole body. */
function perBody(fn: (body: Uint8Array) => Uint8Array, most: number): BytesTransform {
  const held: Uint8Array[] = [];
  let size = 0;
  return new TransformStream({
    transform(piece) {
      size += piece.length;
      if (size > most) throw new RangeError(`the body is larger than ${most} bytes`);
      held.push(piece);
    },
    flush: (controller) => controller.enqueue(fn(Buffer.concat(held))),
  });
}

/** How much goes through streams at a time. */
const PIECE = 64 * 1024;

/** What comes out of `streams`, one behind the other, for these bytes. */
export async function through(bytes: Uint8Array, streams: readonly BytesTransform[]): Promise<Uint8Array> {
  let at = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += PIECE));
    },
  }, { highWaterMark: 0 });
  return await new Response(streams.reduce((stream, each) => stream.pipeThrough(each), source)).bytes();
}

/** True for the same bytes. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Text that is bytes, one character each. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The bytes of such a text. */
export function bytesOf(text: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = Buffer.from(text, "latin1");
  return new Uint8Array(buffer, byteOffset, byteLength);
}
