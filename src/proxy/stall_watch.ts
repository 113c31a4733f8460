/**
 * Ends what does not move (`idle_timeout`): stalled bodies, responses that are awaited, tunnels, WebSockets.
 *
 * Connections and streams count the bytes that they move in any case. One timer for the whole proxy looks at these counts
 * from time to time, so what moves pays nothing for being watched. The timer runs only while there is something to watch.
 * @module
 */

/** How often everything is looked at in the time that it may stand still; it is cut that much too late at most. */
const LOOKS = 8;
/** Milliseconds from one look to the next, at least and at most. */
const MIN_PAUSE = 20;
const MAX_PAUSE = 15_000;

/** What may stand still. */
export interface Watched {
  /** Bytes that it has moved so far, in any direction. */
  readonly moved: number;
  /** An addon holds it up, which may take as long as it likes. */
  readonly isHeld: boolean;
  /** Nothing has moved for too long. Called once, unless it moves again. */
  onStalled(seconds: number): void;
}

/**
 * Watches all that is under way. Exchanges come and go by the ten thousand in a second, so each has a place in an array while
 * it runs, and nothing is made or looked up for it.
 */
export class StallWatch {
  readonly #seconds: () => number;
  /** By place: what is watched, how much it had moved when it was looked at, and when that was first seen. */
  readonly #watched: (Watched | null)[] = [];
  readonly #moved: number[] = [];
  readonly #since: number[] = [];
  /** Places that are free. */
  readonly #free: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** `seconds`: how long nothing may move, asked for each time, as options change; 0 for ever. */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /** Watches it from now on; gives its place, for `remove`. */
  add(watched: Watched): number {
    if (this.#isClosed) return -1;
    const place = this.#free.pop() ?? this.#watched.length;
    this.#watched[place] = watched;
    // Nothing has this count: when it is first looked at its time begins.
    this.#moved[place] = -1;
    if (this.#timer === undefined) this.#arm();
    return place;
  }

  /** It has ended. Call it once. */
  remove(place: number): void {
    if (place < 0 || this.#isClosed) return;
    this.#watched[place] = null;
    this.#free.push(place);
  }

  /** Watches nothing any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watched.length = 0;
  }

  #arm(): void {
    const seconds = this.#seconds();
    // Without a limit it is still looked from time to time whether there is one now.
    const pause = seconds === 0 ? MAX_PAUSE : seconds * 1000 / LOOKS;
    this.#timer = setTimeout(() => this.#look(), Math.min(MAX_PAUSE, Math.max(MIN_PAUSE, pause)));
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now(), seconds = this.#seconds();
    for (let place = 0; place < this.#watched.length; place++) {
      const watched = this.#watched[place];
      if (watched === null) continue;
      const { moved } = watched;
      if (moved !== this.#moved[place] || watched.isHeld) {
        this.#moved[place] = moved;
        this.#since[place] = now;
      } else if (seconds > 0 && now - this.#since[place] >= seconds * 1000) {
        this.#since[place] = Infinity;
        watched.onStalled(seconds);
      }
    }
    if (this.#watched.length > this.#free.length) this.#arm();
  }
}
