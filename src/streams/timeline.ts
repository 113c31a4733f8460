/**
 * How a body came: when, and how much of it.
 * @module
 */

/** Milliseconds since the body's first byte, and how many bytes were there by then. */
export type Moment = readonly [ms: number, bytes: number];

/** Most moments that are remembered. */
export const MAX_MOMENTS = 1000;

/**
 * Remembers when pieces came; of a body of many pieces every second, fourth, eighth one and so on, and the
 * last.
 */
export class Timeline {
  #moments: Moment[] = [];
  /** One of so many pieces is remembered. */
  #stride = 1;
  #pieces = 0;
  #start = 0;
  #last: Moment | null = null;

  /** Made of what was remembered before. */
  static from(moments: readonly Moment[]): Timeline {
    const timeline = new Timeline();
    timeline.#moments = moments.slice(0, MAX_MOMENTS);
    return timeline;
  }

  /** A piece came: `bytes` are there now, `now` milliseconds after any fixed moment. */
  add(bytes: number, now: number = performance.now()): void {
    if (this.#pieces === 0) this.#start = now;
    // Tenths of milliseconds: more is noise, and shows in files.
    const moment: Moment = [Math.round((now - this.#start) * 10) / 10, bytes];
    this.#last = moment;
    if (this.#pieces++ % this.#stride !== 0) return;
    // One place is the last piece's.
    if (this.#moments.length >= MAX_MOMENTS - 1) {
      this.#moments = this.#moments.filter((_, index) => index % 2 === 0);
      this.#stride *= 2;
      if ((this.#pieces - 1) % this.#stride !== 0) return;
    }
    this.#moments.push(moment);
  }

  /** In order; the last one is the last piece's. */
  moments(): Moment[] {
    const last = this.#last;
    const isIn = last === null || this.#moments.at(-1) === last;
    return isIn ? this.#moments.slice() : [...this.#moments, last];
  }
}
