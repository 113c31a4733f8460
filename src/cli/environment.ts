/**
 * What the command line stands on: a proxy with its addons, the streams and signals of its process.
 * @module
 */
import type { Gate } from "../hooks/mod.ts";
import type { Address } from "../net/mod.ts";
import type { Listening, ProxyServerInit } from "../proxy/mod.ts";
import type { SyncWriter } from "./output.ts";
import type { SignalSource } from "./signals.ts";
import type { Workers } from "./workers.ts";

/** The proxy as the command line sees it. */
export interface ScriptedProxy {
  /** Loads built-in addons and then these scripts. */
  load(scripts: readonly string[]): Promise<void>;
  start(): Promise<readonly Listening[]>;
  /** Tells addons that it will stop. */
  leave?(): void;
  /** From when `hurry` resolves addons have no more than a few seconds for their `done` hooks. */
  stop(graceMs: number, hurry?: Promise<unknown>): Promise<void>;
  /** What an addon has put between all exchanges and the origins. */
  readonly gate?: Gate | null;
  /** Something that it was started for could not be done. */
  readonly hasFailed?: boolean;
}

/** What `run` works with besides its arguments; tests have their own. */
export interface Environment {
  readonly makeProxy: (init: ProxyServerInit) => Promise<ScriptedProxy>;
  readonly stdout: SyncWriter;
  readonly stderr: SyncWriter;
  readonly signals: SignalSource;
  /** Columns of the terminal. */
  readonly width: () => number;
  /** In a worker: how it tells the isolate that has started it. */
  readonly workers?: Workers;
  /** In a worker: where to listen, in place of what the modes say. */
  readonly addresses?: readonly Address[];
}
