/**
 * What differs between modes: where a connection leads that a listener has accepted, and as what it is
 * served.
 *
 * A mode is one small value, in a file of its own; what a connection speaks is found out in the same way in
 * all of them (`../client_connection.ts`). A new one needs its syntax (`../../options/mode.ts`), a file here,
 * and a line in `./mod.ts`.
 * @module
 */
import type { WeirError } from "../../errors.ts";
import type { Conn, TcpListener } from "../../net/mod.ts";
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
  /**
   * The port to listen at when neither the mode nor the user says one; null: the option `listen_port` has it.
   */
  readonly defaultPort: number | null;
  /**
   * What the mode needs of its listener, before that takes connections; it is called once. Returns what is to
   * be called when the listener and all its connections are closed. @throws {WeirError} one sentence for the
   * user.
   */
  open?(listener: TcpListener): () => void;
  /**
   * Serves one connection until it has ended: reads what the mode itself wants to know, then chooses a layer.
   */
  serve(conn: Conn, layers: Layers): Promise<void>;
}

/** What can be made of a connection. The bytes that come by it say which protocol it is, layer by layer. */
export interface Layers {
  /**
   * Requests: HTTP, or TLS with HTTP in it. `origin` is where all of them go; with null each says so itself,
   * by an absolute URL or with CONNECT.
   */
  requests(conn: Conn, origin: Origin | null, options?: RouteOptions): Promise<void>;
  /** Bytes, relayed to `origin` as they are. */
  bytes(conn: Conn, origin: Origin): Promise<void>;
  /** Bytes, relayed to `origin` by TLS, where the client may speak TLS or not. */
  tlsBytes(conn: Conn, origin: Origin): Promise<void>;
  /** Whatever may come through a connection that the client asks for by SOCKS5. */
  socks(conn: Conn): Promise<void>;
  /** Nothing: the log has the error, and so has a client that speaks HTTP. */
  refuse(conn: Conn, error: WeirError): Promise<void>;
  /** Whatever may come through a tunnel to `origin`: TLS, HTTP, or bytes that weir does not understand. */
  tunnel(conn: Conn, origin: Origin): Promise<void>;
}
