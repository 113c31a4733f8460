/**
 * A request as addons hold it (RFC 9110 §9; mitmproxy `http.Request`).
 * @module
 */
import { shown } from "../shown.ts";
import { authorityOf, defaultPort, parseAuthority, type RequestHead } from "../http/mod.ts";
import { internals } from "../internals.ts";
import { Message } from "./message.ts";

/** A request. `host` and `port` say where it is sent; changing them changes the Host field with it. */
export class Request extends Message {
  /** As sent: methods are case-sensitive (RFC 9110 §9.1). */
  method: string;
  /** "http" or "https": whether the connection to the origin is encrypted. */
  scheme: string;
  /** Path with query, as sent. */
  path: string;
  #host: string;
  #port: number;

  /** @ignore */
  constructor(head: RequestHead, timestampStart: number = Date.now()) {
    super(head.headers, head.httpVersion, timestampStart);
    this.method = head.method;
    this.scheme = head.scheme;
    this.path = head.path;
    this.#host = head.host;
    this.#port = head.port;
  }

  /** Host without brackets or port. */
  get host(): string {
    return this.#host;
  }

  set host(value: string) {
    this.#host = value;
    this.#followHost();
  }

  /** 1 to 65535. */
  get port(): number {
    return this.#port;
  }

  set port(value: number) {
    this.#port = value;
    this.#followHost();
  }

  /** `host:port` as in a Host field: an IPv6 address in brackets, the scheme's own port left out. */
  get authority(): string {
    return authorityOf(this.#host, this.#port, this.scheme);
  }

  /** The absolute URL; assigning one sets scheme, host, port and path. For CONNECT `host:port`. */
  get url(): string {
    if (this.method === "CONNECT") return authorityOf(this.#host, this.#port, "");
    return `${this.scheme}://${this.authority}${this.path === "*" ? "" : this.path}`;
  }

  /** @throws {TypeError} when it is no absolute http or https URL. */
  set url(value: string) {
    const url = new URL(value);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new TypeError(`Request URL ${shown(value)} is not http or https.`);
    }
    this.scheme = url.protocol.slice(0, -1);
    this.#host = url.hostname.replace(/^\[|\]$/g, "");
    this.#port = Number(url.port) || defaultPort(this.scheme);
    this.path = url.pathname + url.search;
    this.#followHost();
  }

  /** The URL with the host that the Host field names (mitmproxy `pretty_url`). */
  get prettyUrl(): string {
    const field = this.headers.get("host");
    const named = field === null ? null : parseAuthority(field);
    if (named === null || this.method === "CONNECT") return this.url;
    const { scheme, path } = this;
    return `${scheme}://${authorityOf(named.host, named.port, scheme)}${path === "*" ? "" : path}`;
  }

  /**
   * Reads the whole body in the hook `request`, before it is forwarded: `fn` gets it piece by piece (each valid until it returns),
   * as it is on the wire, and nothing is kept of it. What was consumed is not forwarded any more: answer the request yourself,
   * or have it kept in a temporary file with `keep`, from which it then goes out.
   *
   * ```ts
   * export async function request(flow: HttpFlow) {
   *   let size = 0;
   *   await flow.request.consume((chunk) => size += chunk.length);
   *   flow.response = new Response(`${size} bytes`);
   * }
   * ```
   * @throws {WeirError} when the body is cut short. {TypeError} when it is too late for it.
   */
  async consume(fn: (chunk: Uint8Array) => void, { keep = false }: { keep?: boolean } = {}): Promise<void> {
    const { raw, consume } = this[internals];
    if (raw !== null) return fn(raw);
    if (consume === null) {
      throw new TypeError("The body of a request can be consumed in the hook request only.");
    }
    await consume(fn, keep);
  }

  #followHost(): void {
    if (this.headers.has("host")) this.headers.set("host", this.authority);
  }
}
