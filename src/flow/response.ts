/**
 * A response as addons hold it (RFC 9110 §15; mitmproxy `http.Response`).
 * @module
 */
import { nameOf } from "../streams/mod.ts";
import { Headers, reasonFor, type ResponseHead } from "../http/mod.ts";
import { internals } from "../internals.ts";
import { Message } from "./message.ts";

/** A response: from the origin, or from an addon that assigned a web `Response` to `flow.response`. */
export class Response extends Message {
  /** 100 to 999. */
  statusCode: number;
  /** Reason phrase; HTTP/2 has none. */
  reason: string;
  /** The body of a web `Response` that nobody has read yet. */
  #web: ReadableStream<Uint8Array> | null = null;

  /** @ignore */
  constructor(head: ResponseHead, timestampStart: number = Date.now()) {
    super(head.headers, head.httpVersion, timestampStart);
    this.statusCode = head.statusCode;
    this.reason = head.reason;
  }

  /**
   * Takes over head and body of the web standard's class.
   * @throws {TypeError} when it is none, its body was used already, or it is `Response.error()`, which has no status.
   */
  static fromWeb(web: globalThis.Response): Response {
    if (!isWebResponse(web)) {
      throw new TypeError(`flow.response was given ${nameOf(web)}; write \`new Response(body, init)\`.`);
    }
    if (web.bodyUsed || web.body?.locked) {
      throw new TypeError("The body of this Response was used already: make a new one for each flow.");
    }
    if (web.status === 0) throw new TypeError("Response.error() cannot be sent: call flow.kill() instead.");
    const response = new Response({
      statusCode: web.status,
      reason: web.statusText || reasonFor(web.status),
      httpVersion: "HTTP/1.1",
      headers: new Headers(web.headers),
    });
    response.#web = web.body;
    if (web.body === null) {
      response[internals].raw = new Uint8Array();
      response[internals].mode = "buffered";
    }
    return response;
  }

  /**
   * The same response for another flow: one that an addon has kept, to answer with it again. Its body is the same bytes, or the
   * stream that is given: `size` bytes of it where that is known.
   * @throws {TypeError} when its body was not kept and none is given.
   */
  copy(body: ReadableStream<Uint8Array> | null = null, size: number | null = null): Response {
    const { statusCode, reason, httpVersion, headers, trailers } = this;
    const response = new Response({ statusCode, reason, httpVersion, headers: headers.clone() });
    response.trailers = trailers && trailers.clone();
    if (body !== null) {
      response.#web = body;
      response[internals].webSize = size;
      return response;
    }
    const { rawContent } = this;
    if (rawContent === null) {
      throw new TypeError("flow.response was given the response of another flow whose body was not kept.");
    }
    response[internals].raw = rawContent;
    response[internals].mode = "buffered";
    return response;
  }

  /** Hands over the unread body of a web `Response`, once. */
  takeWebBody(): ReadableStream<Uint8Array> | null {
    const web = this.#web;
    this.#web = null;
    return web;
  }
}

/** Also true for the class of another library, such as undici's. */
function isWebResponse(value: unknown): value is globalThis.Response {
  if (typeof value !== "object" || value === null) return false;
  const { status, headers, body } = value as Partial<globalThis.Response>;
  return typeof status === "number" && typeof headers?.[Symbol.iterator] === "function" &&
    (body === null || typeof body?.getReader === "function");
}
