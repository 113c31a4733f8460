/**
 * `transparent`: connections that the kernel has redirected to weir, whose clients know nothing of a proxy
 * (Linux). What comes by them is looked at as after CONNECT.
 * @module
 */
import { WeirError } from "../../errors.ts";
import { OriginalDestinations, TcpConn } from "../../net/mod.ts";
import type { Mode } from "./mode.ts";

/** The mode for a listener; `spec` is how it was written. */
export function transparent(spec: string): Mode {
  let destinations: OriginalDestinations | null = null;
  return {
    spec,
    title: "Transparent: ",
    defaultPort: null,
    open(listener) {
      const opened = destinations = OriginalDestinations.open(listener);
      return () => opened.close();
    },
    async serve(conn, layers) {
      if (destinations === null || !(conn instanceof TcpConn)) {
        throw new WeirError(
          "weir",
          "internal",
          "Where a connection was going can be asked of a listener's own alone.",
        );
      }
      try {
        const { hostname: host, port } = destinations.of(conn);
        await layers.tunnel(conn, { scheme: "http", host, port });
      } catch (error) {
        if (!(error instanceof WeirError) || error.code !== "loop") throw error;
        await layers.refuse(conn, error);
      }
    },
  };
}
