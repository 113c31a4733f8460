/**
 * Heads to text (RFC 9112 §3, §4, §5): order and case of all fields stay, hop-by-hop fields are left out
 * (RFC 9110 §7.6.1), and framing (RFC 9112 §6) is written anew, in the place of the old framing field where there is one.
 * @module
 */
import type { Body } from "../streams/mod.ts";
import {
  authorityOf,
  FieldKind,
  fieldKind,
  hasNoBody,
  hasToken,
  isTarget,
  isToken,
  listElements,
  mayBeTrailer,
  reasonFor,
  type RequestHead,
  type ResponseHead,
} from "../http/mod.ts";
import { WeirError } from "../errors.ts";
import { shown } from "../shown.ts";
import { FieldSummary } from "./field_summary.ts";
import { becomesTunnel } from "./framing.ts";
import type { ProxyLeg } from "./proxy_leg.ts";

/** How the body behind a head is delimited. */
export type BodyMode = "none" | "length" | "chunked" | "close";

/** A head as text with its empty line, and what its writer must know. */
export interface WireHead {
  text: string;
  /** Lines in `text`; more line breaks than this are an injection. */
  lines: number;
  mode: BodyMode;
}

/**
 * The request, HTTP/1.1: in origin-form where it goes to an origin (RFC 9112 §3.2.1), in absolute-form where it goes to a
 * proxy (§3.2.2).
 */
export function serialiseRequest(
  head: RequestHead,
  body: Body | null,
  proxy: ProxyLeg | null = null,
): WireHead {
  const { method, headers: { raw } } = head;
  const isConnect = method === "CONNECT";
  const target = isConnect
    ? authorityOf(head.host, head.port, "")
    : proxy === null
    ? head.path
    : absoluteTarget(head);
  if (!isToken(method)) throw unsafe(`The method ${shown(method)} is not a token`);
  if (!isTarget(target)) {
    throw unsafe(
      `The request target ${
        shown(target)
      } is empty or has whitespace, a control character, a fragment (#) or a ` +
        "character beyond Latin-1",
    );
  }
  const fields = new FieldSummary(raw);
  const mode: BodyMode = body === null ? "none" : hasLength(head, body) ? "length" : "chunked";
  const lines = new FieldLines(`${method} ${target} HTTP/1.1\r\n`, fields);
  // RFC 9112 §3.2: an HTTP/1.1 request has Host, also when it came as HTTP/1.0 or as a pseudo-header.
  const needsHost = !isConnect || proxy === null || proxy.sendsConnectHost;
  if (fields.hosts === 0 && needsHost) lines.add("Host", authorityOf(head.host, head.port, head.scheme));
  lines.frame(
    body === null ? (fields.contentLength ?? fields.transferEncoding) === null ? null : 0 : body.size,
    mode,
  );
  lines.keepUpgrade = mayUpgrade(head, fields);
  lines.keepTrailersTe = true;
  lines.nominateTe = head.httpVersion === "HTTP/2.0";
  lines.addAll(raw, null);
  if (proxy?.authorization) lines.add("Proxy-Authorization", proxy.authorization);
  return lines.end(mode);
}

/** An asterisk is an empty path here (RFC 9112 §3.2.4). */
function absoluteTarget({ scheme, host, port, path }: RequestHead): string {
  return `${scheme}://${authorityOf(host, port, scheme)}${path === "*" ? "" : path}`;
}

/**
 * Whether a request asks the origin for another protocol on its connection (RFC 9110 §7.8). HTTP/1.0 has no such thing, and
 * Upgrade is ignored there; the upgrade to h2c is gone (RFC 9113 §3.1).
 */
export function mayUpgrade(head: RequestHead, fields: FieldSummary): boolean {
  return head.httpVersion === "HTTP/1.1" && fields.upgrades && !hasToken(fields.upgrade, "h2c");
}

/** What the client's leg decides about a response. */
export interface ResponseLeg {
  /** Method of the request that is answered. */
  method: string;
  /** The client speaks HTTP/1.1: chunks are understood and connections persist by default. */
  http11: boolean;
  /** The connection can serve another request as far as weir and the client wish. */
  persist: boolean;
}

/** The response as it goes to a client; interim ones (1xx) too. `mode` "close" means: end the connection after it. */
export function serialiseResponse(head: ResponseHead, body: Body | null, leg: ResponseLeg): WireHead {
  const { statusCode, headers: { raw } } = head;
  if (!Number.isInteger(statusCode) || statusCode < 100 || statusCode > 999) {
    throw unsafe(`The status code ${statusCode} does not have three digits`);
  }
  const fields = new FieldSummary(raw);
  const reason = head.reason === "" && head.httpVersion === "HTTP/2.0" ? reasonFor(statusCode) : head.reason;
  const lines = new FieldLines(`HTTP/1.1 ${statusCode} ${reason}\r\n`, fields);
  const tunnel = becomesTunnel(leg.method, statusCode);
  let mode: BodyMode = "none";
  if (tunnel || statusCode < 200 || statusCode === 204) lines.frame(null, mode);
  else if (hasNoBody(leg.method, statusCode)) lines.keepContentLength(body?.size ?? null);
  else {
    if (body === null) mode = "none";
    else if (leg.http11) mode = hasLength(head, body) ? "length" : "chunked";
    else mode = body.size !== null ? "length" : "close";
    lines.frame(body === null ? 0 : body.size, mode);
  }
  lines.keepUpgrade = statusCode === 101 || (statusCode === 426 && fields.upgrades);
  const final = statusCode >= 200 && !tunnel;
  // RFC 9112 §9.3: each version says only what is not its default.
  const persists = leg.persist && mode !== "close";
  const option = !final || persists === leg.http11 ? null : persists ? "keep-alive" : "close";
  lines.addAll(raw, option);
  return lines.end(mode);
}

/** RFC 9112 §6.3: framing by length has no room for trailers, which HTTP/2 has beside a length and announces in `Trailer`. */
function hasLength(head: RequestHead | ResponseHead, body: Body): boolean {
  if (body.size === null || body.trailers !== null) return false;
  return head.httpVersion !== "HTTP/2.0" || !head.headers.has("trailer");
}

/** Collects field lines of one head, leaving out and replacing what belongs to the leg. */
class FieldLines {
  keepUpgrade = false;
  keepTrailersTe = false;
  /** RFC 9110 §10.1.4: `Connection` names TE, which HTTP/2 has without; HTTP/1 clients have said it themselves. */
  nominateTe = false;
  #text: string;
  #lines = 1;
  readonly #fields: FieldSummary;
  #framing: "drop" | "length" | "chunked" | "keep" = "drop";
  #length = "";

  constructor(startLine: string, fields: FieldSummary) {
    this.#text = startLine;
    this.#fields = fields;
  }

  /** Framing by a length, by chunks, or (length null, not chunked) none. */
  frame(length: number | null, mode: BodyMode): void {
    this.#framing = mode === "chunked" ? "chunked" : length === null ? "drop" : "length";
    this.#length = `${length}`;
  }

  /** For HEAD and 304: the content-length describes a body that is not sent; `length` when the caller knows it. */
  keepContentLength(length: number | null): void {
    this.#framing = length === null ? "keep" : "length";
    this.#length = `${length}`;
  }

  add(name: string, value: string): void {
    this.#text += `${name}: ${value}\r\n`;
    this.#lines++;
  }

  /** All end-to-end fields of `raw`; `option` is what `Connection` has to say on this leg besides what is kept. */
  addAll(raw: readonly string[], option: string | null): void {
    const fields = this.#fields;
    const keepTe = this.keepTrailersTe && hasTrailersTe(raw);
    const named = fields.named;
    let connection = this.#connection(option, keepTe);
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i], value = raw[i + 1], kind = fieldKind(name);
      switch (kind) {
        case FieldKind.endToEnd:
          if (named === null || !named.includes(name.toLowerCase())) this.add(name, value);
          break;
        case FieldKind.host:
        case FieldKind.protected:
        case FieldKind.expect:
        case FieldKind.trailer:
          this.add(name, value);
          break;
        case FieldKind.contentLength:
        case FieldKind.transferEncoding:
          this.#addFraming(name, value, kind);
          break;
        case FieldKind.connection:
          if (connection !== "") this.add(name, connection);
          connection = "";
          break;
        case FieldKind.upgrade:
          if (this.keepUpgrade) this.add(name, value);
          break;
        case FieldKind.te:
          if (keepTe && hasToken(value, "trailers")) this.add(name, "trailers");
          break;
        case FieldKind.invalid:
          throw unsafe(`The field name ${shown(name)} is not a token`);
      }
    }
    this.#addFraming("", "", FieldKind.endToEnd);
    if (connection !== "") this.add("Connection", connection);
  }

  end(mode: BodyMode): WireHead {
    return { text: `${this.#text}\r\n`, lines: this.#lines + 1, mode };
  }

  /** Writes the framing field once, at the first of the old ones (keeping its name's case) or at the end. */
  #addFraming(name: string, value: string, kind: FieldKind): void {
    if (this.#framing === "keep") {
      if (kind === FieldKind.contentLength) this.add(name, value);
      return;
    }
    if (this.#framing === "length") {
      this.add(kind === FieldKind.contentLength ? name : "Content-Length", this.#length);
    } else if (this.#framing === "chunked") {
      this.add(kind === FieldKind.transferEncoding ? name : "Transfer-Encoding", "chunked");
    }
    this.#framing = "drop";
  }

  #connection(option: string | null, keepTe: boolean): string {
    const options: string[] = [];
    // An upgrade's own word is kept as the peer spelled it.
    if (this.keepUpgrade) {
      const said = listElements(this.#fields.connection ?? "").find((word) =>
        word.toLowerCase() === "upgrade"
      );
      options.push(said ?? "Upgrade");
    }
    if (keepTe && (this.nominateTe || hasToken(this.#fields.connection, "te"))) options.push("TE");
    if (option !== null) options.push(option);
    return options.join(", ");
  }
}

/** Trailer fields with the last chunk before them and the empty line behind; framing and routing fields are dropped (RFC 9110 §6.5.1). */
export function serialiseTrailers(trailers: readonly string[] | null): { text: string; lines: number } {
  let text = "0\r\n", lines = 2;
  for (let i = 0; trailers !== null && i < trailers.length; i += 2) {
    const kind = fieldKind(trailers[i]);
    if (kind === FieldKind.invalid) {
      throw unsafe(`The trailer name ${shown(trailers[i])} is not a token`);
    }
    if (!mayBeTrailer(kind)) continue;
    text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
    lines++;
  }
  return { text: `${text}\r\n`, lines };
}

/**
 * Writes `text` as Latin-1 into `bytes` at `at` and gives the position behind it. Refuses what no parser would have let
 * in: a line break beyond the expected ones, control characters, characters beyond one byte.
 */
export function encodeHead(text: string, lines: number, bytes: Uint8Array, at: number): number {
  let breaks = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char > 31 && char !== 127) {
      if (char > 255) throw unsafe("A head has a character beyond Latin-1");
    } else if (char === 13 || char === 10) breaks++;
    else if (char !== 9) throw unsafe("A head has a control character");
    bytes[at + i] = char;
  }
  if (breaks !== 2 * lines) throw unsafe("A head has a line break in a method, path, reason or field");
  return at + text.length;
}

function hasTrailersTe(raw: readonly string[]): boolean {
  for (let i = 0; i < raw.length; i += 2) {
    if (fieldKind(raw[i]) === FieldKind.te && hasToken(raw[i + 1], "trailers")) return true;
  }
  return false;
}

function unsafe(what: string): WeirError {
  return new WeirError("weir", "protocol", `${what}; nothing was sent.`);
}
