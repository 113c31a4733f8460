/**
 * Waiting with a deadline: tests wait for events, and a test that would hang says what for.
 * @module
 */

/** Plenty for anything that happens at once, on a machine that is busy with other things. */
export const SOON = 60_000;
/** Plenty for a program's cold start on such a machine. */
export const START = 120_000;
/** A stall of this process or of its machine counts as one step of a deadline, however long it was. */
const STEPS = 100;
const SHORTEST_STEP = 5;

/** A deadline passed. */
export class Late extends Error {
  override readonly name = "Late";
}

/**
 * Settles as `promise` does, or rejects after `ms` milliseconds naming `what`. Only time counts in which this process
 * could have gone on: when it is not let run, its clock stands, so that short limits hold on a machine that is shared.
 */
export async function within<T>(ms: number, promise: PromiseLike<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const wait = (left: number) => {
      if (left <= 0) return reject(new Late(`Waited ${ms} ms for ${what}.`));
      const step = Math.min(left, Math.max(SHORTEST_STEP, ms / STEPS));
      timer = setTimeout(() => wait(left - step), step);
    };
    wait(ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** A door that a test opens: everyone who awaits `opened` goes on from then. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  open(): void {
    this.#opened.resolve();
  }
}

/** Things that happened, in order; tests wait for one and compare the list. */
export class Events {
  readonly list: string[] = [];
  readonly #waiting = new Set<() => void>();

  push(event: string): void {
    this.list.push(event);
    for (const wake of this.#waiting) wake();
  }

  count(event: string): number {
    return this.list.filter((seen) => seen === event).length;
  }

  /** Resolves when `event` has been seen `times` times. */
  seen(event: string, times = 1): Promise<void> {
    return this.until(() => this.count(event) >= times, `${times} × ${JSON.stringify(event)}`);
  }

  /** Resolves when `condition` holds; it is asked after each event. */
  async until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = () => condition() && resolve();
    this.#waiting.add(check);
    try {
      await within(SOON, promise, what);
    } catch (error) {
      throw new Error(`${(error as Error).message} Seen: ${this.list.join(", ")}`, { cause: error });
    } finally {
      this.#waiting.delete(check);
    }
  }
}

/** How often a count is looked at, and how often in a row it must be the same: a running transfer takes its next step much sooner. */
const LOOK_EVERY_MS = 50;
const LOOKS = 8;

/** Resolves with `count()` once it has not changed for a while: a source that stalls. */
export async function standsStill(count: () => number): Promise<number> {
  let last = count();
  for (let same = 0, now; same < LOOKS; last = now) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    now = count();
    same = now === last ? same + 1 : 0;
  }
  return last;
}
