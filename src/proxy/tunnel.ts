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
import { isUnknown } from "./protocol.ts";
import type { Run } from "./running.ts";
import type { Destination, Origin } from "./route.ts";
import type { Dialed } from "./upstream_dialer.ts";
import type { UpstreamTls } from "./upstream_pool.ts";

/** Both ends of a tunnel. */
export interface TunnelEnds {
  readonly clientConn: ClientConnection;
  readonly client: Conn;
  readonly serverConn: ServerConnection;
  readonly server: Conn;
  /** The `tcp_*` hooks run (default true). */
  readonly isShown?: boolean;
}

/** What TLS to an origin begins with, as the client's did. */
export interface RawTls {
  readonly sni: string | null;
  /** Protocols to offer; empty: none. */
  readonly alpn: readonly string[];
}

/** Connects to the origin. @throws {WeirError} when it cannot be reached; the log has it, as the client may never know. */
export async function dialRaw(
  context: ProxyContext,
  origin: Origin,
  clientConn: ClientConnection,
  { sni, alpn }: RawTls = { sni: null, alpn: [] },
): Promise<Dialed> {
  const { pool, log, gate = null } = context;
  let dialed: Dialed | null = null;
  try {
    mayPass(gate?.raw(clientConn, origin, null));
    dialed = await pool.connect({ ...origin, sni, isRaw: true }, clientConn, alpn);
    // Behind a further proxy only that knows the address.
    const address = origin.via ? null : dialed.serverConn.peerAddress?.hostname ?? null;
    mayPass(gate?.raw(clientConn, origin, address, { isOpen: true }));
    return dialed;
  } catch (error) {
    if (dialed !== null) await hangUp(context, dialed, clientConn);
    if (error instanceof WeirError && error.code === "policy") gate?.raw(clientConn, origin, null, { error });
    log.warn(messageOf(error));
    throw error;
  }
}

/** @throws {WeirError} for a reason why raw bytes may not pass. */
function mayPass(refusal: string | null | undefined): void {
  if (refusal) throw new WeirError("weir", "policy", refusal, { statusCode: 403 });
}

/**
 * Passes a client's offer on that names protocols weir does not speak (RFC 7301). The connection, where the origin has chosen
 * one of those; null when there is nothing to ask, or the origin cannot be reached, or chose what weir speaks or nothing.
 */
export async function dialUnknown(
  context: ProxyContext,
  destination: Destination,
  offered: readonly string[],
  clientConn: ClientConnection,
): Promise<Dialed | null> {
  // Behind a gate there is no protocol but HTTP, unless a connection is passed on as a whole.
  if (!offered.some(isUnknown) || context.gate) return null;
  let dialed: Dialed;
  try {
    dialed = await context.pool.connect(destination, clientConn, offered);
  } catch (error) {
    // Without the offer it may go better, and else is told of then.
    context.log.debug(`${destination.host} was offered ${offered.join(", ")}: ${messageOf(error)}`);
    return null;
  }
  const chosen = dialed.conn.tls?.alpn ?? null;
  if (chosen !== null && isUnknown(chosen)) return dialed;
  await hangUp(context, dialed, clientConn);
  return null;
}

/** What the origin at the other end has shown. */
export function shownBy({ conn: { tls } }: Dialed): UpstreamTls {
  return { certificates: tls?.peerCertificates ?? [], alpn: tls?.alpn ?? null };
}

/** Closes a connection that found no use. */
export async function hangUp(
  { hooks }: ProxyContext,
  { conn, serverConn }: Dialed,
  clientConn: ClientConnection,
): Promise<void> {
  conn.close();
  markClosed(serverConn);
  await hooks.trigger("server_disconnected", { server: serverConn, clientConn, error: null });
}

/** Relays until both directions have ended. Never rejects; both connections are closed afterwards. */
export async function runTunnel(context: ProxyContext, ends: TunnelEnds): Promise<void> {
  const { hooks, log } = context;
  const { client, server, isShown = true } = ends;
  const flow = new TcpFlow(ends.clientConn);
  flow.serverConn = ends.serverConn;
  flow.history.bookIn(context.memory);
  const state = flow[internals];
  state.log = log;
  const stop = new AbortController();
  const run: Run = {
    flow,
    cut: (error) => stop.abort(error),
    get moved() {
      return flow.bytesFromClient + flow.bytesFromServer + (client.moved ?? 0) + (server.moved ?? 0);
    },
    get isHeld() {
      return state.addon !== null;
    },
    onStalled(seconds) {
      const text = `The tunnel has moved nothing for ${seconds} s (option idle_timeout).`;
      stop.abort(new WeirError("weir", "timeout", text));
    },
  };
  state.kill = () => {
    client.reset();
    server.reset();
  };
  const place = context.running.add(run);
  try {
    if (context.cut.aborted) stop.abort(context.cut.reason);
    if (isShown) await hooks.trigger("tcp_start", flow);
    const { error } = await relay(client, server, { onData: tap, signal: stop.signal });
    if (error !== null) throw error;
    state.ended = true;
    if (isShown) await hooks.trigger("tcp_end", flow);
  } catch (thrown) {
    const cause = state.killed
      ? new WeirError("weir", "killed", "The flow was killed.")
      : WeirError.from(thrown, "weir", "closed", "The tunnel broke");
    flow.error = { message: cause.message, timestamp: Date.now(), cause };
    state.ended = true;
    if (isShown) await hooks.trigger("tcp_error", flow);
  } finally {
    state.kill = null;
    context.running.remove(place);
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
    if (!isShown || (!isKept && !hooks.has("tcp_message"))) return chunk;
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
