/**
 * Ends what does not move (`idle_timeout`): stalled bodies, responses that are awaited, tunnels, WebSockets.
 *
 * Connections and streams count the bytes that they move in any case. One timer for the whole proxy looks at these counts
 * from time to time, so what moves pays nothing for being watched. The timer runs only while there is something to watch.
 * @module
 */
import type { Running } from "./running.ts";

/** How often everything is looked at in the time that it may stand still; it is cut that much too late at most. */
const LOOKS = 8;
/** Milliseconds from one look to the next, at least and at most. */
const MIN_PAUSE = 20;
const MAX_PAUSE = 15_000;

/** Watches all that is under way. */
export class StallWatch {
  readonly #running: Running;
  readonly #seconds: () => number;
  /** By place: whose turn it was, how much that had moved when it was looked at, and since when it has stood there. */
  readonly #turns: number[] = [];
  readonly #moved: number[] = [];
  readonly #since: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `seconds`: how long nothing may move, asked for each time, as options change; 0 for ever. */
  constructor(running: Running, seconds: () => number) {
    this.#running = running;
    this.#seconds = seconds;
    running.onFirst = () => {
      if (this.#timer === undefined) this.#arm();
    };
  }

  /** Watches nothing any more. */
  close(): void {
    this.#running.onFirst = null;
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
    this.#running.forEach((run, place, turn) => {
      const { moved } = run;
      if (turn !== this.#turns[place] || moved !== this.#moved[place] || run.isHeld) {
        this.#turns[place] = turn;
        this.#moved[place] = moved;
        this.#since[place] = now;
      } else if (seconds > 0 && now - this.#since[place] >= seconds * 1000) {
        this.#since[place] = Infinity;
        run.onStalled(seconds);
      }
    });
    if (this.#running.count > 0) this.#arm();
  }
}
