/**
 * Downstream, the client's leg (RFC 9113 §8): every stream that a client opens is one {@linkcode IncomingExchange}, and its handlers
 * run side by side.
 * @module
 */
import { WeirError } from "../errors.ts";
import { onAbort } from "../timing.ts";
import {
  type ExchangeHandler,
  hasNoBody,
  Headers,
  IDLE_TIMEOUT_MS,
  type IncomingExchange,
  MAX_START_LINE,
  type RequestHead,
  type ResponseHead,
  type ServeOptions,
} from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import type { Body } from "../streams/mod.ts";
import { isPassedOn, resetCode, StreamError } from "./errors.ts";
import { contentLength, type LengthRule, throwMalformed } from "./field_rules.ts";
import type { DecodedFields } from "./hpack/decoder.ts";
import { IdleWatch } from "./idle.ts";
import { Link } from "./link.ts";
import { readRequestHead } from "./request_head.ts";
import { responseFields } from "./response_head.ts";
import { sendMessage } from "./send_message.ts";
import { Session } from "./session.ts";
import { MAX_CONCURRENT_STREAMS } from "./settings.ts";
import type { Stream, StreamListener } from "./stream.ts";
import { StreamConn } from "./stream_conn.ts";

/**
 * Handlers that may run at a time on one connection. A reset stream frees its place on the wire before its handler has
 * ended, so this is more than MAX_CONCURRENT_STREAMS; beyond it new streams are refused (CVE-2023-44487).
 */
const MAX_HANDLERS = 2 * MAX_CONCURRENT_STREAMS;

/** Serves one connection; resolves when it is closed and every handler has settled. Never rejects. */
export async function serveHttp2(
  conn: Conn,
  handler: ExchangeHandler,
  options: ServeOptions = {},
): Promise<void> {
  const running = new Set<Promise<void>>();
  const run = (exchange: ServerExchange): void => {
    const done = exchange.run(handler).then(() => {
      running.delete(done);
    });
    running.add(done);
  };
  const session = new Session("server", {
    onPending: () => link.onPending(),
    onOver: (error) => {
      if (error !== null && isRefusal(error)) options.onRefused?.(error);
      link.onOver();
    },
    onChange: () => idle.touch(),
    onStream: (stream) =>
      running.size < MAX_HANDLERS ? new Opening(stream, conn, run, options.onRefused) : null,
  });
  const link: Link = new Link(conn, session, options);
  const idle = new IdleWatch(
    options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    () => session.streams.size,
    () => session.drain(),
  );
  const closed = link.run();
  const ignoreSignal = onAbort(options.signal, () => session.drain());
  await closed;
  idle.stop();
  ignoreSignal();
  while (running.size > 0) await Promise.all(running);
}

/** A stream whose head is awaited. */
class Opening implements StreamListener {
  readonly #stream: Stream;
  readonly #conn: Conn;
  readonly #run: (exchange: ServerExchange) => void;
  readonly #onRefused: ((error: WeirError) => void) | undefined;

  constructor(
    stream: Stream,
    conn: Conn,
    run: (exchange: ServerExchange) => void,
    onRefused?: (error: WeirError) => void,
  ) {
    this.#stream = stream;
    this.#conn = conn;
    this.#run = run;
    this.#onRefused = onRefused;
  }

  onHead(fields: DecodedFields, endStream: boolean): void {
    const stream = this.#stream;
    stream.headReceived = true;
    if (fields === null) return this.#refuse(431);
    const head = readRequestHead(fields);
    if (head.method.length + head.path.length > MAX_START_LINE) return this.#refuse(414);
    const length = head.method === "CONNECT" ? null : contentLength(fields);
    if (endStream && length !== null && length > 0) {
      throwMalformed(`No body follows, its content-length says ${length}.`);
    }
    stream.expected = length;
    stream.body.size = length;
    const hasBody = !endStream && length !== 0 && head.method !== "CONNECT";
    const exchange = new ServerExchange(stream, this.#conn, head, hasBody ? stream.body : null);
    stream.listener = exchange;
    this.#run(exchange);
  }

  onLost(error: WeirError): void {
    // What ends the whole connection is told once, for all its streams.
    if (error.cause instanceof StreamError) this.#onRefused?.(error);
  }

  /** Contract §5: a head over 64 KiB or 200 fields is answered with 431, a target over 16 KiB with 414. */
  #refuse(statusCode: 414 | 431): void {
    const stream = this.#stream;
    const head: ResponseHead = { statusCode, reason: "", httpVersion: "HTTP/2.0", headers: new Headers() };
    const tooLarge = new WeirError("client", "limit", "The request's head is too large.", { statusCode });
    this.#onRefused?.(tooLarge);
    sendMessage(stream, () => responseFields(head, "none"), null)
      .then(() => stream.endEarly(tooLarge))
      // The client has gone in between, and knows.
      .catch(() => {});
  }
}

/** True for what the client has done wrong; false when it, or the connection, is just gone. */
function isRefusal({ side, code }: WeirError): boolean {
  return side === "client" && (code === "protocol" || code === "limit" || code === "timeout");
}

/** One request of a client. */
class ServerExchange implements IncomingExchange, StreamListener {
  readonly head: RequestHead;
  readonly body: Body | null;
  readonly #stream: Stream;
  readonly #conn: Conn;
  #onGone: ((error: WeirError) => void) | null = null;
  #lost: WeirError | null = null;
  #responding = false;
  #responded = false;
  #tunnel: StreamConn | null = null;

  constructor(stream: Stream, conn: Conn, head: RequestHead, body: Body | null) {
    this.#stream = stream;
    this.#conn = conn;
    this.head = head;
    this.body = body;
  }

  /** Runs the handler and leaves nothing of the stream behind. Never rejects. */
  async run(handler: ExchangeHandler): Promise<void> {
    const stream = this.#stream;
    try {
      await handler(this);
    } catch (thrown) {
      this.abort(WeirError.from(thrown, "weir", "internal", "The exchange failed"));
    }
    if (stream.closed || this.#tunnel !== null) return;
    if (stream.localEnded) {
      // §8.1: the response is complete without the rest of the request.
      stream.endEarly(new WeirError("weir", "closed", "The exchange ended before its request did."));
    } else {
      this.abort(new WeirError("weir", "internal", "The exchange ended without a whole response."));
    }
  }

  get moved(): number {
    return this.#stream.moved;
  }

  onGone(listener: (error: WeirError) => void): void {
    this.#onGone = listener;
    if (this.#lost !== null) this.#tellGone(this.#lost);
  }

  async informational(head: ResponseHead): Promise<void> {
    // §8.6: there is no 101 in HTTP/2.
    if (head.statusCode === 101 || this.#responding) return;
    await this.#stream.sendHead(responseFields(head, "none"), false);
  }

  async respond(head: ResponseHead, body: Body | null): Promise<void> {
    if (this.#responding) throw new WeirError("weir", "internal", "respond() was called twice.");
    this.#responding = true;
    const { method } = this.head;
    if (this.#opensTunnel(head)) {
      await this.#stream.sendHead(responseFields(head, "none"), false);
      await this.#stream.owner.flushed();
    } else {
      let sent = body;
      if (body !== null && hasNoBody(method, head.statusCode)) {
        body.cancel(
          new WeirError("weir", "closed", `A response ${head.statusCode} to ${method} has no body.`),
        );
        sent = null;
      }
      this.#stream.isAnswered = true;
      await sendMessage(this.#stream, () => responseFields(head, lengthRule(method, head, sent)), sent);
    }
    this.#responded = true;
  }

  takeOver(): Conn {
    if (this.head.method !== "CONNECT" || !this.#responded) {
      throw new WeirError("weir", "internal", "Only a CONNECT that was accepted can be taken over.");
    }
    return this.#tunnel ??= new StreamConn(this.#stream, this.#conn);
  }

  passOn(error: WeirError): boolean {
    if (!isPassedOn(error)) return false;
    this.abort(error);
    return true;
  }

  abort(error: WeirError): void {
    const stream = this.#stream;
    // What went wrong behind a whole response must not take it from the client.
    if (stream.localEnded && error.code !== "killed") stream.endEarly(error);
    else stream.reset(resetCode(error, "client"), error);
  }

  /** The head comes once; Stream sees to that. */
  onHead(): void {}

  onLost(error: WeirError): void {
    this.#lost = error;
    this.#tellGone(error);
  }

  #tellGone(error: WeirError): void {
    const listener = this.#onGone;
    if (this.#responded || listener === null) return;
    this.#onGone = null;
    listener(error);
  }

  #opensTunnel(head: ResponseHead): boolean {
    return this.head.method === "CONNECT" && head.statusCode >= 200 && head.statusCode < 300;
  }
}

function lengthRule(method: string, head: ResponseHead, body: Body | null): LengthRule {
  if (body !== null) return body.size ?? "none";
  if (method === "HEAD" || head.statusCode === 304) return "keep";
  // RFC 9110 §8.6: none with 204. Elsewhere END_STREAM says it, and a field that was there says 0.
  return head.statusCode !== 204 && head.headers.has("content-length") ? 0 : "none";
}
