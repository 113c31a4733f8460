/**
 * `saveStream`: a copy of a body, in a file or wherever a `WritableStream` leads.
 * @module
 */

import { messageOf } from "../errors.ts";
import { nameOf } from "./bytes.ts";
import { ignore } from "./iterators.ts";
import { observe } from "./observe.ts";
import { Stage } from "./stage.ts";
import { writeAll } from "./store.ts";

/**
 * Writes a copy of the body to a file (made new, or overwritten), or to a stream. A slow disk slows the body;
 * one that fails is warned of, and the body goes on without it, its file removed. The copy of a body that was
 * cut is aborted and not closed: a stream is told by its `abort`, a file keeps what came.
 *
 * @example
 * ```ts
 * import { saveStream } from "weir";
 *
 * const path = await Deno.makeTempFile();
 * await new Response(new Response("hello").body!.pipeThrough(saveStream(path))).text();
 * if (await Deno.readTextFile(path) !== "hello") throw new Error("It is not saved.");
 * await Deno.remove(path);
 * ```
 *
 * @throws {TypeError} when it is given neither a path nor a stream, or a stream that is in use.
 */
export function saveStream(
  to: string | URL | WritableStream<Uint8Array>,
): TransformStream<Uint8Array, Uint8Array> {
  if (to instanceof WritableStream) {
    if (to.locked) {
      throw new TypeError("saveStream was given a stream that is in use; make a new one per body.");
    }
  } else if (typeof to !== "string" && !(to instanceof URL)) {
    throw new TypeError(`saveStream takes a path or a WritableStream, not ${nameOf(to)}.`);
  }
  return new Stage((source, onFault, warn) => {
    const copy = new Copy(to, warn);
    return observe({
      piece: (bytes) => copy.write(bytes),
      end: (error) => error === null ? copy.close() : copy.abort(error),
    }).through(source, onFault, warn);
    // A file is written while the piece is on its way already.
  }, { isLate: true });
}

/** Where a copy goes. */
interface Sink {
  /** Resolves when the bytes are written, and their buffer may be used again. */
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(reason: unknown): Promise<void>;
}

/** The copy on its way. Nothing here rejects. */
class Copy {
  readonly #to: string | URL | WritableStream<Uint8Array>;
  readonly #warn: (text: string) => void;
  #sink: Sink | null = null;
  #hasFailed = false;

  constructor(to: string | URL | WritableStream<Uint8Array>, warn: (text: string) => void) {
    this.#to = to;
    this.#warn = warn;
    if (to instanceof WritableStream) this.#sink = streamSink(to);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#hasFailed ? undefined : this.#do((sink) => sink.write(bytes));
  }

  close(): Promise<void> | undefined {
    return this.#hasFailed ? undefined : this.#do((sink) => sink.close());
  }

  abort(reason: unknown): Promise<void> | undefined {
    return this.#hasFailed ? undefined : this.#sink?.abort(reason).catch(ignore);
  }

  async #do(work: (sink: Sink) => Promise<void>): Promise<void> {
    try {
      this.#sink ??= await fileSink(this.#to as string | URL);
      await work(this.#sink);
    } catch (thrown) {
      this.#hasFailed = true;
      const where = this.#to instanceof WritableStream ? "its stream" : String(this.#to);
      this.#warn(`A body is not saved to ${where} any further: ${messageOf(thrown)}`);
      await this.#sink?.abort(thrown).catch(ignore);
      if (this.#sink !== null && !(this.#to instanceof WritableStream)) await removeFile(this.#to);
    }
  }
}

function streamSink(stream: WritableStream<Uint8Array>): Sink {
  const writer = stream.getWriter();
  // What fails is told by the call that it fails.
  writer.closed.catch(ignore);
  return {
    write: (bytes) => writer.write(bytes.slice()),
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason),
  };
}

/**
 * Half a copy on a full disk is of no use to anybody. What is no file, as a pipe or `/dev/full`, is not the
 * stage's to remove.
 */
async function removeFile(path: string | URL): Promise<void> {
  try {
    if ((await Deno.lstat(path)).isFile) await Deno.remove(path);
  } catch {
    // It stays.
  }
}

/** Not `FsFile.writable`, which gathers what is written until it is closed. */
async function fileSink(path: string | URL): Promise<Sink> {
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  const close = () => Promise.resolve(file.close());
  return { write: (bytes) => writeAll(file, bytes), close, abort: close };
}
