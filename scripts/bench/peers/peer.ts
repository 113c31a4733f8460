/**
 * What the bench asks of a proxy, weir included.
 * @module
 */
import type { Via } from "../load/target.ts";
import type { Origins } from "../origins.ts";

export const PEER_NAMES = [
  "weir",
  "mitmdump",
  "goproxy",
  "mockttp",
  "http-mitm-proxy",
  "nginx",
  "no proxy",
] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** How a case wants it set up. */
export interface Setup {
  /** Whether bodies are streamed, where that has to be asked for. */
  readonly stream?: boolean;
  /**
   * A hook on response bodies: one that returns each chunk as it is, one that reads the whole content, or one that replaces a
   * text in what its coding wraps.
   */
  readonly hook?: "identity" | "content" | "coded";
  /** Further arguments for weir alone. */
  readonly weir?: readonly string[];
}

/** What a peer may use. */
export interface Workshop {
  /** Emptied after the run. */
  readonly folder: string;
  /** Kept from run to run: what had to be built or installed. */
  readonly cache: string;
  readonly origins: Origins;
}

/** A proxy that listens. */
export interface Running extends AsyncDisposable {
  /** Root of its process tree; null where there is no process. */
  readonly pid: number | null;
  /** From the start of the process until it accepted a connection. */
  readonly startMs: number;
  /** How to get to `origin` (`host:port`) through it. */
  via(origin: string, secure: boolean): Via;
}

export interface Peer {
  readonly name: PeerName;
  /** Builds or installs what is needed; resolves to null, or to why it cannot take part and what helps. */
  prepare(shop: Workshop): Promise<string | null>;
  version(shop: Workshop): Promise<string>;
  start(shop: Workshop, setup: Setup): Promise<Running>;
}
