/**
 * One of the further isolates of `workers`: runs weir from the same arguments, at the addresses that it is told.
 * @module
 */
/// <reference lib="deno.worker" />
import type { Listening } from "../proxy/mod.ts";
import { removeTemporaryFiles } from "../streams/mod.ts";
import { REAL, run } from "./run.ts";
import type { SignalSource } from "./signals.ts";
import { type FromWorker, STOPPING_EVERY_MS, type ToWorker, type Workers } from "./workers.ts";

declare const self: DedicatedWorkerGlobalScope;

const tell = (message: FromWorker) => self.postMessage(message);

/** The first isolate has the process's signals; here SIGINT is its word to stop. */
class StopMessage implements SignalSource {
  readonly #handlers = new Set<() => void>();
  #hasArrived = false;

  addSignalListener(signal: Deno.Signal, handler: () => void): void {
    if (signal !== "SIGINT") return;
    this.#handlers.add(handler);
    // It may come while the worker is still starting.
    if (this.#hasArrived) queueMicrotask(handler);
  }

  removeSignalListener(_signal: Deno.Signal, handler: () => void): void {
    this.#handlers.delete(handler);
  }

  exit(): void {}

  arrive(): void {
    this.#hasArrived = true;
    for (const handler of [...this.#handlers]) handler();
  }
}

const stop = new StopMessage();
const alone: Workers = {
  started: (_listening: readonly Listening[]) => Promise.resolve(tell({ kind: "ready" })),
  stop: () => Promise.resolve(),
};

// An addon that calls Deno.exit or self.close ends a worker without another word.
self.addEventListener("unload", () => tell({ kind: "ended", status: Deno.exitCode }));
const close = self.close.bind(self);
self.close = () => {
  removeTemporaryFiles();
  tell({ kind: "ended", status: 0 });
  close();
};

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "stop") {
    tell({ kind: "stopping" });
    setInterval(() => tell({ kind: "stopping" }), STOPPING_EVERY_MS);
    return stop.arrive();
  }
  const { addresses } = data;
  const status = await run(data.argv, { ...REAL, signals: stop, workers: alone, addresses });
  removeTemporaryFiles();
  tell({ kind: "ended", status });
};
