/**
 * Downstream, the client's leg: a connection's life from the first request to its end (RFC 9112 §9): keep-alive, pipelining (one
 * request after another), time limits, refusals of what is not HTTP, graceful shutdown.
 * @module
 */
import type { Conn } from "../net/mod.ts";
import {
  errorPage,
  type ExchangeHandler,
  HEAD_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  type RequestHead,
  type ServeOptions,
} from "../http/mod.ts";
import { WeirError } from "../errors.ts";
import { Deadline } from "../timing.ts";
import { requestBodyLength } from "./framing.ts";
import { type Parsed, parseRequestHead } from "./head.ts";
import { HeadScanner } from "./head_scanner.ts";
import { lingeringClose } from "./linger.ts";
import { Output } from "./output.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { malformed } from "./refusal.ts";
import { serialiseResponse } from "./serialise.ts";
import { ServerExchange, type ServerLeg } from "./server_exchange.ts";
import { writeBody } from "./write_body.ts";

/** RFC 9112 §2.2: an empty line before a request is a leftover of old clients; more than these are not. */
const MAX_EMPTY_LINES = 4;

const CR = 13, LF = 10;

/**
 * Serves requests on `conn` until it closes or an exchange takes it over, one after another: the next one starts when the
 * handler's promise has settled. A handler that rejects, or does not answer, aborts its exchange. Never rejects.
 */
export async function serveHttp1(
  conn: Conn,
  handler: ExchangeHandler,
  options: ServeOptions = {},
): Promise<void> {
  const connection = new ServerConnection(conn, options);
  try {
    await connection.run(handler);
  } finally {
    connection.dispose();
  }
}

class ServerConnection implements ServerLeg {
  readonly conn: Conn;
  readonly buffer: ReadBuffer;
  readonly output: Output;
  readonly watch: Deadline = new Deadline(() => this.#exchange?.check());
  closing: boolean;
  readonly #options: ServeOptions;
  readonly #scanner = new HeadScanner("client", true);
  readonly #headDeadline = new Deadline(() => this.#expired());
  readonly #onSignal = () => this.#stop();
  #exchange: ServerExchange | null = null;
  #refusal: Promise<void> | null = null;

  constructor(conn: Conn, options: ServeOptions) {
    this.conn = conn;
    this.buffer = new ReadBuffer(conn, "client", options.firstBytes);
    this.output = new Output(conn);
    this.#options = options;
    this.closing = options.signal?.aborted ?? false;
    options.signal?.addEventListener("abort", this.#onSignal);
  }

  async run(handler: ExchangeHandler): Promise<void> {
    for (;;) {
      const exchange = await this.#next();
      if (exchange === null) break;
      this.#exchange = exchange;
      try {
        await handler(exchange);
      } catch (thrown) {
        exchange.abort(WeirError.from(thrown, "weir", "internal", "A request could not be served"));
      }
      const goOn = await exchange.finish();
      this.#exchange = null;
      if (goOn && !(this.closing && this.buffer.length === 0)) continue;
      if (exchange.over) return;
      if (exchange.lingers) return lingeringClose(this.conn, this.buffer);
      break;
    }
    if (this.#refusal !== null) await this.#refusal;
    else this.conn.close();
  }

  dispose(): void {
    this.watch.dispose();
    this.#headDeadline.dispose();
    this.#options.signal?.removeEventListener("abort", this.#onSignal);
  }

  /** The next request, or null when there is none: the client has closed, was refused, or weir stops. */
  async #next(): Promise<ServerExchange | null> {
    try {
      const parsed = await this.#readHead();
      if (parsed === null) return null;
      return new ServerExchange(
        this,
        parsed,
        requestBodyLength(parsed.head.method, parsed.head.httpVersion, parsed.fields),
      );
    } catch (thrown) {
      this.#refuse(WeirError.from(thrown, "weir", "internal", "A request head could not be read"));
      return null;
    }
  }

  async #readHead(): Promise<Parsed<RequestHead> | null> {
    const { buffer } = this, scanner = this.#scanner;
    scanner.reset();
    let emptyLines = 0, started = false;
    for (;;) {
      while (!started && this.#skipEmptyLine()) {
        if (++emptyLines > MAX_EMPTY_LINES) throw malformed("client", "The request starts with empty lines.");
      }
      const waitsForLf = !started && buffer.length === 1 && buffer.bytes[buffer.start] === CR;
      if (buffer.length > 0 && !waitsForLf) {
        const length = scanner.scan(buffer.bytes, buffer.start, buffer.end);
        if (length !== -1) {
          this.#headDeadline.clear();
          const from = buffer.start;
          buffer.start += length;
          return parseRequestHead(buffer.bytes, from, buffer.start, scanner.fieldsStart);
        }
        if (!started) this.#headDeadline.set(this.#options.headTimeoutMs ?? HEAD_TIMEOUT_MS);
        started = true;
      } else if (emptyLines === 0) {
        if (this.closing) return null;
        this.#headDeadline.set(this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
      }
      if (buffer.finished) return null;
      await buffer.read();
      if (this.#refusal !== null) return null;
    }
  }

  #skipEmptyLine(): boolean {
    const { buffer } = this, { bytes, start } = buffer;
    if (buffer.length < 2 || bytes[start] !== CR || bytes[start + 1] !== LF) return false;
    buffer.start += 2;
    return true;
  }

  /** The head did not come in time: nothing of it yet is an idle connection, some of it is worth a 408. */
  #expired(): void {
    if (this.#exchange !== null || this.#refusal !== null) return;
    if (this.buffer.length === 0) return this.conn.close();
    const seconds = (this.#options.headTimeoutMs ?? HEAD_TIMEOUT_MS) / 1000;
    const message = `The request's head was not complete after ${seconds} s.`;
    this.#refuse(new WeirError("client", "timeout", message, { statusCode: 408 }));
  }

  #stop(): void {
    this.closing = true;
    if (this.#exchange === null && this.#refusal === null && this.buffer.length === 0) this.conn.close();
  }

  /** Says what was wrong, and closes: after a broken head nobody knows where the next one starts. */
  #refuse(error: WeirError): void {
    this.#headDeadline.clear();
    this.#refusal ??= this.#answerRefused(error);
  }

  async #answerRefused(error: WeirError): Promise<void> {
    this.#options.onRefused?.(error);
    const { head, body } = errorPage(error);
    const wire = serialiseResponse(head, body, { method: "", http11: true, persist: false });
    try {
      await this.output.head(wire.text, wire.lines);
      await writeBody(this.output, wire.mode, body);
    } catch {
      // Nobody is there to be told.
    }
    await lingeringClose(this.conn, this.buffer);
  }
}
