/**
 * The option `workers`: more isolates of the same weir on the same port, each with its own addons.
 *
 * The first isolate is the program: it has the signals and the command line, listens first, and then starts the others,
 * which listen at the same addresses (`SO_REUSEPORT`), so that the system spreads connections over all of them.
 * @module
 */
import { buildKind } from "../build_kind.ts";
import { WeirError } from "../errors.ts";
import type { Address } from "../net/mod.ts";
import type { Listening } from "../proxy/mod.ts";
import { settlesWithin } from "../timing.ts";
import type { TermLog } from "./log.ts";

/** What the first isolate tells a worker. */
export type ToWorker =
  | { readonly kind: "start"; readonly argv: readonly string[]; readonly addresses: readonly Address[] }
  | { readonly kind: "stop" };

/** What a worker answers. */
export type FromWorker =
  | { readonly kind: "ready" }
  /** It was told to stop, and is about to; said again and again until it has ended. */
  | { readonly kind: "stopping" }
  | { readonly kind: "ended"; readonly status: number };

/** Isolates that are started and stopped together with the one that asks. */
export interface Workers {
  /** This isolate listens. Resolves when all others do. */
  started(listening: readonly Listening[]): Promise<void>;
  /** Resolves when all others have ended. They have as long as their streams get, and a little more; then they are ended. */
  stop(graceMs: number): Promise<void>;
}

/** How often (ms) a worker says that it is stopping. */
export const STOPPING_EVERY_MS = 500;
/** Milliseconds in which a worker that is alive hears that it is to stop. */
const HEARING_MS = 2_000;
/** What a stop takes beyond the grace time at most, when addons hold it up: see `ProxyServer.stop`. */
const STOPPING_MS = 15_000;

interface Running {
  readonly worker: Worker;
  readonly number: number;
  readonly ready: Promise<void>;
  /** Resolves when it says next that it is stopping, or has ended. */
  readonly heard: () => Promise<unknown>;
  readonly ended: Promise<number>;
}

/**
 * The further isolates of the first one: `count` in all, itself among them. `onEnd` is called when one ends that was not
 * told to: its addon wants weir to end, and the others must not go on without it.
 */
export function workersOf(
  count: number,
  argv: readonly string[],
  log: TermLog,
  onEnd: () => void,
): Workers {
  const others: Running[] = [];
  return {
    async started(listening) {
      const addresses = listening.map(({ address }) => address);
      for (let i = 1; i < count; i++) {
        others.push(startWorker({ kind: "start", argv, addresses }, i + 1, log, onEnd));
      }
      await Promise.all(others.map(({ ready }) => ready));
    },
    async stop(graceMs) {
      await Promise.all(others.map(async ({ worker, number, heard, ended }) => {
        worker.postMessage({ kind: "stop" } satisfies ToWorker);
        // One that is stuck in a loop hears nothing, and one that has closed itself says nothing.
        const late = performance.now() + graceMs + STOPPING_MS;
        let isAlive = await settlesWithin(Math.max(graceMs, HEARING_MS), heard());
        while (isAlive && !await settlesWithin(0, ended) && performance.now() < late) {
          isAlive = await settlesWithin(HEARING_MS, heard());
        }
        if (!await settlesWithin(0, ended)) log.warn(`Worker ${number} does not stop; weir ends without it.`);
        worker.terminate();
      }));
    },
  };
}

function startWorker(start: ToWorker, number: number, log: TermLog, onEnd: () => void): Running {
  // Unpacked, all of weir is this one file; as a worker it does what worker.ts does (scripts/compile/entry.ts).
  const module = buildKind() === "unpacked" ? "" : "./worker.ts";
  const worker = new Worker(new URL(module, import.meta.url), {
    type: "module",
    name: `weir ${number}`,
  });
  const ready = Promise.withResolvers<void>();
  let heard = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number>();
  // When weir stops before, nobody waits for it.
  ready.promise.catch(() => {});
  const over = (status: number) => {
    ended.resolve(status);
    ready.reject(
      new WeirError("weir", "internal", `Worker ${number} did not start; its own message is above.`),
    );
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === "ready") ready.resolve();
    else if (data.kind === "stopping") {
      heard.resolve();
      heard = Promise.withResolvers();
    } else {
      over(data.status);
      onEnd();
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    log.error(`Worker ${number} has broken down: ${event.message}`);
    over(1);
  };
  worker.postMessage(start);
  return {
    worker,
    number,
    ready: ready.promise,
    heard: () => Promise.race([heard.promise, ended.promise]),
    ended: ended.promise,
  };
}
