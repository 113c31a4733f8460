/**
 * Where the HTTP versions meet the exchange: two small interfaces, one per leg.
 *
 * Heads carry end-to-end meaning; framing (`content-length`, `transfer-encoding`, `connection`) belongs to a leg and is
 * derived anew by whoever writes (RFC 9110 §7.6.1, RFC 9112 §6). Translating between versions is then nobody's job.
 * @module
 */
import type { Body } from "../streams/mod.ts";
import type { Conn } from "../net/mod.ts";
import type { WeirError } from "../errors.ts";
import type { Headers } from "./headers.ts";

/** mitmproxy's spelling. weir speaks the first three; flows from files may have been HTTP/3. */
export type HttpVersion = "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0" | "HTTP/3";

/** Which of RFC 9112 §3.2's forms the request target had; HTTP/2 requests count as "origin" (or "authority" for CONNECT). */
export type TargetForm = "origin" | "absolute" | "authority" | "asterisk";

/** The head of a request, its target taken apart. */
export interface RequestHead {
  method: string;
  form: TargetForm;
  /** "http" or "https"; empty when the target form does not say (origin, asterisk, authority). */
  scheme: string;
  /** Host without port or brackets, as sent; empty when neither target nor Host names one. */
  host: string;
  /** Port; the scheme's default when not given; 0 when unknown. */
  port: number;
  /** Path with query, "*" for asterisk-form, empty for authority-form. */
  path: string;
  httpVersion: HttpVersion;
  headers: Headers;
  /** What the Host field said where an absolute target, which beats it (RFC 9112 §3.2.2), says something else. */
  otherHost?: string;
}

/** The head of a response, interim (1xx) or final. */
export interface ResponseHead {
  statusCode: number;
  /** Reason phrase as sent; empty for HTTP/2. */
  reason: string;
  httpVersion: HttpVersion;
  headers: Headers;
}

/** One request as the client's leg hands it over. Everything that is written goes through it. */
export interface IncomingExchange {
  readonly head: RequestHead;
  /** Null when the request has no body (no framing field, content-length 0, or END_STREAM on HEADERS). */
  readonly body: Body | null;
  /** Bytes that the client's leg has moved, up and down; whether it changes tells whether anything goes on. */
  readonly moved?: number;
  /** Calls back once, when the client is gone before `respond` has finished. At most one listener. */
  onGone(listener: (error: WeirError) => void): void;
  /** Sends an interim response; ignored where the client's version has none (HTTP/1.0). */
  informational(head: ResponseHead): Promise<void>;
  /**
   * Sends the final response. Resolves when all of it was taken by the client's connection; rejects when the body
   * or the connection failed, after making the cut visible. Call once. `body` null: no body; the head's
   * `content-length` is then kept for HEAD and 304.
   */
  respond(head: ResponseHead, body: Body | null): Promise<void>;
  /** After a final 101 (or 2xx to CONNECT) was written by `respond(head, null)`: the raw connection, early bytes included. */
  takeOver(): Conn;
  /**
   * Ends an exchange whose origin ended it before it answered, in the same way, where the client's version can say it
   * (RST_STREAM, RFC 9113 §7). False when it cannot: then a page must do.
   */
  passOn(error: WeirError): boolean;
  /**
   * Ends the exchange without a clean end: closes or resets so that the client can tell. Idempotent. "reset" resets a TCP connection
   * that has this exchange alone, which a client tells from one that was closed too early.
   */
  abort(error: WeirError, how?: Abort): void;
}

/** How an exchange is ended that has no clean end. */
export type Abort = "close" | "reset";

/** What is done with each request; all that is written goes through the exchange. A rejection aborts it. */
export type ExchangeHandler = (incoming: IncomingExchange) => Promise<void>;

/** How the requests of a client's connection are served, in any version. */
export interface ServeOptions {
  /** What was already read from the connection. */
  firstBytes?: Uint8Array;
  /** Stops in order: what runs is finished, then the connection closes; at once when it is idle. */
  signal?: AbortSignal;
  /** How long a head may take from its first byte to its last (default {@linkcode HEAD_TIMEOUT_MS}). */
  headTimeoutMs?: number;
  /** Told of requests that were refused because of what their head or the connection's bytes are; no flow is made of them. */
  onRefused?: (error: WeirError) => void;
  /** How long a connection without requests is kept (default {@linkcode IDLE_TIMEOUT_MS}). */
  idleTimeoutMs?: number;
}

/** What came back for a request that was sent. */
export interface UpstreamResponse {
  readonly head: ResponseHead;
  /** Null when the response has no body (HEAD, 204, 304, content-length 0). */
  readonly body: Body | null;
  /** After 101 (or 2xx to CONNECT): the raw connection, early bytes included; else null. */
  readonly upgraded: Conn | null;
  /** Bytes that were declared for a body that is changed on its way, so that its own size is open. */
  readonly declaredSize?: number | null;
}

/**
 * Requests that a failure leaves free to be sent again: all, when the origin is known not to have looked at them (RFC 9113
 * §8.7), or asks for them in HTTP/1.1 (§7); idempotent ones, when a connection that had served others was found closed (RFC
 * 9110 §9.2.2).
 */
export type Repeatable = "any" | "over HTTP/1.1" | "idempotent" | "none";

/** One request on its way to an origin, over a connection (or a stream of one) that was acquired for it. */
export interface OutgoingExchange {
  /**
   * Sends the head, and the body while the answer is awaited. Resolves with the final response's head. Rejects with a
   * {@linkcode WeirError} whose side says who failed (the request body's source, or the server).
   * `onInformational` gets every 1xx except 101; `warn` a sentence about what the server did wrong without harm.
   */
  send(
    head: RequestHead,
    body: Body | null,
    onInformational: (head: ResponseHead) => Promise<void> | void,
    warn?: (text: string) => void,
  ): Promise<UpstreamResponse>;
  /** Bytes that the server's leg has moved, up and down. */
  readonly moved?: number;
  /** Which requests may be sent again, on another connection, when `send` rejected with `error`. */
  repeatable(error: unknown): Repeatable;
  /** Resolves when the request was sent whole; rejects when it could not be. Only after `send` was called. */
  readonly sent: Promise<void>;
  /** Stops both directions at once. Idempotent. */
  abort(error: WeirError): void;
}

/** A connection to an origin, in any version. */
export interface UpstreamConnection {
  /** True when it carries several requests at a time. */
  readonly isShared: boolean;
  /** Requests that it can take now, besides those under way; none any more once it is `done`. */
  readonly capacity: number;
  /** Requests that are under way. */
  readonly active: number;
  /** True when it was turned over to another protocol: whoever took it over closes it. */
  readonly isUpgraded: boolean;
  /** True when the origin has shown that it speaks HTTP/2, whatever it was spoken to in. */
  readonly speaksHttp2: boolean;
  /** True when the origin has asked for HTTP/1.1 in the place of this version (RFC 9113 §7, HTTP_1_1_REQUIRED). */
  readonly requiresHttp1: boolean;
  /** Resolves when `capacity` is what the origin says, or the connection is over. Never rejects. */
  readonly ready: Promise<void>;
  /** Resolves when the connection is closed, or no longer HTTP's. Never rejects. */
  readonly done: Promise<void>;
  /** One more request; it takes a place until it has ended or was aborted. @throws {WeirError} without capacity. */
  exchange(): OutgoingExchange;
  /** Closes now; what is under way fails. */
  close(): void;
}
