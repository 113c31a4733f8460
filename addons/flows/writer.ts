/**
 * A file that flows are appended to, one after the other and never in part.
 *
 * What is in memory is written in one piece with all that ends in the same moment: flows that one wake-up of
 * the event loop brings to their end, a microtask later. A flow with a long body is copied from its temporary
 * file meanwhile others wait their turn. After a write that failed the file ends with the last whole flow.
 *
 * Several isolates (option `workers`) write to one file: each locks it (flock) while it appends.
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
  /** Keeps others from writing until `free`; a promise where one of them writes just now. */
  take?(): Promise<void> | undefined;
  free?(): void;
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
  readonly take?: () => Promise<void> | undefined;
  readonly free?: () => void;

  private constructor(file: Deno.FsFile, end: number, isShared: boolean) {
    this.#file = file;
    this.#end = this.#at = end;
    if (!isShared) return;
    this.take = () => {
      if (file.tryLockSync(true)) return this.#toEnd();
      return file.lock(true).then(() => this.#toEnd());
    };
    this.free = () => file.unlockSync();
  }

  /**
   * Opens a file: new, or (`append`) behind the last whole flow that is in it. Directories are made. With `isShared` others have it
   * open as well.
   */
  static async open(path: string, append: boolean, isShared = false): Promise<FileSink> {
    await Deno.mkdir(dirname(path), { recursive: true });
    const file = await Deno.open(path, { read: true, write: true, create: true });
    try {
      if (isShared) await file.lock(true);
      const end = append ? await wholeEnd(file) : 0;
      await file.truncate(end);
      await file.seek(end, Deno.SeekMode.Start);
      if (isShared) await file.unlock();
      return new FileSink(file, end, isShared);
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

  /** Where the last of them has stopped. */
  #toEnd(): undefined {
    this.#end = this.#at = this.#file.seekSync(0, Deno.SeekMode.End);
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
    if (this.#copying === null && this.#isWrittenSoon(flow)) return undefined;
    this.flush();
    if (this.#hasFailed) return undefined;
    this.#waiting.push({ flow, hold: flow.hold() });
    if (!flow.isLong) this.#waitingBytes += flow.size;
    this.#copying ??= this.#copyAll();
    return this.#waitingBytes > MAX_WAITING ? this.#copying : undefined;
  }

  /** Writes what was taken in this moment; of that what has room, where not all has. */
  flush(): void {
    if (this.#ends.length === 0 || this.#copying !== null) return;
    let taking;
    try {
      taking = this.#sink.take?.();
    } catch (error) {
      return this.#failBatch(error);
    }
    if (taking === undefined) return this.#writeBatch();
    this.#copying = taking.then(() => this.#writeBatch(), (error) => this.#failBatch(error))
      .then(() => this.#copyAll());
  }

  /** Resolves when all that was taken is written. */
  async close(): Promise<void> {
    this.flush();
    await this.#copying;
    this.#sink.close();
  }

  /** True for a flow that has gone into the batch. */
  #isWrittenSoon(flow: EncodedFlow): boolean {
    if (flow.isLong || flow.size > BATCH_BYTES || this.#sink.writeSync === undefined) return false;
    if ((this.#ends.at(-1) ?? 0) + flow.size > BATCH_BYTES) {
      this.flush();
      if (this.#copying !== null || this.#hasFailed) return false;
    }
    const start = this.#ends.at(-1) ?? 0;
    flow.copyInto(this.#batch, start);
    if (this.#ends.push(start + flow.size) === 1) queueMicrotask(this.#flushBatch);
    return true;
  }

  #writeBatch(): void {
    const ends = this.#ends.splice(0);
    const batch = this.#batch.subarray(0, ends.at(-1));
    let start = 0, failure: unknown = null;
    try {
      if (this.#isWritten(batch)) return;
      for (const end of ends) {
        this.#sink.writeSync!(batch.subarray(start, end));
        this.#sink.commit();
        start = end;
      }
    } catch (error) {
      failure = error;
      this.#rollBack();
    } finally {
      this.#sink.free?.();
    }
    if (failure !== null) this.#fail(failure, ends.length - ends.indexOf(start) - 1);
  }

  /** False where not all of it has room; then nothing is written. */
  #isWritten(bytes: Uint8Array): boolean {
    try {
      this.#sink.writeSync!(bytes);
    } catch {
      this.#sink.rollBack();
      return false;
    }
    this.#sink.commit();
    return true;
  }

  #failBatch(error: unknown): void {
    this.#fail(error, this.#ends.splice(0).length);
  }

  async #copyAll(): Promise<void> {
    for (let next; (next = this.#waiting.shift()) !== undefined && !this.#hasFailed;) {
      using _hold = next.hold;
      const { flow } = next;
      if (!flow.isLong) this.#waitingBytes -= flow.size;
      try {
        const taking = this.#sink.take?.();
        if (taking !== undefined) await taking;
      } catch (error) {
        this.#fail(error, 1);
        break;
      }
      const failure = await this.#copy(flow);
      this.#sink.free?.();
      if (failure !== null) this.#fail(failure.error, 1);
    }
    this.#copying = null;
  }

  /** What kept it from being written; a flow that cannot be read is left out. */
  async #copy(flow: EncodedFlow): Promise<{ readonly error: unknown } | null> {
    const chunks = flow.isLong ? flow.chunks() : inOnePiece(flow);
    for (;;) {
      let step;
      try {
        step = await chunks.next();
      } catch (error) {
        this.#rollBack();
        this.#events.onLost(error);
        return null;
      }
      if (step.done) {
        this.#sink.commit();
        return null;
      }
      try {
        if (flow.isLong || this.#sink.writeSync === undefined) await this.#sink.write(step.value);
        else this.#sink.writeSync(step.value);
      } catch (error) {
        await chunks.return();
        this.#rollBack();
        return { error };
      }
    }
  }

  #rollBack(): void {
    try {
      this.#sink.rollBack();
    } catch {
      // Then what is there of the flow stays; readers stop in front of it.
    }
  }

  #fail(error: unknown, lost: number): void {
    this.#hasFailed = true;
    const waiting = this.#waiting.splice(0);
    for (const { hold } of waiting) hold[Symbol.dispose]();
    this.#waitingBytes = 0;
    this.#events.onFailure(error, lost + waiting.length);
  }
}

async function* inOnePiece(flow: EncodedFlow): AsyncGenerator<Uint8Array, void> {
  yield flow.bytes();
}
