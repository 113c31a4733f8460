/**
 * Upstream: one request to an origin and its response. The request body goes out while the response is awaited and while it comes
 * in, so an early answer, and a conversation in both directions, need nothing special.
 * @module
 */
import type { Conn } from "../net/mod.ts";
import type { Body } from "../streams/mod.ts";
import {
  hasToken,
  MAX_INTERIM,
  type OutgoingExchange,
  type Repeatable,
  type RequestHead,
  type ResponseHead,
  type UpstreamResponse,
} from "../http/mod.ts";
import { isClosedByServer, WeirError } from "../errors.ts";
import { type BufferBody, incomingBody } from "./body.ts";
import { FieldSummary } from "./field_summary.ts";
import { becomesTunnel, responseBodyLength } from "./framing.ts";
import { type Parsed, parseResponseHead } from "./head.ts";
import type { HeadScanner } from "./head_scanner.ts";
import type { Output } from "./output.ts";
import type { ProxyLeg } from "./proxy_leg.ts";
import type { ReadBuffer } from "./read_buffer.ts";
import { beginsWithSettings, Http2OnlyError } from "./http2_only.ts";
import { cut, malformed } from "./refusal.ts";
import { mayUpgrade, serialiseRequest } from "./serialise.ts";
import { writeBody } from "./write_body.ts";

/** What one exchange uses of its connection. */
export interface ClientLeg {
  readonly conn: Conn;
  readonly buffer: ReadBuffer;
  readonly output: Output;
  readonly scanner: HeadScanner;
  /** What the server sends may be sloppy in ways that have one meaning only. */
  readonly lenient: boolean;
  /** Null where the connection leads to an origin. */
  readonly proxy: ProxyLeg | null;
  /** The exchange is over, both ways; `reusable` when the connection can serve another. */
  onOver(reusable: boolean): void;
  /** The connection is no longer HTTP's. */
  onUpgraded(): void;
  /** The origin wants HTTP/2; the exchange fails. */
  onHttp2Only(): void;
}

/** See {@linkcode OutgoingExchange}. */
export class ClientExchange implements OutgoingExchange {
  readonly sent: Promise<void>;
  readonly #leg: ClientLeg;
  /** The connection served a request before. */
  readonly #reused: boolean;
  #failure: WeirError | null = null;
  #over = false;
  #requestDone = false;
  #requestFailed = false;
  #requestBody: Body | null = null;
  #settleSent!: { resolve: () => void; reject: (error: WeirError) => void };
  #responseDone = false;
  #persistent = false;
  #body: BufferBody | null = null;

  constructor(leg: ClientLeg, reused: boolean) {
    this.#leg = leg;
    this.#reused = reused;
    this.sent = new Promise((resolve, reject) => this.#settleSent = { resolve, reject });
    // Whoever only waits for the response learns of a failure there; `sent` may stay unlooked at.
    this.sent.catch(() => {});
  }

  async send(
    head: RequestHead,
    body: Body | null,
    onInformational: (head: ResponseHead) => Promise<void> | void,
  ): Promise<UpstreamResponse> {
    const { method } = head;
    const upgrades = mayUpgrade(head, new FieldSummary(head.headers.raw));
    void this.#request(head, body);
    try {
      for (let interim = 0;; interim++) {
        const { head: response, fields } = await this.#readHead();
        const { statusCode } = response;
        if (statusCode >= 200 || statusCode === 101) {
          if (statusCode === 101 && !upgrades) {
            throw malformed("server", "The server switched protocols unasked.");
          }
          return this.#response(method, response, fields);
        }
        if (interim === MAX_INTERIM) {
          throw malformed("server", `The server sent more than ${MAX_INTERIM} interim responses.`);
        }
        await onInformational(response);
      }
    } catch (thrown) {
      throw this.#fail(
        WeirError.from(thrown, "weir", "internal", "An interim response could not be passed on"),
      );
    }
  }

  get moved(): number {
    return this.#leg.conn.moved ?? 0;
  }

  repeatable(error: unknown): Repeatable {
    if (error instanceof Http2OnlyError) return "any";
    return this.#reused && isClosedByServer(error) ? "idempotent" : "none";
  }

  abort(error: WeirError): void {
    if (!this.#over) this.#fail(error);
  }

  /** Sends the request; what becomes of it is told by `sent`. Never rejects. */
  async #request(head: RequestHead, body: Body | null): Promise<void> {
    const { output, proxy } = this.#leg;
    this.#requestBody = body;
    try {
      const wire = serialiseRequest(head, body, proxy);
      await output.head(wire.text, wire.lines);
      if (body === null) await output.flush();
      else await writeBody(output, wire.mode, body);
      this.#requestDone = true;
      this.#requestBody = null;
      this.#settleSent.resolve();
    } catch (thrown) {
      // Not the connection but the body (or the head) is broken: there is no answer to wait for.
      if (!output.failed) {
        return void this.#fail(WeirError.from(thrown, "weir", "internal", "A request could not be sent"));
      }
      // The server has stopped reading; it may have answered before (RFC 9112 §9.5), and reading tells.
      const error = cut(
        "server",
        "The server closed its connection before all of the request was sent.",
        thrown,
      );
      this.#requestFailed = true;
      this.#persistent = false;
      this.#requestBody = null;
      body?.cancel(error);
      this.#settleSent.reject(error);
    }
    this.#settle();
  }

  async #readHead(): Promise<Parsed<ResponseHead>> {
    const { buffer, scanner } = this.#leg;
    scanner.reset();
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const isHttp2 = buffer.length > 0 && !this.#reused &&
        beginsWithSettings(buffer.bytes, buffer.start, buffer.end);
      if (isHttp2) {
        this.#leg.onHttp2Only();
        throw new Http2OnlyError();
      }
      if (buffer.length > 0 && isHttp2 === false) {
        const length = scanner.scan(buffer.bytes, buffer.start, buffer.end);
        if (length !== -1) {
          const from = buffer.start;
          buffer.start += length;
          return parseResponseHead(buffer.bytes, from, buffer.start, scanner.fieldsStart, this.#leg);
        }
      }
      if (buffer.error !== null) throw buffer.error;
      if (buffer.ended) {
        const when = buffer.length > 0 ? "in the middle of its response head" : "without a response";
        throw cut("server", `The server closed its connection ${when}.`);
      }
      await buffer.read();
    }
  }

  #response(method: string, head: ResponseHead, fields: FieldSummary): UpstreamResponse {
    const { buffer } = this.#leg;
    if (becomesTunnel(method, head.statusCode)) {
      this.#over = true;
      this.#leg.onUpgraded();
      return { head, body: null, upgraded: buffer.detach() };
    }
    const length = responseBodyLength(method, head.statusCode, head.httpVersion, fields);
    // RFC 9112 §9.3.
    this.#persistent = !this.#requestFailed && length !== "close" &&
      (head.httpVersion === "HTTP/1.1"
        ? !hasToken(fields.connection, "close")
        : hasToken(fields.connection, "keep-alive"));
    if (length !== 0) this.#body = incomingBody(buffer, length, (error) => this.#bodyOver(error), this.#leg);
    else this.#bodyOver(null);
    return { head, body: this.#body, upgraded: null };
  }

  #bodyOver(error: WeirError | null): void {
    if (error !== null) {
      if (!this.#over) this.#fail(error);
      return;
    }
    this.#responseDone = true;
    this.#settle();
  }

  /** The connection is free when the response is read and the request is sent, whole. */
  #settle(): void {
    if (this.#over || !this.#responseDone) return;
    if (!this.#requestDone && !this.#requestFailed) return;
    this.#over = true;
    this.#leg.onOver(this.#persistent);
  }

  /** Ends both directions; a request body that was on its way is visibly cut. The first failure stays. */
  #fail(error: WeirError): WeirError {
    if (this.#failure !== null) return this.#failure;
    this.#failure = error;
    this.#over = true;
    const { buffer, conn, output } = this.#leg;
    buffer.fail(error);
    output.discard();
    conn.close();
    this.#requestBody?.cancel(error);
    this.#settleSent.reject(error);
    this.#leg.onOver(false);
    return error;
  }
}
