/**
 * `regular`: a proxy that clients know of. Each request, or CONNECT, says where it goes.
 * @module
 */
import type { Mode } from "./mode.ts";

/** The mode for a listener; `spec` is how it was written. */
export function regular(spec: string): Mode {
  return { spec, title: "", serve: (conn, layers) => layers.requests(conn, null) };
}
