/**
 * Putting bodies through a stage: at every kind of split, and piece by piece.
 * @module
 */
import { concat } from "@std/bytes";
import fc from "fast-check";
import type { WeirError } from "../../../src/errors.ts";
import type { Body } from "../../../src/streams/body.ts";
import { Stage } from "../../../src/streams/stage.ts";
import { bodyOfPieces, TestBody, utf8, whole } from "../support.ts";

type AnyStage = TransformStream<Uint8Array, Uint8Array>;

/** Cuts bytes at these places; places beyond the end are taken modulo. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : at[index - 1], end))
    .filter((piece) => piece.length > 0);
}

export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** Places at which a body is cut. */
export const cuts = fc.array(fc.nat(), { maxLength: 12 });

/** A body behind a stage of weir's own, as it is in the proxy. */
export function behind(stage: AnyStage, source: Body, options: {
  onFault?: (error: WeirError) => void;
  warn?: (text: string) => void;
} = {}): Body {
  if (!(stage instanceof Stage)) throw new Error("It is no stage of weir's.");
  return stage.through(source, options.onFault, options.warn);
}

/** All that comes out when these pieces go in. */
export async function through(
  stage: AnyStage,
  pieces: readonly (Uint8Array | string)[],
): Promise<Uint8Array> {
  return await whole(behind(stage, bodyOfPieces(pieces)));
}

export async function textThrough(
  stage: AnyStage,
  pieces: readonly (Uint8Array | string)[],
): Promise<string> {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await through(stage, pieces));
}

/** Enough for what is only a matter of promises; no turn of the event loop ends meanwhile. */
async function microtasks(): Promise<void> {
  for (let n = 0; n < 1000; n++) await null;
}

/** A stage that is fed by hand: `push` gives what comes out in the same turn of the event loop. */
export class Fed {
  readonly source = new TestBody();
  readonly body: Body;
  readonly faults: WeirError[] = [];
  readonly warnings: string[] = [];
  /** How the body failed. */
  error: unknown = null;
  #isFilling = false;

  constructor(stage: AnyStage) {
    this.body = behind(stage, this.source, {
      onFault: (error) => this.faults.push(error),
      warn: (text) => this.warnings.push(text),
    });
  }

  async push(piece: Uint8Array | string): Promise<string> {
    return text(await this.pushBytes(piece));
  }

  async pushBytes(piece: Uint8Array | string): Promise<Uint8Array> {
    this.source.push(typeof piece === "string" ? utf8(piece) : piece);
    return await this.#now();
  }

  async end(error?: WeirError): Promise<string> {
    this.source.end(error);
    return text(await this.#now());
  }

  async #now(): Promise<Uint8Array> {
    const out: Uint8Array[] = [];
    for (let isDone = false; !isDone;) {
      await microtasks();
      isDone = true;
      try {
        for (let piece; !this.#isFilling && (piece = this.body.take()) !== null;) {
          if (piece !== undefined) out.push(piece.slice());
          else this.#fill();
          isDone = false;
        }
      } catch (error) {
        this.error = error;
      }
    }
    return concat(out);
  }

  #fill(): void {
    this.#isFilling = true;
    const done = () => void (this.#isFilling = false);
    this.body.fill().then(done, done);
  }
}

/** Nothing that comes first is taken for a byte order mark. */
function text(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
