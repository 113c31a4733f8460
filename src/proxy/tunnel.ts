/**
 * Connections that weir passes on as raw bytes, with the `tcp_*` hooks: protocols it does not speak, hosts it was told
 * to leave alone.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import { type ClientConnection, markClosed, type ServerConnection } from "../flow/connection.ts";
import { TcpFlow, type TcpMessage } from "../flow/flow.ts";
import { internals } from "../flow/message.ts";
import type { Conn } from "../net/conn.ts";
import { relay } from "../net/relay.ts";
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
  const state = flow[internals];
  state.log = log;
  state.kill = () => {
    client.reset();
    server.reset();
  };
  try {
    await hooks.trigger("tcp_start", flow);
    const onData = hooks.has("tcp_message") ? tap : undefined;
    const { error } = await relay(client, server, { onData, signal: cut });
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
    client.close();
    server.close();
    markClosed(ends.serverConn);
    await hooks.trigger("server_disconnected", {
      server: ends.serverConn,
      clientConn: ends.clientConn,
      error: flow.error?.message ?? null,
    });
  }

  async function tap(chunk: Uint8Array, fromClient: boolean): Promise<Uint8Array> {
    // The relay reuses its buffer, and the message may be kept.
    const message: TcpMessage = { fromClient, content: chunk.slice(), timestamp: Date.now() };
    flow.record(message);
    await hooks.trigger("tcp_message", flow);
    return message.content;
  }
}
