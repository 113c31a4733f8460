/**
 * Rows on their way to a database: in batches, within a bound, and again when it was away. The wire never waits for it.
 * @module
 */
import { type FlowRow, weightOf } from "./row.ts";

/** Bytes of rows that wait at most; then the oldest are dropped. */
export const MAX_WAITING = 64 * 1024 * 1024;
/** How long (ms) a row waits for others to go with. */
const BATCH_MS = 50;
const MAX_BATCH = 500;
/** Bytes of one batch, so that a batch of large bodies is no problem for the database. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** How long (ms) the first attempt after a failure waits, and the last ones. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;
const TELL_MS = 60_000;

/** A row that the database does not take, whatever its state. */
export class RefusedRow extends Error {
  override readonly name = "RefusedRow";
}

/** What a {@linkcode FlowQueue} tells. */
export interface QueueEvents {
  /** The database is away; told once until it is back. */
  onAway(error: unknown): void;
  /** What waited is written again. */
  onBack(): void;
  /** So many rows were dropped since it was told last. */
  onDropped(count: number): void;
  /** The database does not take this row. */
  onRefused(row: FlowRow, error: unknown): void;
}

/** Takes rows, and gives them to `write` batch by batch. */
export class FlowQueue {
  readonly #write: (rows: readonly FlowRow[]) => Promise<void>;
  readonly #events: QueueEvents;
  #waiting: FlowRow[] = [];
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tellTimer: ReturnType<typeof setTimeout> | undefined;
  #untold = 0;
  #writing: Promise<void> | null = null;
  #wakeUp: (() => void) | null = null;
  #isAway = false;
  #isClosed = false;
  /** The time for the last rows is over: what fails now is not tried again. */
  #isLate = false;
  /** How many rows have been dropped. */
  dropped = 0;

  constructor(write: (rows: readonly FlowRow[]) => Promise<void>, events: QueueEvents) {
    this.#write = write;
    this.#events = events;
  }

  /** Rows that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** The last attempt to write failed. */
  get isAway(): boolean {
    return this.#isAway;
  }

  add(row: FlowRow): void {
    if (this.#isClosed) return;
    this.#waiting.push(row);
    this.#bytes += weightOf(row);
    if (this.#bytes > MAX_WAITING) this.#dropOldest();
    if (this.#writing !== null) return;
    if (this.#waiting.length >= MAX_BATCH) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), BATCH_MS);
  }

  /** Writes what waits; what is not written after `ms` is dropped. */
  async close(ms: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#tellTimer);
    this.#tellTimer = undefined;
    if (this.#writing === null && this.#waiting.length > 0) this.#start();
    this.#wakeUp?.();
    const isDone = await settlesWithin(ms, this.#writing ?? Promise.resolve());
    if (!isDone) {
      this.#isLate = true;
      this.#drop(this.#waiting.length);
      this.#wakeUp?.();
    }
    clearTimeout(this.#timer);
    this.#tell();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writeAll().finally(() => this.#writing = null);
  }

  async #writeAll(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.#write(batch);
      } catch (error) {
        if (error instanceof RefusedRow) {
          await this.#writeHalves(batch, error);
          continue;
        }
        this.#putBack(batch);
        if (this.#isLate) return;
        if (!this.#isAway) this.#events.onAway(error);
        this.#isAway = true;
        await this.#pause(retryMs);
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
        continue;
      }
      retryMs = FIRST_RETRY_MS;
      if (this.#isAway) this.#events.onBack();
      this.#isAway = false;
    }
  }

  /** Finds the row that is refused: the others of its batch are written. */
  async #writeHalves(batch: readonly FlowRow[], refusal: RefusedRow): Promise<void> {
    if (batch.length === 1) return this.#events.onRefused(batch[0], refusal.cause ?? refusal);
    const middle = batch.length >> 1;
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      try {
        await this.#write(half);
      } catch (error) {
        if (error instanceof RefusedRow) await this.#writeHalves(half, error);
        else this.#putBack(half);
      }
    }
  }

  #nextBatch(): FlowRow[] {
    let count = 0, bytes = 0;
    for (; count < Math.min(this.#waiting.length, MAX_BATCH); count++) {
      const weight = weightOf(this.#waiting[count]);
      if (count > 0 && bytes + weight > MAX_BATCH_BYTES) break;
      bytes += weight;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #putBack(batch: readonly FlowRow[]): void {
    if (this.#isLate) return this.#lose(batch.length);
    this.#waiting.unshift(...batch);
    for (const row of batch) this.#bytes += weightOf(row);
    if (this.#bytes > MAX_WAITING) this.#dropOldest();
  }

  #dropOldest(): void {
    let count = 0;
    for (let bytes = this.#bytes; bytes > MAX_WAITING; count++) bytes -= weightOf(this.#waiting[count]);
    this.#drop(count);
  }

  #drop(count: number): void {
    if (count === 0) return;
    for (const row of this.#waiting.splice(0, count)) this.#bytes -= weightOf(row);
    this.#lose(count);
  }

  #lose(count: number): void {
    this.dropped += count;
    this.#untold += count;
    if (this.#tellTimer === undefined) this.#tell();
  }

  /** At once, then once a minute. */
  #tell(): void {
    this.#tellTimer = undefined;
    if (this.#untold === 0) return;
    this.#events.onDropped(this.#untold);
    this.#untold = 0;
    if (!this.#isClosed) this.#tellTimer = setTimeout(() => this.#tell(), TELL_MS);
  }

  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#wakeUp = null;
  }
}

/** Whether a promise settles within so many milliseconds. */
async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(resolve, ms, false));
  const isSettled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return isSettled;
}
