/**
 * The origin's leg (RFC 9113 §8, §9.1): one connection that carries many requests at a time.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { OutgoingExchange } from "../flow/wire.ts";
import type { Conn } from "../net/conn.ts";
import { ClientExchange } from "./client_exchange.ts";
import { KeepAlive, type KeepAliveOptions } from "./keep_alive.ts";
import { Link } from "./link.ts";
import { Session } from "./session.ts";

/** Requests at a time when the server sets no lower limit; each may hold a stream window of memory. */
const MAX_EXCHANGES = 128;
/** §5.1.1: identifiers end at 2^31 - 1; a connection is given up before. */
const LAST_STREAM = 0x7fffff00;

/** A connection to an origin. It is at work from its construction until `done`. */
export class Http2Connection {
  /** Resolves when the connection is closed. Never rejects. */
  readonly done: Promise<void>;
  /** Resolves when the server's limits are known, or the connection is over. Never rejects. */
  readonly ready: Promise<void>;
  readonly #conn: Conn;
  readonly #session: Session;
  readonly #keepAlive: KeepAlive;
  #unusable = false;
  #onUnusable: (() => void) | null = null;
  #onChange: (() => void) | null = null;
  readonly #onReady: () => void;
  /** Exchanges that were handed out and have not opened their stream yet. */
  #reserved = 0;
  #exchanges = 0;

  constructor(conn: Conn, options: KeepAliveOptions = {}) {
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
    });
    this.#keepAlive = new KeepAlive(options, () => session.ping(), () => {
      session.close(
        new WeirError("server", "timeout", "The server did not answer a PING over HTTP/2 in time."),
      );
    });
    const link = new Link(conn, session, { onRead: () => this.#keepAlive.heard() });
    this.done = link.run();
  }

  /** False when no further request can be sent: after GOAWAY or the end of the connection. */
  get usable(): boolean {
    const session = this.#session;
    return !session.over && !session.goawayReceived && !session.goawaySent &&
      session.nextStream < LAST_STREAM;
  }

  /** How many more exchanges can be had now. */
  get capacity(): number {
    if (!this.usable) return 0;
    return Math.max(
      0,
      Math.min(this.#session.peerSettings.maxConcurrentStreams, MAX_EXCHANGES) - this.active,
    );
  }

  /** Exchanges that are under way or were handed out. */
  get active(): number {
    return this.#session.streams.size + this.#reserved;
  }

  /**
   * One more request; it takes a place until it has ended or was aborted.
   * @throws {WeirError} without capacity.
   */
  exchange(): OutgoingExchange {
    if (this.capacity === 0) {
      throw new WeirError("weir", "internal", "The HTTP/2 connection takes no further request now.");
    }
    this.#reserved++;
    let held = true;
    const release = () => {
      if (held) this.#reserved--;
      held = false;
    };
    return new ClientExchange(this.#session, this.#conn, this.#exchanges++ > 0, () => {
      release();
      this.#changed();
    });
  }

  /** Calls back once, as soon as no further request can be sent. Open ones may still be finished. */
  onUnusable(listener: () => void): void {
    if (this.#unusable) listener();
    else this.#onUnusable = listener;
  }

  /** Calls back whenever `capacity` or `active` may have changed. At most one listener. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Takes no further request and closes when the open ones are done. */
  drain(): void {
    this.#session.drain();
  }

  /** Closes now; open exchanges fail. */
  close(): void {
    this.#session.close(new WeirError("weir", "shutdown", "The connection to the server was closed here."));
  }

  #changed(): void {
    const { streams, settled, over } = this.#session;
    this.#keepAlive.watch(streams.size > 0 && !over);
    if (settled || over) this.#onReady();
    if (!this.#unusable && !this.usable) {
      this.#unusable = true;
      this.#onUnusable?.();
    }
    this.#onChange?.();
  }
}
