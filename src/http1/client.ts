/**
 * Upstream, the server's leg: one connection to an origin, used for one exchange after another (RFC 9112 §9.3).
 *
 * While it is idle one read stays under way, so that the server's end, or bytes nobody asked for, make it unusable at
 * once and not at the next request.
 * @module
 */
import type { Conn } from "../net/mod.ts";
import type { OutgoingExchange, UpstreamConnection } from "../http/mod.ts";
import { WeirError } from "../errors.ts";
import { ClientExchange, type ClientLeg } from "./client_exchange.ts";
import { HeadScanner } from "./head_scanner.ts";
import { Output } from "./output.ts";
import type { ProxyLeg } from "./proxy_leg.ts";
import { ReadBuffer } from "./read_buffer.ts";

export interface Http1ConnectionOptions {
  readonly lenient?: boolean;
  readonly proxy?: ProxyLeg | null;
}

/** A connection to an origin, or to a proxy that takes requests to origins. */
export class Http1Connection implements UpstreamConnection {
  readonly isShared = false;
  readonly requiresHttp1 = false;
  readonly ready: Promise<void> = Promise.resolve();
  readonly done: Promise<void>;
  readonly #end: () => void;
  readonly #conn: Conn;
  readonly #leg: ClientLeg;
  #state: "idle" | "busy" | "closed" = "idle";
  #upgraded = false;
  #isHttp2Only = false;
  /** Exchanges that ran to their end here. */
  #served = 0;

  /** `lenient`: see the option of that name; `proxy`: null (the default) where it leads to an origin. */
  constructor(conn: Conn, { lenient = false, proxy = null }: Http1ConnectionOptions = {}) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#end = resolve;
    this.#conn = conn;
    this.#leg = {
      conn,
      buffer: new ReadBuffer(conn, "server"),
      output: new Output(conn),
      scanner: new HeadScanner("server", true, { lenient }),
      lenient,
      proxy,
      onOver: (reusable) => this.#over(reusable),
      onUpgraded: () => {
        this.#upgraded = true;
        this.#unusable();
      },
      onHttp2Only: () => this.#isHttp2Only = true,
    };
    this.#watch();
  }

  /** One while it is idle and, as far as is known, open. */
  get capacity(): number {
    return this.#state === "idle" ? 1 : 0;
  }

  get active(): number {
    return this.#state === "busy" ? 1 : 0;
  }

  get isUpgraded(): boolean {
    return this.#upgraded;
  }

  get speaksHttp2(): boolean {
    return this.#isHttp2Only;
  }

  exchange(): OutgoingExchange {
    if (this.#state !== "idle") {
      throw new WeirError(
        "weir",
        "internal",
        `An exchange was started on a connection that is ${this.#state}.`,
      );
    }
    this.#state = "busy";
    this.#leg.buffer.onRead = null;
    return new ClientExchange(this.#leg, this.#served > 0);
  }

  close(): void {
    this.#leg.buffer.fail(
      new WeirError("weir", "closed", "The connection to the server was closed by weir."),
    );
    this.#conn.close();
    this.#unusable();
  }

  #over(reusable: boolean): void {
    const { buffer } = this.#leg;
    if (this.#state !== "busy") return;
    // RFC 9112 §9.2: bytes after the last response answer nothing that was asked.
    if (!reusable || buffer.length > 0 || buffer.finished) {
      this.#conn.close();
      return this.#unusable();
    }
    this.#served++;
    this.#state = "idle";
    buffer.shrink();
    this.#watch();
  }

  #watch(): void {
    const { buffer } = this.#leg;
    buffer.onRead = () => {
      this.#conn.close();
      this.#unusable();
    };
    void buffer.read();
  }

  #unusable(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#leg.buffer.onRead = null;
    this.#end();
  }
}
