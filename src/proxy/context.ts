/**
 * What every part of the proxy works with: options, hooks, log, pool, certificates. Made once by `proxy.ts`.
 * @module
 */
import type { AddonLog, Dispatcher, Gate } from "../hooks/mod.ts";
import type { Options } from "../options/mod.ts";
import type { Certificates } from "./certificates.ts";
import type { MemoryBudget } from "../memory_budget.ts";
import type { Running } from "./running.ts";
import type { UpstreamPool } from "./upstream_pool.ts";

/** Where messages for people go: the same log for addons and for weir itself. */
export type { AddonLog as Log };

export interface ProxyContext {
  readonly options: Options;
  readonly hooks: Dispatcher;
  readonly log: AddonLog;
  /** What an addon has put between all exchanges and the origins. */
  readonly gate?: Gate | null;
  readonly pool: Pick<UpstreamPool, "acquire" | "connect" | "connectAhead" | "release">;
  readonly certificates: Pick<Certificates, "prepare" | "warn" | "offerFor">;
  readonly memory: MemoryBudget;
  readonly running: Running;
  /** Aborted when weir stops: idle connections close, running exchanges finish. */
  readonly stopping: AbortSignal;
  /** Aborted when the time that they have for it is over, with what is to be their error; `running` is cut as well. */
  readonly cut: AbortSignal;
}
