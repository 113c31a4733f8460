/**
 * Waiting with a deadline: tests wait for events, and a test that would hang says what for.
 * @module
 */

/** Plenty for anything that happens at once, on a machine that is busy with other things. */
export const SOON = 10_000;

/** A deadline passed. */
export class Late extends Error {
  override readonly name = "Late";
}

/** Settles as `promise` does, or rejects after `ms` milliseconds naming `what`. */
export async function within<T>(ms: number, promise: PromiseLike<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`Waited ${ms} ms for ${what}.`)), ms);
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

/** How long a count must stand still to be called so: many times the time that a running transfer needs for its next step. */
const STILL = 400;

/** Resolves with `count()` once it has not changed for a while: a source that stalls. */
export async function standsStill(count: () => number): Promise<number> {
  for (let before = -1, now = count();; now = count()) {
    if (now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, STILL));
  }
}
