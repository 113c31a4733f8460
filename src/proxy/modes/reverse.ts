/**
 * `reverse:http(s)://host[:port]`: a stand-in for one origin, to which all requests go;
 * `reverse:tcp://host:port` and `reverse:tls://host:port`: for one to which all bytes go, as they are, or by
 * TLS, of which those inside are seen.
 * @module
 */
import type { Options, ReverseMode } from "../../options/mod.ts";
import type { Origin } from "../route.ts";
import type { Mode } from "./mode.ts";

/** The mode for a listener; `spec` is how it was written. */
export function reverse(spec: string, { scheme, host, port }: ReverseMode, options: Options): Mode {
  const isPlain = scheme === "http" || scheme === "tcp";
  const origin: Origin = { scheme: isPlain ? "http" : "https", host, port };
  return {
    spec,
    title: `Reverse to ${spec.slice("reverse:".length).split("@")[0]}: `,
    defaultPort: null,
    serve(conn, layers) {
      if (scheme === "tcp") return layers.bytes(conn, origin);
      if (scheme === "tls") return layers.tlsBytes(conn, origin);
      return layers.requests(conn, origin, { rewriteHost: !options.keep_host_header });
    },
  };
}
