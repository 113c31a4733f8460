/**
 * The flows that are under way: what a stop waits for, and what it cuts when its time is over.
 * @module
 */
import { type WeirError } from "../errors.ts";
import { escapeControl } from "../escape.ts";
import { type Flow, HttpFlow } from "../flow/flow.ts";
import { hostPort } from "../net/mod.ts";
import { shortened } from "../shown.ts";

/** How many are named in a message. */
const MAX_NAMED = 3;

/** What can be cut. */
export interface Cuttable {
  readonly flow: Flow;
  /** Ends it; its error is this one. */
  cut(error: WeirError): void;
}

export class Running {
  readonly #all = new Set<Cuttable>();

  get count(): number {
    return this.#all.size;
  }

  /** From its first hook on, until `remove`. */
  add(one: Cuttable): void {
    this.#all.add(one);
  }

  remove(one: Cuttable): void {
    this.#all.delete(one);
  }

  /** Ends those that are left; WebSocket connections too, unless they are spared as they are about to say goodbye. */
  cut(error: WeirError, { spare }: { spare: "websockets" | "none" }): void {
    for (const one of [...this.#all]) {
      const isSpared = spare === "websockets" && one.flow instanceof HttpFlow && one.flow.websocket !== null;
      if (!isSpared) one.cut(error);
    }
  }

  /** `2 flows: GET http://a.example/events, tunnel to b.example:22` */
  toString(): string {
    const named = [...this.#all].slice(0, MAX_NAMED).map(({ flow }) => nameOf(flow));
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
