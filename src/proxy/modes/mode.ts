/**
 * What differs between modes: where a connection leads that a listener has accepted, and as what it is served.
 *
 * A mode is one small value, in a file of its own; what a connection speaks is found out in the same way in all of them
 * (`../client_connection.ts`). A new one needs its syntax (`../../options/mode.ts`), a file here, and a line in `./mod.ts`.
 * @module
 */
import type { Conn } from "../../net/mod.ts";
import type { ProxyAddress } from "../../options/mod.ts";
import type { Origin, RouteOptions } from "../route.ts";

/** The mode of one listener. */
export interface Mode {
  /** As written in the option. */
  readonly spec: string;
  /** What stands in front of "HTTP proxy listening at …" in the log. */
  readonly title: string;
  /** The proxy by which all goes on that nobody sends elsewhere; left out: none. */
  readonly via?: ProxyAddress;
  /** Serves one connection until it has ended: reads what the mode itself wants to know, then chooses a layer. */
  serve(conn: Conn, layers: Layers): Promise<void>;
}

/** What can be made of a connection. The bytes that come by it say which protocol it is, layer by layer. */
export interface Layers {
  /**
   * Requests: HTTP, or TLS with HTTP in it. `origin` is where all of them go; with null each says so itself, by an absolute
   * URL or with CONNECT.
   */
  requests(conn: Conn, origin: Origin | null, options?: RouteOptions): Promise<void>;
  /** Whatever may come through a tunnel to `origin`: TLS, HTTP, or bytes that weir does not understand. */
  tunnel(conn: Conn, origin: Origin): Promise<void>;
}
