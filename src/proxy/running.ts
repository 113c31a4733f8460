/**
 * The flows that are under way: what a stop waits for, and what it cuts when its time is over; what may stand still.
 *
 * Exchanges come and go by the ten thousand in a second, so each has a place in an array while it runs: a set of objects
 * cost a tenth of a small request.
 * @module
 */
import { type WeirError } from "../errors.ts";
import { escapeControl } from "../escape.ts";
import { type Flow, HttpFlow } from "../flow/flow.ts";
import { hostPort } from "../net/mod.ts";
import { shortened } from "../shown.ts";

/** How many are named in a message. */
const MAX_NAMED = 3;

/** What is under way. */
export interface Run {
  readonly flow: Flow;
  /** Ends it; its error is this one. */
  cut(error: WeirError): void;
  /** Bytes that it has moved so far, in any direction. */
  readonly moved: number;
  /** An addon holds it up, which may take as long as it likes. */
  readonly isHeld: boolean;
  /** Nothing has moved for so many seconds. Called once for each time that it stands still. */
  onStalled(seconds: number): void;
}

export class Running {
  /** By place; null where it is free. */
  readonly #all: (Run | null)[] = [];
  readonly #free: number[] = [];
  /** How many have had each place. */
  readonly #turns: number[] = [];
  /** Called when there is something after there was nothing. */
  onFirst: (() => void) | null = null;

  get count(): number {
    return this.#all.length - this.#free.length;
  }

  /** From its first hook on, until `remove`; gives its place. */
  add(run: Run): number {
    if (this.count === 0) this.onFirst?.();
    const place = this.#free.pop() ?? this.#all.length;
    this.#all[place] = run;
    this.#turns[place] = (this.#turns[place] ?? 0) + 1;
    return place;
  }

  /** It has ended. Call it once. */
  remove(place: number): void {
    this.#all[place] = null;
    this.#free.push(place);
  }

  /** All with their places, and a number that tells who has a place now from who had it before. */
  forEach(look: (run: Run, place: number, turn: number) => void): void {
    for (let place = 0; place < this.#all.length; place++) {
      const run = this.#all[place];
      if (run !== null) look(run, place, this.#turns[place]);
    }
  }

  /** Ends those that are left; WebSocket connections too, unless they are spared as they are about to say goodbye. */
  cut(error: WeirError, { spare }: { spare: "websockets" | "none" }): void {
    this.forEach((run) => {
      const isSpared = spare === "websockets" && run.flow instanceof HttpFlow && run.flow.websocket !== null;
      if (!isSpared) run.cut(error);
    });
  }

  /** `2 flows: GET http://a.example/events, tunnel to b.example:22` */
  toString(): string {
    const named = this.#all.filter((run) => run !== null).slice(0, MAX_NAMED).map(({ flow }) => nameOf(flow));
    const rest = this.count - named.length;
    const list = named.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
    return `${this.count} ${this.count === 1 ? "flow" : "flows"}: ${list}`;
  }
}

function nameOf(flow: Flow): string {
  if (flow instanceof HttpFlow) {
    return `${escapeControl(flow.request.method)} ${escapeControl(shortened(flow.request.url))}`;
  }
  return flow.serverConn === null ? "a tunnel" : `tunnel to ${hostPort(flow.serverConn.address)}`;
}
