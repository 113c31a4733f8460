/**
 * Moves the bytes of a {@linkcode Session} over a {@linkcode Conn}: the only place of HTTP/2 that waits for a socket.
 * @module
 */
import { WeirError } from "../errors.ts";
import { HEAD_TIMEOUT_MS, type ServeOptions } from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import type { Session } from "./session.ts";

/** Turns of the event queue that frames may join a write: the time that handlers take that have nothing to wait for. */
const GATHER_TURNS = 8;
/** How long the last frames (GOAWAY) may take, and how long the peer has to close after them. */
const CLOSE_GRACE_MS = 1000;

/** Where bytes go that nobody looks at any more; all connections share it. */
const LOST = new Uint8Array(16_384);

export interface LinkOptions extends Pick<ServeOptions, "firstBytes" | "headTimeoutMs"> {
  /** Called after every read. */
  onRead?: () => void;
}

/** One connection at work. Its session's `onPending` and `onOver` must call the methods of the same name. */
export class Link {
  readonly #conn: Conn;
  readonly #session: Session;
  readonly #options: LinkOptions;
  #writing = false;
  #whenIdle: (() => void) | null = null;
  #headTimer: ReturnType<typeof setTimeout> | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  #closing: Promise<void> | null = null;

  constructor(conn: Conn, session: Session, options: LinkOptions = {}) {
    this.#conn = conn;
    this.#session = session;
    this.#options = options;
  }

  /** Resolves when the connection is closed. Never rejects: the session's streams were told what happened. */
  async run(): Promise<void> {
    const session = this.#session;
    session.start();
    try {
      this.#feed(this.#options.firstBytes ?? new Uint8Array(0));
      for (;;) {
        const count = await this.#conn.read(session.over ? LOST : session.space());
        if (count === null) break;
        session.filled(count);
        this.#options.onRead?.();
        this.#watchHead();
      }
      session.end(new WeirError(session.peer, "closed", `The ${session.peer} closed the HTTP/2 connection.`));
    } catch (thrown) {
      session.end(
        WeirError.from(thrown, session.peer, "closed", `The ${session.peer}'s HTTP/2 connection broke`),
      );
    }
    await this.#close();
    session.reader.close();
    clearTimeout(this.#headTimer);
    clearTimeout(this.#closeTimer);
    this.#conn.close();
  }

  onPending(): void {
    if (this.#writing) return;
    this.#writing = true;
    void this.#write();
  }

  onOver(): void {
    void this.#close();
  }

  async #write(): Promise<void> {
    const session = this.#session;
    try {
      for (;;) {
        for (let turn = 0; turn < GATHER_TURNS; turn++) await null;
        const bytes = session.take();
        if (bytes.length === 0) break;
        await this.#conn.write(bytes);
        session.taken();
      }
    } catch (thrown) {
      session.cannotWrite(
        WeirError.from(
          thrown,
          session.peer,
          "closed",
          `The ${session.peer}'s HTTP/2 connection takes no more`,
        ),
      );
      this.#conn.close();
    }
    this.#writing = false;
    this.#whenIdle?.();
  }

  /**
   * The session is over: writes what is left and says that it was the last. A client then gets a moment to close first,
   * since closing with bytes unread would reset the connection and take the GOAWAY from it. Idempotent; never rejects.
   */
  #close(): Promise<void> {
    return this.#closing ??= this.#closeOnce();
  }

  async #closeOnce(): Promise<void> {
    this.#closeTimer = setTimeout(() => this.#conn.reset(), CLOSE_GRACE_MS);
    if (this.#writing) await new Promise<void>((resolve) => this.#whenIdle = resolve);
    try {
      if (this.#session.role === "server") await this.#conn.closeWrite();
      else this.#conn.close();
    } catch {
      // The peer was faster.
      this.#conn.close();
    }
  }

  #feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.#session.over;) {
      const space = this.#session.space();
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      at += part.length;
      this.#session.filled(part.length);
    }
    this.#watchHead();
  }

  /** Sees to it that a head that has begun is complete in time. The timer runs on when another one begins. */
  #watchHead(): void {
    const session = this.#session;
    if (this.#headTimer !== undefined || session.over || !session.midHead) return;
    const count = session.headCount;
    this.#headTimer = setTimeout(() => {
      this.#headTimer = undefined;
      if (!session.midHead || session.headCount !== count) return this.#watchHead();
      session.end(
        new WeirError(session.peer, "timeout", `The ${session.peer} did not complete a head in time.`),
      );
    }, this.#options.headTimeoutMs ?? HEAD_TIMEOUT_MS);
  }
}
