/**
 * A copy of a body that is streamed (`store_streamed_bodies`): in memory while it is small, then in a
 * temporary file.
 *
 * It can be read while the body is still on its way, and afterwards by who kept the flow. Files lie in a
 * directory that only the user can enter, and are open only while they are written or read; `dispose` removes
 * them, and so do the garbage collector, newer ones that need the place, and the end of the process.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import type { MemoryBudget } from "../memory_budget.ts";
import { TemporaryFile } from "./temporary_file.ts";

/** Bytes that are kept in memory before a file is made. */
export const MEMORY_BYTES = 1024 * 1024;
/** The first bytes in memory. */
const MIN_BYTES = 4 * 1024;
/**
 * Bytes that are gathered for one write to the file, so that a body of many small pieces does not wait for
 * the disk each time.
 */
const WRITE_BYTES = 256 * 1024;
/** Bytes per read from the file. */
const READ_BYTES = 256 * 1024;
/** The same for who reads all of it at once. */
const PIECE_BYTES = 1024 * 1024;

/** Bytes in files that are kept for flows that have ended: much for who looks back, little of a disk. */
const RETIRED_BYTES = 1024 * 1024 * 1024;

/** The files' owners whose flows have ended, oldest first; an addon may still hold those flows, or nobody. */
let retired: { readonly body: WeakRef<StoredBody>; readonly size: number }[] = [];

/** Options of a {@linkcode StoredBody}. */
export interface StoredBodyOptions {
  /** Told once when recording had to stop before the body ended (disk full). */
  onFailure?: (error: WeirError) => void;
  /** Where the temporary directory is made; the system's place by default. */
  directory?: string;
}

/** The copy. {@linkcode teed} fills it. */
export class StoredBody implements Disposable {
  readonly #options: StoredBodyOptions;
  /** The bytes that are not in the file (yet), and how many of them there are. */
  #tail = new Uint8Array(0);
  #tailLength = 0;
  #memory: MemoryBudget | null = null;
  #file: TemporaryFile | null = null;
  #writer: Deno.FsFile | null = null;
  #writing = false;
  #inFile = 0;
  #state: "recording" | "complete" | "stopped" = "recording";
  #error: WeirError | null = null;
  #disposed = false;
  /** Who needs the file for longer than the flow does. */
  #holds = 0;
  #changed: (() => void)[] = [];
  /** What `bytesSync` gave last, as long as somebody has it: hooks that ask again get the same. */
  #whole: WeakRef<Uint8Array<ArrayBuffer>> | null = null;

  /** An empty copy. */
  constructor(options: StoredBodyOptions = {}) {
    this.#options = options;
  }

  /**
   * Counts the bytes in memory from here on; without room for them they go to the file at once.
   * @ignore
   */
  bookIn(memory: MemoryBudget): void {
    this.#memory = memory;
    memory.take(this.#tail.length);
  }

  /** Bytes recorded so far. */
  get size(): number {
    return this.#inFile + this.#tailLength;
  }

  /** True when the body ended and all of it is here. */
  get complete(): boolean {
    return this.#state === "complete" && !this.#disposed;
  }

  /** Why recording ended before the body did; null when it did not. */
  get error(): WeirError | null {
    return this.#error;
  }

  /**
   * Takes the next piece. A promise must be awaited before the piece's buffer is used again. Never rejects.
   */
  append(piece: Uint8Array): Promise<void> | undefined {
    if (this.#state !== "recording") return undefined;
    if (!this.#fits(this.#tailLength + piece.length)) return this.#write(piece);
    this.#keep(piece);
    this.#wake();
  }

  /** The body ended, or was cut short by `error`. */
  end(error: WeirError | null): void {
    if (this.#state !== "recording") return;
    this.#state = error === null ? "complete" : "stopped";
    this.#error = error;
    this.#closeWriter();
    if (!this.#writing) this.#resize(this.#tailLength);
    this.#wake();
  }

  /** Makes room for so many bytes in memory; false when they must go to the file. */
  #fits(needed: number): boolean {
    const { length } = this.#tail;
    if (needed <= length) return true;
    const most = this.#file === null ? MEMORY_BYTES : WRITE_BYTES;
    if (needed > most) return false;
    const wanted = this.#file === null ? Math.max(needed, Math.min(length * 2, most), MIN_BYTES) : most;
    const room = this.#memory?.room ?? Infinity;
    if (room < needed - length) return false;
    this.#resize(room < wanted - length ? needed : wanted);
    return true;
  }

  #resize(size: number): void {
    if (size === this.#tail.length) return;
    this.#memory?.take(size - this.#tail.length);
    this.#tail = new Uint8Array(this.#tail.buffer.transfer(size));
  }

  #keep(piece: Uint8Array): void {
    this.#tail.set(piece, this.#tailLength);
    this.#tailLength += piece.length;
  }

  /** Moves what is in memory to the file, and `piece` after it when it is large. */
  async #write(piece: Uint8Array): Promise<void> {
    try {
      this.#file ??= new TemporaryFile(this.#options.directory);
      this.#writer ??= Deno.openSync(this.#file.path, { append: true });
      this.#writing = true;
      await writeAll(this.#writer, this.#tail.subarray(0, this.#tailLength));
      this.#inFile += this.#tailLength;
      this.#tailLength = 0;
      if (this.#tail.length > WRITE_BYTES) this.#resize(WRITE_BYTES);
      // Once the body was cancelled, its buffers are used for something else.
      if (this.#state === "recording" && !this.#fits(piece.length)) {
        await writeAll(this.#writer, piece);
        if (this.#state === "recording") this.#inFile += piece.length;
      } else if (this.#state === "recording") this.#keep(piece);
    } catch (thrown) {
      this.#broken(thrown);
    }
    this.#writing = false;
    if (this.#state !== "recording") {
      this.#closeWriter();
      this.#resize(this.#tailLength);
    }
    if (this.#disposed) this.#removeFile();
    this.#wake();
  }

  #broken(thrown: unknown): void {
    if (this.#state !== "recording") return;
    const message =
      `A streamed body is not recorded any further after ${this.size} bytes, and what was is thrown away: ${
        messageOf(thrown)
      }`;
    this.#state = "stopped";
    // Half a copy is of no use to anybody, and the disk may be full.
    this.#inFile = this.#tailLength = 0;
    this.#writer?.close();
    this.#writer = null;
    this.#removeFile();
    this.#error = new WeirError("weir", "internal", message, { cause: thrown });
    this.#options.onFailure?.(this.#error);
  }

  #closeWriter(): void {
    if (this.#writing) return;
    this.#writer?.close();
    this.#writer = null;
  }

  /**
   * The body from its start; at the end of what is recorded it waits for more, until the body ends. Fails
   * with `error` where recording ended before the body did.
   */
  readable(): ReadableStream<Uint8Array> {
    let at = 0;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (at === this.size && this.#state === "recording") {
          await new Promise<void>((resolve) => this.#changed.push(resolve));
        }
        if (this.#disposed) throw new WeirError("weir", "closed", "The copy of the body was thrown away.");
        if (at < this.size) {
          const piece = await this.#read(at);
          at += piece.length;
          controller.enqueue(piece);
        } else if (this.#error !== null) throw this.#error;
        else controller.close();
      },
    }, { highWaterMark: 0 });
  }

  /**
   * All that is recorded by now, in pieces that are valid until the next is asked for: for who goes through it in one go, as
   * it takes one buffer and opens the file once.
   */
  async *pieces(): AsyncGenerator<Uint8Array, void> {
    const inFile = this.#inFile, tail = this.#tail.subarray(0, this.#tailLength);
    if (this.#file !== null && inFile > 0) {
      using file = await Deno.open(this.#file.path);
      const buffer = new Uint8Array(Math.min(PIECE_BYTES, inFile));
      for (let at = 0; at < inFile;) {
        const count = await file.read(buffer.subarray(0, inFile - at));
        if (count === null) throw cutFromOutside();
        at += count;
        yield buffer.subarray(0, count);
      }
    }
    if (tail.length > 0) yield tail;
  }

  /** Some of what is recorded, from offset `at` on. */
  async #read(at: number): Promise<Uint8Array> {
    if (at >= this.#inFile || this.#file === null) {
      return this.#tail.slice(at - this.#inFile, this.#tailLength);
    }
    using file = await Deno.open(this.#file.path);
    await file.seek(at, Deno.SeekMode.Start);
    const piece = new Uint8Array(Math.min(READ_BYTES, this.#inFile - at));
    const count = await file.read(piece);
    if (count === null) throw cutFromOutside();
    return piece.subarray(0, count);
  }

  /** All that is recorded, at once; blocks while the file is read. */
  bytesSync(): Uint8Array<ArrayBuffer> {
    const known = this.#state === "recording" ? undefined : this.#whole?.deref();
    if (known !== undefined) return known;
    const bytes = this.startSync(Infinity);
    this.#whole = new WeakRef(bytes);
    return bytes;
  }

  /** The first `most` bytes, or all when there are fewer; blocks while the file is read. */
  startSync(most: number): Uint8Array<ArrayBuffer> {
    return this.#rangeSync(0, Math.min(most, this.size));
  }

  /**
   * So many bytes from offset `start` on, in `into` where that is given; blocks while the file is read.
   * @throws {WeirError} "closed" when they are not there (any more).
   */
  rangeSync(start: number, size: number, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#disposed || start + size > this.size) {
      throw new WeirError("weir", "closed", "The copy of the body was thrown away.");
    }
    return this.#rangeSync(start, size, into?.subarray(0, size));
  }

  #rangeSync(start: number, size: number, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const bytes = into ?? new Uint8Array(size);
    const inFile = Math.max(0, Math.min(this.#inFile - start, size));
    const tailAt = Math.max(0, start - this.#inFile);
    bytes.set(this.#tail.subarray(tailAt, Math.min(this.#tailLength, tailAt + size - inFile)), inFile);
    if (this.#file === null || inFile === 0) return bytes;
    using file = Deno.openSync(this.#file.path);
    if (start > 0) file.seekSync(start, Deno.SeekMode.Start);
    for (let at = 0; at < inFile;) {
      const count = file.readSync(bytes.subarray(at, inFile));
      if (count === null) {
        throw cutFromOutside();
      }
      at += count;
    }
    return bytes;
  }

  /**
   * Its flow has ended: the copy stays as long as that flow is held, unless its file must make place for
   * newer ones.
   */
  retire(limit: number = RETIRED_BYTES): void {
    this.end(new WeirError("weir", "closed", "The flow ended before the body did."));
    this.#unbook();
    if (this.#file === null) return;
    // The files of those that nobody held are gone.
    retired = retired.filter(({ body }) => body.deref() !== undefined);
    retired.push({ body: new WeakRef(this), size: this.size });
    let bytes = retired.reduce((sum, { size }) => sum + size, 0);
    for (const old of retired.slice(0, -1)) {
      if (bytes <= limit) break;
      const body = old.body.deref();
      if (body !== undefined && body.#holds > 0) continue;
      retired = retired.filter((one) => one !== old);
      bytes -= old.size;
      body?.dispose();
    }
  }

  /** Keeps the copy's file from making place for newer ones, until what is returned is disposed. */
  hold(): Disposable {
    this.#holds++;
    return { [Symbol.dispose]: () => void this.#holds-- };
  }

  /** Throws the copy away, also while it is being made. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#state === "recording") this.#state = "stopped";
    this.#closeWriter();
    if (!this.#writing) this.#removeFile();
    this.#unbook();
    this.#tail = new Uint8Array(0);
    this.#tailLength = this.#inFile = 0;
    this.#whole = null;
    this.#wake();
  }

  /** From here on the bytes in memory are of whoever keeps the copy. */
  #unbook(): void {
    this.#memory?.give(this.#tail.length);
    this.#memory = null;
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #removeFile(): void {
    this.#file?.remove();
    this.#file = null;
  }

  #wake(): void {
    if (this.#changed.length === 0) return;
    const waiting = this.#changed;
    this.#changed = [];
    for (const resolve of waiting) resolve();
  }
}

function cutFromOutside(): WeirError {
  return new WeirError("weir", "internal", "The copy of the body was cut from outside.");
}

export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
