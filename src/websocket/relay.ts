/**
 * A WebSocket connection between client and server after the handshake: two directions, and how they end (RFC 6455 §7).
 *
 * The directions never wait for each other. Every end is told honestly: a Close frame is passed on and the answer
 * awaited; a lost connection is a lost connection for the other peer too, with no Close frame; who broke the
 * protocol is told so, and the other that its peer is gone.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { internals } from "../internals.ts";
import type { WebSocketControl, WebSocketData, WebSocketMessage } from "./conversation.ts";
import type { Conn } from "../net/mod.ts";
import { settlesWithin } from "../timing.ts";
import { type Close, CloseCode, WebSocketError } from "./close.ts";
import { Direction } from "./direction.ts";
import type { DeflateParams } from "./extensions.ts";
import { FrameWriter } from "./writer.ts";

/** How long a Close frame may stay unanswered, in milliseconds. */
const CLOSE_TIMEOUT = 5_000;
/** How long a peer may take to close its connection after the last frame; it has a second to read what we sent. */
const LINGER = 1_000;

export interface RelayOptions {
  /** Both ends after the 101, early bytes included. The relay closes them. */
  readonly client: Conn;
  readonly server: Conn;
  /** What `checkResponse` gave: the same on both legs. */
  readonly deflate: DeflateParams | null;
  /** `data.stream` decides, once, between message mode and stream mode. */
  readonly data: WebSocketData;
  /** Most bytes of a message, inflated (`websocket_message_limit`). */
  readonly messageLimit: number;
  /** Runs the hooks. Leave it out when there are none: messages then pass without a promise. */
  readonly onMessage?: (message: WebSocketMessage) => Promise<void> | void;
  /** Milliseconds that a Close frame may stay unanswered (default 5 s). */
  readonly closeTimeout?: number;
  /** Tells the log. */
  readonly warn?: (text: string) => void;
}

/** A relay that runs. */
export interface WebSocketRelay {
  /**
   * Resolves, and never rejects, when both connections are closed and no hook is under way: null after a closing handshake,
   * else what went wrong.
   */
  readonly ended: Promise<WeirError | null>;
  /** Cuts both connections at once. */
  kill(): void;
}

/** Starts to relay. */
export function relayWebSocket(options: RelayOptions): WebSocketRelay {
  const relay = new Relay(options);
  return { ended: relay.run(), kill: () => relay.kill() };
}

/** One peer as the relay sees it. */
interface Leg {
  readonly side: Side;
  readonly conn: Conn;
  readonly writer: FrameWriter;
  /** What this peer sends. */
  readonly direction: Direction;
  /** Settles when `direction` has ended. */
  pump: Promise<void>;
}

class Relay implements WebSocketControl {
  readonly #data: WebSocketData;
  readonly #client: Leg;
  readonly #server: Leg;
  readonly #closeTimeout: number;
  readonly #stop = Promise.withResolvers<never>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** A Close frame was seen or sent. */
  #closing = false;
  #over = false;

  constructor(options: RelayOptions) {
    const { data, client, server, deflate } = options;
    this.#data = data;
    this.#closeTimeout = options.closeTimeout ?? CLOSE_TIMEOUT;
    const warn = options.warn ?? (() => {});
    let warned = false;
    const onSealed = () => {
      if (warned) return;
      warned = true;
      warn("Changes to WebSocket messages have no effect while the connection is streamed.");
    };
    const toClient = new FrameWriter("client", client), toServer = new FrameWriter("server", server);
    const onLost = (error: WeirError) => this.#stop.reject(error);
    const common = {
      data,
      limit: options.messageLimit,
      onMessage: options.onMessage,
      warn,
      onSealed,
      onLost,
    };
    const up = new Direction({
      ...common,
      from: "client",
      source: client,
      out: toServer,
      deflate: deflate &&
        { windowBits: deflate.clientMaxWindowBits, takeover: !deflate.clientNoContextTakeover },
    });
    const down = new Direction({
      ...common,
      from: "server",
      source: server,
      out: toClient,
      deflate: deflate &&
        { windowBits: deflate.serverMaxWindowBits, takeover: !deflate.serverNoContextTakeover },
    });
    const pump = Promise.resolve();
    this.#client = { side: "client", conn: client, writer: toClient, direction: up, pump };
    this.#server = { side: "server", conn: server, writer: toServer, direction: down, pump };
    this.#stop.promise.catch(() => {});
  }

  async run(): Promise<WeirError | null> {
    const legs = [this.#client, this.#server];
    this.#client.pump = this.#pump(this.#client, this.#server);
    this.#server.pump = this.#pump(this.#server, this.#client);
    const pumps = Promise.all(legs.map(({ pump }) => pump));
    this.#data[internals].attach(this);
    let error: WeirError | null = null;
    try {
      await Promise.race([pumps, this.#stop.promise]);
    } catch (thrown) {
      error = this.#conclude(
        WeirError.from(thrown, "weir", "internal", "Relaying a WebSocket connection failed"),
      );
    }
    this.#over = true;
    clearTimeout(this.#timer);
    for (const { direction } of legs) direction.discard();
    if (error?.code !== "killed") await this.#linger(error);
    for (const { conn } of legs) conn.close();
    await Promise.allSettled(legs.map(({ pump }) => pump));
    await Promise.all(legs.map(({ direction }) => direction.finish()));
    this.#data[internals].detach();
    return error;
  }

  inject(message: WebSocketMessage): Promise<void> {
    return (message.fromClient ? this.#client : this.#server).direction.inject(message);
  }

  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#closed({ code, reason }, null);
    for (const { direction, writer } of [this.#client, this.#server]) {
      direction.discard();
      writer.close({ code, reason });
      writer.flush().catch(() => {});
    }
  }

  kill(): void {
    this.#stop.reject(new WeirError("weir", "killed", "The WebSocket connection was killed."));
    for (const { conn, direction } of [this.#client, this.#server]) {
      direction.abandon();
      conn.reset();
    }
  }

  async #pump(leg: Leg, peer: Leg): Promise<void> {
    try {
      this.#closed(await leg.direction.run(), leg.side === "client");
    } catch (thrown) {
      const error = WeirError.from(thrown, "weir", "internal", "Relaying a WebSocket connection failed");
      if (error.side !== peer.side || error.code !== "closed") throw error;
      // The peer does not take any more. Why, it may have said in a Close frame that is still to be read.
      this.#startTimer();
      await peer.pump;
    }
  }

  /** The first Close frame counts. */
  #closed({ code, reason }: Close, byClient: boolean | null): void {
    if (!this.#closing) {
      this.#closing = true;
      this.#note(code, reason, byClient);
    }
    this.#startTimer();
  }

  #note(code: number, reason: string, byClient: boolean | null): void {
    this.#data.closeCode = code;
    this.#data.closeReason = reason;
    this.#data.closedByClient = byClient;
  }

  #startTimer(): void {
    if (this.#over) return;
    this.#timer ??= setTimeout(() => {
      const text = `The closing handshake of a WebSocket connection took more than ${
        this.#closeTimeout / 1000
      } s.`;
      this.#stop.reject(new WeirError("weir", "timeout", text));
    }, this.#closeTimeout);
  }

  /** Something went wrong: says so to those who can still be told. */
  #conclude(error: WeirError): WeirError | null {
    const lost = error.code === "closed";
    // Many a peer answers a Close frame by closing its connection. Nobody was cut off in mid sentence.
    if (lost && this.#closing) return null;
    const tell = !lost && error.code !== "killed" && error.code !== "timeout";
    const code = error instanceof WebSocketError ? error.closeCode : CloseCode.internalError;
    if (!this.#closing) {
      this.#note(tell ? code : CloseCode.abnormal, error.message, lost ? error.side === "client" : null);
    }
    this.#closing = true;
    if (!tell) return error;
    for (const { side, writer } of [this.#client, this.#server]) {
      if (side === error.side || error.side === "weir") writer.close({ code, reason: error.message });
      else if (side === "server") writer.close({ code: CloseCode.goingAway, reason: "The client is gone." });
      else writer.close({ code: CloseCode.internalError, reason: "The connection to the server failed." });
    }
    return error;
  }

  /** Lets what was written arrive: closing a socket with unread bytes would reset it, last frames and all. */
  async #linger(error: WeirError | null): Promise<void> {
    const settled = Promise.allSettled([
      this.#settle(this.#client, this.#server, true),
      // RFC 6455 §7.1.1: the server closes first, and has the TIME_WAIT.
      this.#settle(this.#server, this.#client, error !== null),
    ]);
    await settlesWithin(LINGER, Promise.race([settled, this.#stop.promise]));
  }

  async #settle({ conn, writer, pump }: Leg, feeder: Leg, endFirst: boolean): Promise<void> {
    if (writer.closeDue) await feeder.pump.catch(() => {});
    await writer.flush();
    if (endFirst) await conn.closeWrite();
    await pump.catch(() => {});
    const into = new Uint8Array(4096);
    while (await conn.read(into) !== null);
  }
}
