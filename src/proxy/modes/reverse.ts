/**
 * `reverse:http(s)://host[:port]`: a stand-in for one origin, to which all requests go.
 * @module
 */
import type { Options, ReverseMode } from "../../options/mod.ts";
import type { Mode } from "./mode.ts";

/** The mode for a listener; `spec` is how it was written. */
export function reverse(spec: string, origin: ReverseMode, options: Options): Mode {
  return {
    spec,
    title: `Reverse to ${spec.slice("reverse:".length).split("@")[0]}: `,
    serve: (conn, layers) => layers.requests(conn, origin, { rewriteHost: !options.keep_host_header }),
  };
}
