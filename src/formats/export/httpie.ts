/**
 * A request as a command for HTTPie.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import { clientRequest, valueOf } from "./request.ts";
import { shellBody, word } from "./shell.ts";

/**
 * A command that sends the request of a flow again, with HTTPie, in a POSIX shell. Its body is without codings; one that was not kept
 * is left out.
 * @throws {TypeError} for a CONNECT.
 */
export function toHttpie(flow: HttpFlow): string {
  const request = clientRequest(flow);
  const { method, url, fields, body } = request;
  const args = ["http"];
  // It takes what it is given on its standard input for the body, a script's own, too.
  if (body === null) args.push("--ignore-stdin");
  if (/\/\.{1,2}(?:[/?]|$)/.test(url)) args.push("--path-as-is");
  args.push(word(method), word(url));
  for (const [name, value] of fields) args.push(word(item(name, value)));
  for (const name of ["User-Agent", "Accept", "Accept-Encoding"]) {
    if (valueOf(request, name.toLowerCase()) === null) args.push(`${name}:`);
  }
  const command = args.join(" ");
  return body === null ? command : `${shellBody(body).printed} | ${command}`;
}

/** `:=` and `:@` are other separators than `:`, unless the second character is escaped. */
function item(name: string, value: string): string {
  if (value === "") return `${name};`;
  return `${name}:${value.replace(/^[=@]/, "\\$&")}`;
}
