/**
 * Reads HARs, packed or not, entry by entry: files of any size.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import { FormatError } from "../error.ts";
import type { ReadOptions } from "../flow_file/mod.ts";
import { type ByteSource, Input } from "../input.ts";
import { flowOfEntry } from "./read_entry.ts";
import { splitEntries } from "./split.ts";

/**
 * The flows of a HAR. Of entries whose URLs are no HTTP (`data:`, `blob:`) `onSkipped` is told.
 * @throws {FormatError} where it is broken, after all flows before that place.
 */
export async function* readHar(
  source: ByteSource,
  options: ReadOptions = {},
): AsyncGenerator<HttpFlow, void> {
  const input = new Input(source);
  try {
    for await (const entry of splitEntries(input)) {
      const flow = flowOfEntry(entry);
      if (typeof flow === "string") options.onSkipped?.(flow);
      else yield flow;
    }
  } finally {
    await input.close();
  }
}

/**
 * The flows of a HAR that is packed: zlib as mitmproxy writes `.zhar`, or gzip.
 * @throws {FormatError} where it is broken: the place is that of the packed bytes.
 */
export async function* readPackedHar(
  source: ByteSource,
  packing: "zlib" | "gzip",
  options: ReadOptions = {},
): AsyncGenerator<HttpFlow, void> {
  const packed = new Packed(source);
  try {
    yield* readHar(packed.unpacked(packing), options);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FormatError(packed.taken, `in what is unpacked, ${cause.message}`, { cause });
  }
}

/** Packed bytes on their way to be unpacked. */
class Packed {
  /** How many were taken. */
  taken = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  /** What the source failed with, which is no matter of the packing. */
  #failure: { thrown: unknown } | null = null;

  constructor(source: ByteSource) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async *unpacked(packing: "zlib" | "gzip"): AsyncGenerator<Uint8Array, void> {
    const bytes = new ReadableStream<BufferSource>({
      pull: (controller) => this.#pull(controller),
      cancel: async () => void await this.#source.return?.(),
    }, { highWaterMark: 0 });
    try {
      yield* bytes.pipeThrough(new DecompressionStream(packing === "gzip" ? "gzip" : "deflate"));
    } catch (cause) {
      if (this.#failure !== null) throw this.#failure.thrown;
      throw new FormatError(this.taken, `the ${packing} data is broken or cut off`, { cause });
    }
  }

  async #pull(controller: ReadableStreamDefaultController<BufferSource>): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done) return controller.close();
      this.taken += value.length;
      // The source may use its pieces again, and who unpacks them may be late.
      controller.enqueue(value.slice());
    } catch (thrown) {
      this.#failure = { thrown };
      throw thrown;
    }
  }
}
