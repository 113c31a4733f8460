/**
 * Connections that weir passes on as raw bytes, with the `tcp_*` hooks: protocols it does not speak, hosts it was told
 * to leave alone.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { type ClientConnection, markClosed, type ServerConnection } from "../flow/connection.ts";
import { TcpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import { PassingTcpMessage } from "../flow/tcp_history.ts";
import { type Conn, relay } from "../net/mod.ts";
import type { ProxyContext } from "./context.ts";
import type { Target } from "./route.ts";
import type { Dialled } from "./upstream_dialer.ts";

/** Both ends of a tunnel. */
export interface TunnelEnds {
  readonly clientConn: ClientConnection;
  readonly client: Conn;
  readonly serverConn: ServerConnection;
  readonly server: Conn;
}

/** Connects to the origin. @throws {WeirError} when it cannot be reached; the log has it, as the client may never know. */
export async function dialRaw(
  { pool, log }: ProxyContext,
  target: Target,
  clientConn: ClientConnection,
): Promise<Dialled> {
  try {
    return await pool.connect({ ...target, sni: null }, clientConn);
  } catch (error) {
    log.warn(messageOf(error));
    throw error;
  }
}

/** Closes a connection that found no use. */
export async function hangUp(
  { hooks }: ProxyContext,
  { conn, server }: Dialled,
  clientConn: ClientConnection,
): Promise<void> {
  conn.close();
  markClosed(server);
  await hooks.trigger("server_disconnected", { server, clientConn, error: null });
}

/** Relays until both directions have ended. Never rejects; both connections are closed afterwards. */
export async function runTunnel(context: ProxyContext, ends: TunnelEnds): Promise<void> {
  const { hooks, log, cut } = context;
  const { client, server } = ends;
  const flow = new TcpFlow(ends.clientConn);
  flow.serverConn = ends.serverConn;
  flow.history.bookIn(context.memory);
  const state = flow[internals];
  state.log = log;
  state.kill = () => {
    client.reset();
    server.reset();
  };
  try {
    await hooks.trigger("tcp_start", flow);
    const { error } = await relay(client, server, { onData: tap, signal: cut });
    if (error !== null) throw error;
    state.ended = true;
    await hooks.trigger("tcp_end", flow);
  } catch (thrown) {
    const cause = state.killed
      ? new WeirError("weir", "killed", "The flow was killed.")
      : WeirError.from(thrown, "weir", "closed", "The tunnel broke");
    flow.error = { message: cause.message, timestamp: Date.now(), cause };
    state.ended = true;
    await hooks.trigger("tcp_error", flow);
  } finally {
    state.kill = null;
    flow.history.end();
    client.close();
    server.close();
    markClosed(ends.serverConn);
    await hooks.trigger("server_disconnected", {
      server: ends.serverConn,
      clientConn: ends.clientConn,
      error: flow.error?.message ?? null,
    });
  }

  /** Nothing is made or copied of a chunk at which no addon looks. */
  function tap(chunk: Uint8Array, fromClient: boolean): Uint8Array | Promise<Uint8Array> {
    if (fromClient) flow.bytesFromClient += chunk.length;
    else flow.bytesFromServer += chunk.length;
    const isKept = hooks.keepsTcp;
    if (!isKept && !hooks.has("tcp_message")) return chunk;
    const message = new PassingTcpMessage(fromClient, chunk);
    if (isKept) message.copy();
    flow.record(message);
    const passed = () => {
      if (isKept) flow.history.settle(message);
      else flow.history.drop(message);
      return message.passed();
    };
    const pending = hooks.trigger("tcp_message", flow);
    return pending === undefined ? passed() : pending.then(passed);
  }
}
