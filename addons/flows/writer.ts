/**
 * A file that flows are appended to, one after the other and never in part.
 *
 * What is in memory is written at once, in one piece; a flow with a long body is copied from its temporary file meanwhile others
 * wait their turn. After a write that failed the file ends with the last whole flow.
 * @module
 */
import { dirname } from "node:path";
import { type EncodedFlow, scanFlowFile } from "weir";
import { writeToStdout } from "./stdout.ts";

/** Where whole flows go. */
export interface FlowSink {
  /** All of these bytes, or an error; only where it does not depend on who reads. */
  writeSync?(bytes: Uint8Array): void;
  write(bytes: Uint8Array): Promise<void>;
  /** What was written before stays, what has come since goes. */
  rollBack(): void;
  /** What was written stays. */
  commit(): void;
  close(): void;
}

/** A file on disk. */
export class FileSink implements FlowSink {
  readonly #file: Deno.FsFile;
  /** Where the last whole flow ends. */
  #end: number;
  #at: number;

  private constructor(file: Deno.FsFile, end: number) {
    this.#file = file;
    this.#end = this.#at = end;
  }

  /** Opens a file: new, or (`append`) behind the last whole flow that is in it. Directories are made. */
  static async open(path: string, append: boolean): Promise<FileSink> {
    await Deno.mkdir(dirname(path), { recursive: true });
    const file = await Deno.open(path, { read: true, write: true, create: true });
    try {
      const end = append ? await wholeEnd(file) : 0;
      await file.truncate(end);
      await file.seek(end, Deno.SeekMode.Start);
      return new FileSink(file, end);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  writeSync(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#count(this.#file.writeSync(bytes.subarray(at)));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += this.#count(await this.#file.write(bytes.subarray(at)));
  }

  commit(): void {
    this.#end = this.#at;
  }

  rollBack(): void {
    this.#file.truncateSync(this.#end);
    this.#at = this.#file.seekSync(this.#end, Deno.SeekMode.Start);
  }

  close(): void {
    this.#file.close();
  }

  #count(written: number): number {
    this.#at += written;
    return written;
  }
}

async function wholeEnd(file: Deno.FsFile): Promise<number> {
  const { size } = await file.stat();
  const whole = await scanFlowFile({
    size,
    async read(offset, count) {
      await file.seek(offset, Deno.SeekMode.Start);
      const bytes = new Uint8Array(Math.min(count, size - offset));
      let filled = 0;
      for (let read = -1; read !== 0 && filled < bytes.length; filled += read) {
        read = await file.read(bytes.subarray(filled)) ?? 0;
      }
      return bytes.subarray(0, filled);
    },
  });
  return whole.end;
}

/** Standard output. */
export class StdoutSink implements FlowSink {
  readonly #hurry: AbortSignal;

  constructor(hurry: AbortSignal) {
    this.#hurry = hurry;
  }

  write(bytes: Uint8Array): Promise<void> {
    return writeToStdout(bytes, this.#hurry);
  }

  commit(): void {}
  rollBack(): void {}
  close(): void {}
}

/** Bytes of flows that may wait while a long one is copied; beyond that, flows' ends wait, too. */
const MAX_WAITING = 64 * 1024 * 1024;

/** What a {@linkcode FlowWriter} tells. */
export interface WriterEvents {
  /** The sink failed: told once, and nothing is written any more. */
  onFailure(error: unknown): void;
  /** A long flow could not be read, and is left out. */
  onLost(error: unknown): void;
}

/** Appends flows to a sink. */
export class FlowWriter {
  readonly #sink: FlowSink;
  readonly #events: WriterEvents;
  readonly #buffer = new Uint8Array(64 * 1024);
  #hasFailed = false;
  /** The copying that goes on, and what waits for it. */
  #copying: Promise<void> | null = null;
  #waiting: { readonly flow: EncodedFlow; readonly hold: Disposable }[] = [];
  #waitingBytes = 0;

  constructor(sink: FlowSink, events: WriterEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  /** Takes a flow. A promise says that so much waits already that others should wait as well. */
  add(flow: EncodedFlow): Promise<void> | undefined {
    if (this.#hasFailed) return undefined;
    const { writeSync } = this.#sink;
    if (this.#copying === null && !flow.isLong && writeSync !== undefined) {
      this.#writeAtOnce(flow);
      return undefined;
    }
    this.#waiting.push({ flow, hold: flow.hold() });
    if (!flow.isLong) this.#waitingBytes += flow.size;
    this.#copying ??= this.#copyAll();
    return this.#waitingBytes > MAX_WAITING ? this.#copying : undefined;
  }

  /** Resolves when all that was taken is written. */
  async close(): Promise<void> {
    await this.#copying;
    this.#sink.close();
  }

  #writeAtOnce(flow: EncodedFlow): void {
    try {
      this.#sink.writeSync!(this.#inMemory(flow));
      this.#sink.commit();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** One buffer serves all but the large ones. */
  #inMemory(flow: EncodedFlow): Uint8Array {
    if (flow.size > this.#buffer.length) return flow.bytes();
    flow.copyInto(this.#buffer, 0);
    return this.#buffer.subarray(0, flow.size);
  }

  async #copyAll(): Promise<void> {
    for (let next; (next = this.#waiting.shift()) !== undefined && !this.#hasFailed;) {
      using _hold = next.hold;
      const { flow } = next;
      if (!flow.isLong) this.#waitingBytes -= flow.size;
      if (flow.isLong || this.#sink.writeSync === undefined) await this.#copy(flow);
      else this.#writeAtOnce(flow);
    }
    this.#copying = null;
  }

  async #copy(flow: EncodedFlow): Promise<void> {
    const chunks = flow.chunks();
    for (;;) {
      let step;
      try {
        step = await chunks.next();
      } catch (error) {
        this.#sink.rollBack();
        return this.#events.onLost(error);
      }
      if (step.done) return this.#sink.commit();
      try {
        await this.#sink.write(step.value);
      } catch (error) {
        await chunks.return();
        return this.#fail(error);
      }
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    for (const { hold } of this.#waiting.splice(0)) hold[Symbol.dispose]();
    this.#waitingBytes = 0;
    try {
      this.#sink.rollBack();
    } catch {
      // Then what is there of the flow stays; readers stop in front of it.
    }
    this.#events.onFailure(error);
  }
}
