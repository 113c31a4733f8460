/**
 * Upstream, the origin's leg (RFC 9113 §8, §9.1): one connection that carries many requests at a time.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { OutgoingExchange, UpstreamConnection } from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import { ClientExchange } from "./client_exchange.ts";
import { KeepAlive, type KeepAliveOptions } from "./keep_alive.ts";
import { Link } from "./link.ts";
import { Session } from "./session.ts";

/** Requests at a time when the server sets no lower limit; each may hold a stream window of memory. */
const MAX_EXCHANGES = 128;
/** §5.1.1: identifiers end at 2^31 - 1; a connection is given up before. */
const LAST_STREAM = 0x7fffff00;

/** A connection to an origin. It is at work from its construction until `done`. */
export class Http2Connection implements UpstreamConnection {
  readonly isShared = true;
  readonly isUpgraded = false;
  readonly done: Promise<void>;
  /** The server's SETTINGS are known, or the connection is over. */
  readonly ready: Promise<void>;
  readonly #conn: Conn;
  readonly #session: Session;
  readonly #keepAlive: KeepAlive;
  readonly #onReady: () => void;
  /** Exchanges that were handed out and have not opened their stream yet. */
  #reserved = 0;
  #exchanges = 0;

  /** `lenient`: see the option of that name. */
  constructor(conn: Conn, options: KeepAliveOptions & { lenient?: boolean } = {}) {
    this.#conn = conn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#onReady = resolve;
    const session = this.#session = new Session("client", {
      onPending: () => link.onPending(),
      onOver: () => {
        this.#keepAlive.watch(false);
        link.onOver();
      },
      onChange: () => this.#changed(),
    }, options);
    this.#keepAlive = new KeepAlive(options, () => session.ping(), () => {
      session.close(
        new WeirError("server", "timeout", "The server did not answer a PING over HTTP/2 in time."),
      );
    });
    const link = new Link(conn, session, { onRead: () => this.#keepAlive.heard() });
    this.done = link.run();
  }

  /** How many more exchanges can be had now; none any more after GOAWAY or the end of the connection. */
  get capacity(): number {
    const { over, goawayReceived, nextStream, peerSettings } = this.#session;
    if (over || goawayReceived || nextStream >= LAST_STREAM) return 0;
    return Math.max(0, Math.min(peerSettings.maxConcurrentStreams, MAX_EXCHANGES) - this.active);
  }

  /** The server has said its SETTINGS. */
  get speaksHttp2(): boolean {
    return this.#session.settled;
  }

  get requiresHttp1(): boolean {
    return this.#session.requiresHttp1;
  }

  /** Exchanges that are under way or were handed out. */
  get active(): number {
    return this.#session.streams.size + this.#reserved;
  }

  exchange(): OutgoingExchange {
    if (this.capacity === 0) {
      throw new WeirError("weir", "internal", "The HTTP/2 connection takes no further request now.");
    }
    this.#reserved++;
    let held = true;
    return new ClientExchange(this.#session, this.#conn, this.#exchanges++ > 0, () => {
      if (held) this.#reserved--;
      held = false;
      // Its stream may be open now, and wants to be kept alive.
      this.#changed();
    });
  }

  close(): void {
    this.#session.close(new WeirError("weir", "shutdown", "The connection to the server was closed here."));
  }

  #changed(): void {
    const { streams, settled, over } = this.#session;
    this.#keepAlive.watch(streams.size > 0 && !over);
    if (settled || over) this.#onReady();
  }
}
