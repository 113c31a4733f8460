/**
 * Downstream: one request on a client's connection, its head and body, and the response that is written to it.
 *
 * While it runs, the connection is watched for the client's end without reading more than one buffer ahead. A client that
 * ends its half after a whole request may still be reading (half-close); unless the system knows better, it counts as gone
 * when nothing moves for `HALF_CLOSE_GRACE_MS`.
 * @module
 */
import { type Conn, peerState } from "../net/mod.ts";
import type { Body } from "../streams/mod.ts";
import {
  type Abort,
  hasToken,
  type IncomingExchange,
  type RequestHead,
  type ResponseHead,
} from "../http/mod.ts";
import { WeirError } from "../errors.ts";
import { type BufferBody, incomingBody } from "./body.ts";
import type { Deadline } from "../timing.ts";
import { becomesTunnel, type BodyLength } from "./framing.ts";
import type { Parsed } from "./head.ts";
import { drain } from "./linger.ts";
import type { Output } from "./output.ts";
import type { ReadBuffer } from "./read_buffer.ts";
import { cut } from "./refusal.ts";
import { serialiseResponse, type WireHead } from "./serialise.ts";
import { writeBody, writeHead } from "./write_body.ts";

/**
 * After the client's FIN, silence of this length means that it is gone. Both are promised: half-close is respected, and
 * upstream is closed within 1 s of the client leaving, so what tells them apart where the system does not is whether
 * bytes still flow.
 */
export const HALF_CLOSE_GRACE_MS = 800;
/** How many times in that grace it is looked at: a client of which the system tells that it is gone need not be waited for. */
const PEER_CHECKS = 4;
/** A request body that nobody takes for this long is read ahead by one buffer, to notice that its client is gone. */
const STALL_CHECK_MS = 400;

/** What one exchange uses of its connection. */
export interface ServerLeg {
  readonly conn: Conn;
  readonly buffer: ReadBuffer;
  readonly output: Output;
  /** Expires into {@linkcode ServerExchange.check}. */
  readonly watch: Deadline;
  /** weir is shutting down: this response is the connection's last. */
  readonly closing: boolean;
}

type State = "open" | "responding" | "responded" | "failed" | "taken over";

/** See {@linkcode IncomingExchange}. */
export class ServerExchange implements IncomingExchange {
  readonly head: RequestHead;
  readonly body: BufferBody | null;
  readonly #leg: ServerLeg;
  readonly #http11: boolean;
  readonly #expectsContinue: boolean;
  #persist: boolean;
  #state: State = "open";
  #mode: WireHead["mode"] = "none";
  #tunnel = false;
  #interim: Promise<void> | null = null;
  #onGone: ((error: WeirError) => void) | null = null;
  #gone: WeirError | null = null;
  #failure: WeirError | null = null;
  #responseBody: Body | null = null;
  #rejectRespond: ((error: WeirError) => void) | null = null;
  #bodyRead = false;
  #progress = -1;
  #quietChecks = 0;

  constructor(leg: ServerLeg, parsed: Parsed<RequestHead>, length: BodyLength) {
    const { head, fields } = parsed;
    this.#leg = leg;
    this.head = head;
    this.#http11 = head.httpVersion === "HTTP/1.1";
    // RFC 9112 §9.3; clients of old say it in Proxy-Connection, which is not worth obeying.
    this.#persist = this.#http11
      ? !hasToken(fields.connection, "close")
      : hasToken(fields.connection, "keep-alive");
    this.#expectsContinue = fields.expectsContinue && this.#http11;
    this.body = length === 0 ? null : incomingBody(leg.buffer, length, (error) => this.#bodyOver(error));
    leg.buffer.onRead = () => this.#onRead();
    if (this.body === null) this.#watch();
    else leg.watch.set(STALL_CHECK_MS);
  }

  get moved(): number {
    return this.#leg.conn.moved ?? 0;
  }

  onGone(listener: (error: WeirError) => void): void {
    this.#onGone = listener;
    if (this.#gone !== null) listener(this.#gone);
  }

  async informational(head: ResponseHead): Promise<void> {
    if (!this.#http11 || this.#state !== "open") return;
    const wire = serialiseResponse(head, null, { method: this.head.method, http11: true, persist: true });
    const before = this.#interim;
    const writing = (async () => {
      if (before !== null) await before.catch(() => {});
      await writeHead(this.#leg.output, wire);
    })();
    this.#interim = writing;
    try {
      await writing;
    } catch (thrown) {
      throw this.#cut(thrown);
    }
  }

  respond(head: ResponseHead, body: Body | null): Promise<void> {
    // An abort settles it at once, also while `body` is waited for.
    return new Promise((resolve, reject) => {
      this.#rejectRespond = reject;
      this.#respond(head, body).then(resolve, reject);
    });
  }

  async #respond(head: ResponseHead, body: Body | null): Promise<void> {
    if (this.#interim !== null) await this.#interim.catch(() => {});
    if (this.#failure !== null) throw this.#failure;
    if (this.#state !== "open") throw new WeirError("weir", "internal", "A request was answered twice.");
    this.#persist &&= !this.#leg.closing && !this.#mustClose();
    const { output } = this.#leg;
    const leg = { method: this.head.method, http11: this.#http11, persist: this.#persist };
    const wire = serialiseResponse(head, body, leg);
    await output.head(wire.text, wire.lines);
    this.#state = "responding";
    this.#mode = wire.mode;
    this.#responseBody = body;
    if (wire.mode === "close") this.#persist = false;
    try {
      if (body !== null && wire.mode !== "none") await writeBody(output, wire.mode, body);
      else {
        body?.cancel(new WeirError("weir", "closed", "The response to this request has no body."));
        await output.flush();
      }
    } catch (thrown) {
      throw this.#cut(thrown);
    }
    if (this.#failure !== null) throw this.#failure;
    this.#state = "responded";
    this.#tunnel = becomesTunnel(this.head.method, head.statusCode);
  }

  takeOver(): Conn {
    if (this.#state !== "responded" || !this.#tunnel) {
      throw new WeirError("weir", "internal", "Only an upgraded connection can be taken over.");
    }
    this.#state = "taken over";
    this.#leg.watch.clear();
    return this.#leg.buffer.detach();
  }

  /** HTTP/1 has nothing shorter than a response. */
  passOn(): boolean {
    return false;
  }

  abort(error: WeirError, how: Abort = "close"): void {
    if (this.#state === "open" || this.#state === "responding") this.#cut(error, how);
  }

  /** The handler is done. True when the connection can serve the next request; else `lingers` says how to close it. */
  async finish(): Promise<boolean> {
    const { buffer, watch } = this.#leg;
    if (this.#state === "open") this.abort(new WeirError("weir", "internal", "A request was not answered."));
    buffer.onRead = null;
    watch.clear();
    if (this.#state !== "responded" || this.#tunnel || !this.#persist) return false;
    if (this.body !== null && !this.#bodyRead && !await drain(this.body)) return false;
    buffer.shrink();
    return !(buffer.finished && buffer.length === 0);
  }

  /** Closed already, or somebody else's. */
  get over(): boolean {
    return this.#state === "failed" || this.#state === "taken over";
  }

  /** The client may still be sending: its connection needs a lingering close. */
  get lingers(): boolean {
    return this.#leg.buffer.length > 0 || (this.body !== null && !this.#bodyRead);
  }

  /** The watch has expired: looks whether the client is still there. */
  check(): void {
    const { buffer, conn, output, watch } = this.#leg;
    if (this.#state !== "open" && this.#state !== "responding") return;
    const progress = output.taken + buffer.start;
    if (!buffer.ended) {
      if (this.#bodyRead || this.body === null) return;
      if (progress === this.#progress) buffer.readAhead();
      this.#progress = progress;
      watch.set(STALL_CHECK_MS);
      return;
    }
    const peer = peerState(conn);
    const isQuiet = peer !== "open" && progress === this.#progress;
    this.#progress = progress;
    this.#quietChecks = isQuiet ? this.#quietChecks + 1 : 0;
    if (peer !== "gone" && this.#quietChecks < PEER_CHECKS) {
      watch.set(HALF_CLOSE_GRACE_MS / PEER_CHECKS);
    } else this.#isGone(cut("client", "The client closed its connection before the response was complete."));
  }

  #bodyOver(error: WeirError | null): void {
    this.#bodyRead = error === null;
    if (error === null) this.#watch();
    else if (this.#leg.buffer.finished) this.#isGone(error);
  }

  /** The request is here: one read stays under way to see the client's end, or what it pipelines. */
  #watch(): void {
    const { buffer } = this.#leg;
    if (buffer.ended) this.#onRead();
    else if (buffer.length === 0) void buffer.read();
    else buffer.readAhead();
  }

  #onRead(): void {
    const { buffer, output, watch } = this.#leg;
    if (buffer.error !== null) this.#isGone(buffer.error);
    else if (buffer.ended) {
      this.#progress = output.taken + buffer.start;
      watch.set(HALF_CLOSE_GRACE_MS / PEER_CHECKS);
    } else if (this.body === null || this.#bodyRead) buffer.readAhead();
  }

  #isGone(error: WeirError): void {
    if (this.#gone !== null || (this.#state !== "open" && this.#state !== "responding")) return;
    this.#gone = error;
    this.#onGone?.(error);
  }

  /** The rest of the request cannot be told from the next one, or will not come. */
  #mustClose(): boolean {
    const { body } = this;
    if (body === null || this.#bodyRead) return false;
    if (body.over) return true;
    // RFC 9110 §10.1.1: a client that was not told to go on may never send its body.
    return this.#expectsContinue && !body.touched && this.#leg.buffer.length === 0;
  }

  /** Ends the connection so that the client sees an abort; bodies that end by close need a reset for it. */
  #cut(thrown: unknown, how: Abort = "close"): WeirError {
    if (this.#failure !== null) return this.#failure;
    const { buffer, conn, output, watch } = this.#leg;
    const error = WeirError.from(thrown, "client", "closed", "The client's connection broke");
    this.#failure = error;
    this.#state = "failed";
    watch.clear();
    buffer.onRead = null;
    buffer.fail(error);
    output.discard();
    if (this.#mode === "close" || how === "reset") conn.reset();
    else conn.close();
    this.#responseBody?.cancel(error);
    this.#rejectRespond?.(error);
    return error;
  }
}
