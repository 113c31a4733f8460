/**
 * No proxy at all: what the machine, the origin and the load leave room for.
 * @module
 */
import type { Peer } from "./peer.ts";

export const none: Peer = {
  name: "no proxy",
  prepare: () => Promise.resolve(null),
  version: () => Promise.resolve(""),
  start: () =>
    Promise.resolve({
      pid: null,
      startMs: NaN,
      via: (origin) => ({ kind: "server", port: Number(origin.split(":")[1]) }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};
