/**
 * Downstream: one client of the proxy, what is known of its connection, and what all layers of that connection need.
 * @module
 */
import type { ClientConnection } from "../flow/connection.ts";
import { markClosed, newId } from "../flow/connection.ts";
import { PlannedTunnel } from "../flow/planned_connection.ts";
import { IDLE_TIMEOUT_MS } from "../http/mod.ts";
import type { Address, Conn, TlsInfo } from "../net/mod.ts";
import type { ProxyAddress } from "../options/mod.ts";
import { messageOf } from "../errors.ts";
import { onAbort } from "../timing.ts";
import { certificateFromPem, type Leaf } from "../tls/mod.ts";
import type { Ahead } from "./connections_ahead.ts";
import type { ProxyContext } from "./context.ts";
import type { Origin } from "./route.ts";
import { dialRaw, type RawTls, runTunnel } from "./tunnel.ts";
import type { Dialed } from "./upstream_dialer.ts";

/** How long clients may be silent. */
export interface ClientTimeouts {
  /** Milliseconds for the first bytes of what they speak (default {@linkcode IDLE_TIMEOUT_MS}). */
  firstBytesTimeoutMs?: number;
  /** Milliseconds from the first byte of a ClientHello to its last (default `HEAD_TIMEOUT_MS`). */
  helloTimeoutMs?: number;
}

/** What is known of a client's connection; `tls` is set once it is decrypted. */
export class ClientFacts implements ClientConnection {
  readonly id: string = newId();
  readonly address: Address;
  readonly localAddress: Address;
  tls: TlsInfo | null = null;
  alpnOffers: readonly string[] = [];
  error: string | null = null;
  leaf: Leaf | null = null;
  readonly mode: string;
  readonly timestampStart: number = Date.now();
  timestampTlsSetup: number | null = null;
  timestampEnd: number | null = null;
  #shownCertificate: Uint8Array | null = null;

  /** `mode`: as written in the option. */
  constructor({ remoteAddr, localAddr }: Pick<Conn, "remoteAddr" | "localAddr">, mode: string) {
    this.address = remoteAddr;
    this.localAddress = localAddr;
    this.mode = mode;
  }

  /** With an identity of its own, so that what is bound to a connection is bound to the stream. */
  forStream(): ClientFacts {
    const facts = new ClientFacts({ remoteAddr: this.address, localAddr: this.localAddress }, this.mode);
    const { tls, alpnOffers, leaf, timestampTlsSetup } = this;
    return Object.assign(facts, { tls, alpnOffers, leaf, timestampTlsSetup });
  }

  /** Decoded when somebody asks: most connections are looked at by nobody. */
  get shownCertificate(): Uint8Array | null {
    if (this.leaf === null) return null;
    return this.#shownCertificate ??= certificateFromPem(this.leaf.cert);
  }
}

/** A client that is being served. */
export class Client {
  readonly context: ProxyContext;
  readonly facts: ClientFacts;
  readonly timeouts: ClientTimeouts;
  /** The proxy by which all goes on that nobody sends elsewhere; null: none. */
  readonly via: ProxyAddress | null;
  #ahead: Ahead | null = null;

  constructor(
    context: ProxyContext,
    facts: ClientFacts,
    timeouts: ClientTimeouts,
    via: ProxyAddress | null = null,
  ) {
    this.context = context;
    this.facts = facts;
    this.timeouts = timeouts;
    this.via = via;
  }

  /** The same client as one stream of its HTTP/2 connection has it; `end` it. */
  forStream(): Client {
    return new Client(this.context, this.facts.forStream(), this.timeouts, this.via);
  }

  /** Its connection is closed. */
  end(): void {
    markClosed(this.facts);
    this.context.pool.release(this.facts);
  }

  /** Tells the log, naming the client. */
  warn(text: string): void {
    const { hostname, port } = this.facts.address;
    this.context.log.warn(`${hostname}:${port}: ${text}`);
  }

  /** Waits for something on an idle connection; closes it when weir stops meanwhile, or it takes longer than `ms`. */
  async untilStopped<T>(
    conn: Conn,
    pending: Promise<T>,
    ms: number = this.timeouts.firstBytesTimeoutMs ?? IDLE_TIMEOUT_MS,
  ): Promise<T> {
    const { stopping } = this.context;
    const close = () => conn.close();
    const ignoreStopping = onAbort(stopping, close);
    const timer = setTimeout(close, ms);
    try {
      return await pending;
    } finally {
      clearTimeout(timer);
      ignoreStopping();
    }
  }

  /** The origin with the proxy by which it is to be reached, which addons may choose. */
  async routed(origin: Origin): Promise<Origin> {
    const { hooks } = this.context;
    const plan = { proxy: origin.via ?? this.via };
    if (hooks.has("tunnel_start")) {
      const address = { hostname: origin.host, port: origin.port };
      await hooks.trigger("tunnel_start", new PlannedTunnel(this.facts, address, plan));
    }
    return { ...origin, via: plan.proxy };
  }

  /** The connection to the origin that was made ahead; null when there was none. */
  get ahead(): Ahead | null {
    return this.#ahead;
  }

  /**
   * Connects to the origin before it is known what for; see `connections_ahead.ts`.
   * @throws {WeirError} of which the log has been told.
   */
  async connectAhead(origin: Origin): Promise<Ahead> {
    const { log, pool } = this.context;
    try {
      return this.#ahead = await pool.connectAhead({ ...origin, sni: null, isRaw: true }, this.facts);
    } catch (error) {
      log.warn(messageOf(error));
      throw error;
    }
  }

  /** Connects to the origin and relays bytes. @throws {WeirError} when it cannot be reached; the log has it. */
  async passThrough(origin: Origin, conn: Conn, tls?: RawTls): Promise<void> {
    await this.relay(conn, await dialRaw(this.context, origin, this.facts, tls));
  }

  /** As `passThrough`, for what weir was told to leave alone. */
  async leaveAlone(origin: Origin, conn: Conn): Promise<void> {
    await this.relay(conn, await dialRaw(this.context, origin, this.facts), { isLeftAlone: true });
  }

  /** Relays bytes until both directions have ended; addons need not see those that weir was told to leave alone. */
  async relay(
    client: Conn,
    { conn, serverConn }: Dialed,
    { isLeftAlone = false }: { isLeftAlone?: boolean } = {},
  ): Promise<void> {
    // Whoever guards the ways out sees all that leaves.
    const isShown = !isLeftAlone || this.context.options.show_ignored_hosts || Boolean(this.context.gate);
    await runTunnel(this.context, { clientConn: this.facts, client, serverConn, server: conn, isShown });
  }
}
