/**
 * Time in a test's hands: what waits for a second is tested at once, and no slow machine makes it late.
 *
 * Only for what runs in memory: sockets do not wait for a clock that stands still.
 * @module
 */

/** How many turns of the event loop what a timer has started may take; far more than anything in memory needs. */
const TURNS = 10;

const real = { setTimeout, clearTimeout, now: performance.now };

/** The event loop comes round: everything that is only a matter of microtasks has happened. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void real.setTimeout(resolve, 0));
}

/** Resolves with `count()` when no turn of the event loop changes it any more: in memory, nothing else would. */
export async function settled(count: () => number): Promise<number> {
  let last = count();
  for (let same = 0, now; same < TURNS; last = now) {
    await turn();
    now = count();
    same = now === last ? same + 1 : 0;
  }
  return last;
}

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

/** Stands in for `setTimeout`, `clearTimeout` and `performance.now` until it is disposed. Make it before what sets timers. */
export class FakeClock implements Disposable {
  /** Whole milliseconds: sums and differences of them are exact. */
  #now = Math.ceil(real.now.call(performance));
  /** Not an id that the system gives. */
  #nextId = 2 ** 40;
  readonly #timers = new Map<number, Timer>();

  constructor() {
    performance.now = () => this.#now;
    const set = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      this.#timers.set(this.#nextId, { at: this.#now + Math.max(0, ms), call: () => callback(...args) });
      return this.#nextId++;
    };
    globalThis.setTimeout = set as unknown as typeof setTimeout;
    globalThis.clearTimeout = (id) => {
      // What was set before the clock stood still is the system's.
      if (!this.#timers.delete(id as number)) real.clearTimeout(id);
    };
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** So many milliseconds go by. Timers fire in their order, and what each starts is done before the next. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    await turn();
    for (let next; (next = this.#next(until)) !== null; await turn()) {
      const [id, { at, call }] = next;
      this.#now = Math.max(this.#now, at);
      this.#timers.delete(id);
      call();
    }
    this.#now = until;
  }

  #next(until: number): [number, Timer] | null {
    let first: [number, Timer] | null = null;
    for (const entry of this.#timers) {
      if (entry[1].at <= until && (first === null || entry[1].at < first[1].at)) first = entry;
    }
    return first;
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    performance.now = real.now;
  }
}
