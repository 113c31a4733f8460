/**
 * Max-Forwards (RFC 9110 §7.6.2): TRACE and OPTIONS say how many times they may be passed on; who gets one with 0 answers it.
 * @module
 */
import type { Request } from "../flow/request.ts";

/** RFC 9110 §9.3.8: what may be secret is left out of what TRACE shows. */
const SECRET = new Set(["authorization", "cookie", "proxy-authorization"]);

/**
 * Counts the request's Max-Forwards down. Where it was 0: the answer that weir gives in the origin's place, else null. Other
 * methods, and what is no number, are passed on as they are.
 */
export function countForward(request: Request): globalThis.Response | null {
  const { method, headers } = request;
  if (method !== "TRACE" && method !== "OPTIONS") return null;
  const said = headers.get("max-forwards");
  if (said === null || !/^[0-9]{1,32}$/.test(said)) return null;
  const left = BigInt(said);
  if (left === 0n) return method === "TRACE" ? traced(request) : new globalThis.Response(null);
  headers.set("max-forwards", String(left - 1n));
  return null;
}

/** The request as it came (RFC 9110 §9.3.8), as `message/http`. */
function traced({ method, url, httpVersion, headers }: Request): globalThis.Response {
  const lines = [`${method} ${url} ${httpVersion}`];
  for (const [name, value] of headers) {
    if (!SECRET.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  const bytes = Uint8Array.from(`${lines.join("\r\n")}\r\n\r\n`, (char) => char.charCodeAt(0));
  return new globalThis.Response(bytes, { headers: { "content-type": "message/http" } });
}
