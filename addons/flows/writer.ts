/**
 * A file that flows are appended to, one after the other and never in part.
 *
 * What is in memory is written in one piece with all that ends in the same moment: flows that one wake-up of
 * the event loop brings to their end, a microtask later. A flow with a long body is copied from its temporary
 * file meanwhile others wait their turn. After a write that failed the file ends with the last whole flow.
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

/** Room for the flows that end in one moment; more are written in several pieces. */
const BATCH_BYTES = 256 * 1024;
/** Bytes of flows that may wait while a long one is copied; beyond that, flows' ends wait, too. */
const MAX_WAITING = 64 * 1024 * 1024;

/** What a {@linkcode FlowWriter} tells. */
export interface WriterEvents {
  /** The sink failed, so many flows are lost by that: told once, and nothing is written any more. */
  onFailure(error: unknown, lost: number): void;
  /** A long flow could not be read, and is left out. */
  onLost(error: unknown): void;
}

/** Appends flows to a sink. */
export class FlowWriter {
  readonly #sink: FlowSink;
  readonly #events: WriterEvents;
  /** Flows that have ended in this moment, and where each of them ends. */
  readonly #batch = new Uint8Array(BATCH_BYTES);
  #ends: number[] = [];
  readonly #flushBatch = () => this.flush();
  #hasFailed = false;
  /** The copying that goes on, and what waits for it. */
  #copying: Promise<void> | null = null;
  #waiting: { readonly flow: EncodedFlow; readonly hold: Disposable }[] = [];
  #waitingBytes = 0;

  constructor(sink: FlowSink, events: WriterEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  /**
   * Takes a flow, which is written a microtask later where no long one is being copied. A promise says that
   * so much waits already that others should wait as well.
   */
  add(flow: EncodedFlow): Promise<void> | undefined {
    if (this.#hasFailed) return undefined;
    const isNow = !flow.isLong && this.#sink.writeSync !== undefined;
    if (this.#copying === null && isNow) {
      this.#writeSoon(flow);
      return undefined;
    }
    this.flush();
    if (this.#hasFailed) return undefined;
    this.#waiting.push({ flow, hold: flow.hold() });
    if (!flow.isLong) this.#waitingBytes += flow.size;
    this.#copying ??= this.#copyAll();
    return this.#waitingBytes > MAX_WAITING ? this.#copying : undefined;
  }

  /** Writes what was taken in this moment; of that what has room, where not all has. */
  flush(): void {
    const ends = this.#ends;
    if (ends.length === 0) return;
    this.#ends = [];
    const batch = this.#batch.subarray(0, ends.at(-1));
    try {
      this.#sink.writeSync!(batch);
      return this.#sink.commit();
    } catch (error) {
      if (ends.length === 1) return this.#fail(error, 1);
    }
    let start = 0;
    try {
      this.#sink.rollBack();
    } catch (error) {
      return this.#fail(error, ends.length);
    }
    for (let i = 0; i < ends.length && !this.#hasFailed; start = ends[i++]) {
      this.#writeAtOnce(batch.subarray(start, ends[i]), ends.length - i);
    }
  }

  /** Resolves when all that was taken is written. */
  async close(): Promise<void> {
    this.flush();
    await this.#copying;
    this.#sink.close();
  }

  #writeSoon(flow: EncodedFlow): void {
    const start = this.#ends.at(-1) ?? 0;
    if (start + flow.size > BATCH_BYTES && start > 0) {
      this.flush();
      return this.#hasFailed ? undefined : this.#writeSoon(flow);
    }
    if (flow.size > BATCH_BYTES) return this.#writeAtOnce(flow.bytes());
    flow.copyInto(this.#batch, start);
    if (this.#ends.push(start + flow.size) === 1) queueMicrotask(this.#flushBatch);
  }

  #writeAtOnce(record: Uint8Array, lost = 1): void {
    try {
      this.#sink.writeSync!(record);
      this.#sink.commit();
    } catch (error) {
      this.#fail(error, lost);
    }
  }

  async #copyAll(): Promise<void> {
    for (let next; (next = this.#waiting.shift()) !== undefined && !this.#hasFailed;) {
      using _hold = next.hold;
      const { flow } = next;
      if (!flow.isLong) this.#waitingBytes -= flow.size;
      if (flow.isLong || this.#sink.writeSync === undefined) await this.#copy(flow);
      else this.#writeAtOnce(flow.bytes());
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
        return this.#fail(error, 1);
      }
    }
  }

  #fail(error: unknown, lost: number): void {
    this.#hasFailed = true;
    const waiting = this.#waiting.splice(0);
    for (const { hold } of waiting) hold[Symbol.dispose]();
    this.#waitingBytes = 0;
    try {
      this.#sink.rollBack();
    } catch {
      // Then what is there of the flow stays; readers stop in front of it.
    }
    this.#events.onFailure(error, lost + waiting.length);
  }
}
