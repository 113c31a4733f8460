/**
 * What every part of the proxy works with: options, hooks, log, pool, certificates. Made once by `proxy.ts`.
 * @module
 */
import type { Dispatcher } from "../hooks/mod.ts";
import type { Options } from "../options/mod.ts";
import type { Certificates } from "./certificates.ts";
import type { MemoryBudget } from "./memory_budget.ts";
import type { UpstreamPool } from "./upstream_pool.ts";

/** Where messages for people go. */
export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

export interface ProxyContext {
  readonly options: Options;
  readonly hooks: Dispatcher;
  readonly log: Log;
  readonly pool: Pick<UpstreamPool, "acquire" | "connect">;
  readonly certificates: Pick<Certificates, "prepare" | "offerFor">;
  readonly memory: MemoryBudget;
  /** Aborted when weir stops: idle connections close, running exchanges finish. */
  readonly stopping: AbortSignal;
}
