/**
 * Upstream: one request over a connection to an origin (RFC 9113 §8.1): sends it, and makes the response out of what comes back.
 * @module
 */
import { isClosedByServer, WeirError } from "../errors.ts";
import {
  hasNoBody,
  MAX_INTERIM,
  type OutgoingExchange,
  type Repeatable,
  type RequestHead,
  type ResponseHead,
  type UpstreamResponse,
} from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import { shown } from "../shown.ts";
import type { Body } from "../streams/mod.ts";
import { Code, resetCode, ResetError } from "./errors.ts";
import { contentLength, type LengthRule, repairBlanks, throwMalformed } from "./field_rules.ts";
import type { DecodedFields } from "./hpack/decoder.ts";
import { requestFields } from "./request_head.ts";
import { readResponseHead } from "./response_head.ts";
import { sendMessage } from "./send_message.ts";
import type { Session } from "./session.ts";
import type { Stream, StreamListener } from "./stream.ts";
import { StreamConn } from "./stream_conn.ts";

export class ClientExchange implements OutgoingExchange, StreamListener {
  readonly #session: Session;
  readonly #conn: Conn;
  /** The connection served a request before. */
  readonly #reused: boolean;
  /** The place among the connection's requests is taken by a stream now, or free. */
  readonly #release: () => void;
  readonly #response = Promise.withResolvers<UpstreamResponse>();
  #stream: Stream | null = null;
  #method = "";
  #sent: Promise<void> | null = null;
  #onInformational: (head: ResponseHead) => Promise<void> | void = () => {};
  /** Interim responses that are being passed on; the final one comes behind them. */
  #interim: Promise<void> | null = null;
  #interimCount = 0;
  #aborted: WeirError | null = null;
  #warn: (text: string) => void = () => {};

  constructor(session: Session, conn: Conn, reused: boolean, release: () => void) {
    this.#session = session;
    this.#conn = conn;
    this.#reused = reused;
    this.#release = release;
    // Whoever sends has the promise; without a sender a failure is nobody's.
    this.#response.promise.catch(() => {});
  }

  get sent(): Promise<void> {
    if (this.#sent === null) throw new WeirError("weir", "internal", "Nothing was sent yet.");
    return this.#sent;
  }

  send(
    head: RequestHead,
    body: Body | null,
    onInformational: (head: ResponseHead) => Promise<void> | void,
    warn?: (text: string) => void,
  ): Promise<UpstreamResponse> {
    this.#method = head.method;
    if (warn !== undefined) this.#warn = warn;
    this.#onInformational = onInformational;
    this.#sent = this.#send(head, body);
    this.#sent.catch((error: WeirError) => {
      this.#release();
      this.#response.reject(error);
    });
    return this.#response.promise;
  }

  get moved(): number {
    return this.#stream?.moved ?? 0;
  }

  repeatable(error: unknown): Repeatable {
    // A reset is the origin's word about this one request, whatever becomes of the connection.
    if (error instanceof ResetError) {
      // RFC 9113 §7: the origin serves this request, only not in this version.
      if (error.h2Code === Code.HTTP_1_1_REQUIRED) return "over HTTP/1.1";
      return error.unprocessed ? "any" : "none";
    }
    return this.#reused && isClosedByServer(error) ? "idempotent" : "none";
  }

  abort(error: WeirError): void {
    if (this.#aborted !== null) return;
    this.#aborted = error;
    this.#stream?.reset(resetCode(error, "server"), error);
    this.#release();
    this.#response.reject(error);
  }

  async #send(head: RequestHead, body: Body | null): Promise<void> {
    const session = this.#session;
    let error = this.#aborted;
    if (error === null && (session.over || session.goawayReceived)) {
      error = new ResetError(
        "server",
        "The connection to the server ended before the request.",
        session.requiresHttp1 ? Code.HTTP_1_1_REQUIRED : Code.NO_ERROR,
        true,
      );
    }
    if (error !== null) {
      body?.cancel(error);
      throw error;
    }
    const stream = this.#stream = session.newStream(this);
    const fields = () => requestFields(head, this.#conn.tls !== null, lengthRule(head, body));
    if (head.method !== "CONNECT") return await sendMessage(stream, fields, body);
    await stream.sendHead(fields(), false);
    await session.flushed();
  }

  repair(fields: string[]): void {
    const name = repairBlanks(fields);
    if (name === null) return;
    this.#warn(
      `The server sent blanks around the value of ${
        shown(name)
      }, which HTTP/2 forbids (RFC 9113 §8.2.1); they were removed.`,
    );
  }

  onOpened(): void {
    this.#release();
  }

  onLost(error: WeirError): void {
    this.#release();
    this.#response.reject(error);
  }

  onHead(fields: DecodedFields, endStream: boolean): void {
    const stream = this.#stream!;
    if (fields === null) throwMalformed("The response's head is larger than allowed.");
    const head = readResponseHead(fields);
    if (head.statusCode < 200) return this.#onInterim(head, endStream);
    stream.headReceived = true;
    const tunnel = this.#method === "CONNECT" && head.statusCode < 300;
    const declared = contentLength(fields);
    const bodyless = hasNoBody(this.#method, head.statusCode);
    const length = tunnel ? null : bodyless ? 0 : declared;
    if (endStream && length !== null && length > 0) {
      throwMalformed(`No body follows, its content-length says ${length}.`);
    }
    stream.expected = stream.body.size = length;
    const response: UpstreamResponse = {
      head,
      body: endStream || length === 0 || tunnel ? null : stream.body,
      upgraded: tunnel ? new StreamConn(stream, this.#conn) : null,
    };
    if (this.#interim === null) this.#response.resolve(response);
    else void this.#interim.then(() => this.#response.resolve(response));
  }

  #onInterim(head: ResponseHead, endStream: boolean): void {
    if (endStream) throwMalformed(`The interim response ${head.statusCode} ends its stream.`);
    if (++this.#interimCount > MAX_INTERIM) {
      throwMalformed(`There are more than ${MAX_INTERIM} interim responses.`);
    }
    const pass = async () => {
      try {
        await this.#onInformational(head);
      } catch {
        // The client's leg has failed; whoever drives the exchange learns it there.
      }
    };
    this.#interim = this.#interim === null ? pass() : this.#interim.then(pass);
  }
}

function lengthRule(head: RequestHead, body: Body | null): LengthRule {
  if (head.method === "CONNECT") return "none";
  if (body !== null) return body.size ?? "none";
  // A request that says that it has no body goes on saying it.
  return head.headers.has("content-length") ? 0 : "none";
}
