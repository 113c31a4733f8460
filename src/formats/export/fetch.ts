/**
 * A request as a call of `fetch` (Fetch standard), for browsers, Deno and Node.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import { clientRequest } from "./request.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * JavaScript that sends the request of a flow again. Its body is without codings; one that was not kept is left out, and so is that
 * of a GET or HEAD, which `fetch` does not send.
 * @throws {TypeError} for a CONNECT.
 */
export function toFetch(flow: HttpFlow): string {
  const { method, url, fields, body } = clientRequest(flow);
  const members = [`method: ${literal(method)}`];
  if (fields.length > 0) {
    const pairs = fields.map(([name, value]) => `    [${literal(name)}, ${literal(value)}],\n`);
    members.push(`headers: [\n${pairs.join("")}  ]`);
  }
  if (body !== null && method !== "GET" && method !== "HEAD") members.push(`body: ${bodyLiteral(body)}`);
  return `await fetch(${literal(url)}, {\n${members.map((member) => `  ${member},\n`).join("")}})`;
}

function bodyLiteral(body: Uint8Array): string {
  try {
    return literal(strict.decode(body));
  } catch {
    const base64 = (body as Uint8Array<ArrayBuffer>).toBase64();
    return `Uint8Array.from(atob(${literal(base64)}), (char) => char.charCodeAt(0))`;
  }
}

/** A string as JavaScript writes it, in ASCII: terminals and files take it as it is. */
function literal(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
