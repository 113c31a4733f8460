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
  /** Nothing has moved for too long. Called once; it is not watched any more. */
  onStalled(seconds: number): void;
}

/** When something moved last, as far as was seen. */
interface Seen {
  moved: number;
  at: number;
}

/** Watches all that is under way. */
export class StallWatch {
  readonly #seconds: () => number;
  readonly #watched = new Map<Watched, Seen>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** `seconds`: how long nothing may move, asked for each time, as options change; 0 for ever. */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /** Watches it from now on, until `remove`. */
  add(watched: Watched): void {
    if (this.#isClosed) return;
    this.#watched.set(watched, { moved: watched.moved, at: performance.now() });
    if (this.#timer === undefined) this.#arm();
  }

  /** It has ended. May be called more than once. */
  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  /** Watches nothing any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watched.clear();
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
    for (const [watched, seen] of this.#watched) {
      const { moved } = watched;
      if (moved !== seen.moved || watched.isHeld) {
        seen.moved = moved;
        seen.at = now;
      } else if (seconds > 0 && now - seen.at >= seconds * 1000) {
        this.#watched.delete(watched);
        watched.onStalled(seconds);
      }
    }
    if (this.#watched.size > 0) this.#arm();
  }
}
