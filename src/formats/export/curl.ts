/**
 * A request as a command for curl.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import { clientRequest, valueOf } from "./request.ts";
import { shellBody, word } from "./shell.ts";

/** Bodies of which curl would ask before it sends them (Expect: 100-continue). */
const ASKED_FROM = 1024 * 1024;

/**
 * A command that sends the request of a flow again, with curl, in a POSIX shell. Its body is without codings; one that was not kept
 * is left out.
 *
 * @example
 * ```ts
 * import { type HttpFlow, toCurl } from "weir";
 *
 * export function complete(flow: HttpFlow) {
 *   console.log(toCurl(flow)); // curl -H 'X-Id: 1' http://example.com/
 * }
 * ```
 *
 * @throws {TypeError} for a CONNECT.
 */
export function toCurl(flow: HttpFlow): string {
  const request = clientRequest(flow);
  const { method, url, fields } = request;
  const isHead = method === "HEAD";
  const body = request.body !== null && !isHead ? shellBody(request.body) : null;
  const args = ["curl"];
  // curl waits for the body of a response to what it does not know as HEAD.
  if (isHead) args.push("--head");
  else if (method !== "GET" || body !== null) args.push("-X", word(method));
  // Brackets and braces are patterns to it, and dots are taken out of paths.
  if (/[[\]{}]/.test(url)) args.push("--globoff");
  if (/\/\.{1,2}(?:[/?]|$)/.test(url)) args.push("--path-as-is");
  for (const [name, value] of fields) {
    const isCodings = name.toLowerCase() === "accept-encoding" && /gzip|deflate|br|zstd/.test(value);
    if (isCodings) args.push("--compressed");
    else args.push("-H", word(value === "" ? `${name};` : `${name}: ${value}`));
  }
  // What curl adds of its own, the request had not.
  for (const name of ["User-Agent", "Accept"]) {
    if (valueOf(request, name.toLowerCase()) === null) args.push("-H", `'${name}:'`);
  }
  if (body !== null) {
    if (valueOf(request, "content-type") === null) args.push("-H", "'Content-Type:'");
    if (request.body!.length > ASKED_FROM) args.push("-H", "'Expect:'");
  } else if (!isHead && flow.request.content !== null && flow.request.headers.has("content-length")) {
    args.push("-H", "'Content-Length: 0'");
  }
  args.push(word(url));
  if (body === null) return args.join(" ");
  if (body.argument !== null) return [...args, "--data-raw", body.argument].join(" ");
  return `${body.printed} | ${[...args, "--data-binary", "@-"].join(" ")}`;
}
