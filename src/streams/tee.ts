/**
 * Keeping a copy of a body on its way.
 * @module
 */
import { observe } from "./observe.ts";
import type { Stage } from "./stage.ts";
import type { StoredBody } from "./store.ts";

/**
 * Copies a body into `stored`. A piece goes out before it is written; the next one waits for the disk. That
 * recording fails or is given up does not touch the body.
 */
export function tee(stored: StoredBody): Stage {
  return observe({ piece: (bytes) => stored.append(bytes), end: (error) => stored.end(error) });
}
