/**
 * Stdout and stderr for what weir says while it runs: written beside the work, so that a reader who pauses (`weir | less`)
 * or never reads stops nothing.
 *
 * What comes while a write is under way waits, and leaves with the next. Of what waits there is a bound; beyond it output is
 * left out, and how much is said as soon as there is room.
 * @module
 */
import { concat } from "@std/bytes";
import { settlesWithin } from "./timing.ts";

/** A stream that is written without holding up the event loop, as `Deno.stdout`. */
export interface AsyncWriter {
  write(bytes: Uint8Array): Promise<number>;
}

/** Characters above which whoever can wait should. */
const HIGH_MARK = 1024 * 1024;
/** Characters that wait at most. */
const MAX_WAITING = 16 * 1024 * 1024;
/** A reader that takes nothing for so long (ms) is not waited for any longer. */
const STUCK_MS = 2_000;
/** How long to wait when a pipe that does not block is full. */
const FULL_PAUSE_MS = 20;

const encoder = new TextEncoder();

/** What waits to be written to one stream. */
export class OutputQueue {
  readonly #stream: AsyncWriter;
  #waiting: (string | Uint8Array)[] = [];
  #size = 0;
  #left = 0;
  /** The writes that are under way, up to the last. */
  #writing: Promise<void> | null = null;
  #isGone = false;
  #room: PromiseWithResolvers<void> | null = null;
  #stuckTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: AsyncWriter) {
    this.#stream = stream;
  }

  /**
   * Writes text, or bytes as they are, as soon as it can be. Returns a promise when much is waiting already, for whoever has more to say and can
   * wait: it resolves when there is room, or when nobody reads.
   */
  print(text: string | Uint8Array): Promise<void> | undefined {
    if (this.#isGone) return undefined;
    if (this.#size > 0 && this.#size + text.length > MAX_WAITING) {
      this.#left++;
      return this.#untilRoom();
    }
    this.#waiting.push(text);
    this.#size += text.length;
    this.#writing ??= this.#writeAll();
    return this.#size > HIGH_MARK ? this.#untilRoom() : undefined;
  }

  /** True when all is written, or cannot be any more, within `ms`. */
  async flush(ms: number): Promise<boolean> {
    return this.#writing === null || await settlesWithin(ms, this.#writing);
  }

  #untilRoom(): Promise<void> {
    this.#stuckTimer ??= setTimeout(() => this.#makeRoom(), STUCK_MS);
    return (this.#room ??= Promise.withResolvers()).promise;
  }

  #makeRoom(): void {
    clearTimeout(this.#stuckTimer);
    this.#stuckTimer = undefined;
    this.#room?.resolve();
    this.#room = null;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const parts = this.#waiting;
      this.#waiting = [];
      await this.#write(joined(parts));
      const written = parts.reduce((sum, { length }) => sum + length, 0);
      this.#size = this.#isGone ? 0 : this.#size - written;
      if (this.#isGone) this.#waiting = [];
      else if (this.#left > 0) {
        const note = `(${this.#left} lines or more are missing here: nobody read them in time)\n`;
        this.#left = 0;
        this.#waiting.unshift(note);
        this.#size += note.length;
      }
      if (this.#size <= HIGH_MARK) this.#makeRoom();
    }
    this.#writing = null;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      try {
        rest = rest.subarray(await this.#stream.write(rest));
      } catch (thrown) {
        // Interrupted by a signal before anything was written.
        if (thrown instanceof Deno.errors.Interrupted) continue;
        if (!(thrown instanceof Deno.errors.WouldBlock)) {
          // Who read it is gone (EPIPE): what weir is there for goes on.
          this.#isGone = true;
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, FULL_PAUSE_MS));
      }
    }
  }
}

function joined(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const isText = parts.every((part) => typeof part === "string");
  return isText
    ? encoder.encode(parts.join(""))
    : concat(parts.map((part) => typeof part === "string" ? encoder.encode(part) : part));
}

/** The streams of the process. */
export const stdout = new OutputQueue(Deno.stdout);
export const stderr = new OutputQueue(Deno.stderr);
