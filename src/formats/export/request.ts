/**
 * A request as a client would be told to send it: what belongs to one connection, or follows from the body, is left out.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import type { Request } from "../../flow/request.ts";
import { parseAuthority } from "../../http/mod.ts";
import { decodeBytes } from "../../streams/mod.ts";

/** What a client is told. */
export interface ClientRequest {
  readonly method: string;
  /** ASCII, nothing that ends a URL or may not be in one. */
  readonly url: string;
  /** One character for each byte. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Without its codings; null when there is none, or it was not kept. */
  readonly body: Uint8Array | null;
}

/** Fields that a client makes itself. */
const OWN: ReadonlySet<string> = new Set([
  "content-length",
  "expect",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
]);

/** The request of a flow. @throws {TypeError} for a CONNECT, which no client sends as such. */
export function clientRequest({ request }: HttpFlow): ClientRequest {
  const { method } = request;
  if (method === "CONNECT") throw new TypeError("A CONNECT cannot be exported: it is no request of its own.");
  const { content, isDecoded } = contentOf(request);
  const isWebSocket = request.headers.has("upgrade");
  const fields: [string, string][] = [];
  let cookies = "";
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (OWN.has(lower) || lower === "connection" && !isWebSocket) continue;
    if (lower === "host" && isHost(value, request)) continue;
    if (lower === "content-encoding" && isDecoded) continue;
    // HTTP/2 may split what HTTP/1 must have in one field (RFC 9113 §8.2.3).
    if (lower !== "cookie") fields.push([name, value]);
    else if (cookies === "") {
      fields.push([name, value]);
      cookies = value;
    } else {
      cookies += `; ${value}`;
      fields[fields.findIndex(([name]) => name.toLowerCase() === "cookie")][1] = cookies;
    }
  }
  const body = content === null || content.length === 0 ? null : content;
  return { method, url: urlOf(request), fields, body };
}

/** The body without its codings, or as it is where they cannot be taken off. */
function contentOf(request: Request): { content: Uint8Array | null; isDecoded: boolean } {
  const raw = request.rawContent;
  if (raw === null) return { content: null, isDecoded: false };
  try {
    return {
      content: decodeBytes(raw, request.headers.get("content-encoding"), undefined, () => {}),
      isDecoded: true,
    };
  } catch {
    return { content: raw, isDecoded: false };
  }
}

function isHost(value: string, { host, port, scheme }: Request): boolean {
  const named = parseAuthority(value);
  const usual = scheme === "https" ? 443 : 80;
  return named !== null && named.host.toLowerCase() === host.toLowerCase() && (named.port || usual) === port;
}

/** Bytes that no client takes are percent-encoded. */
function urlOf(request: Request): string {
  return request.url.replace(
    /[^\x21-\x7e]|[#"<>\\^`]/g,
    (char) =>
      char.charCodeAt(0) > 0xff
        ? encodeURIComponent(char.toWellFormed())
        : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** The value of a field; null when it is not there. */
export function valueOf({ fields }: ClientRequest, name: string): string | null {
  return fields.find(([field]) => field.toLowerCase() === name)?.[1] ?? null;
}
