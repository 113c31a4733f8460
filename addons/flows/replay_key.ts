/**
 * What makes two requests the same for `server_replay` (mitmproxy `serverplayback`).
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { Request } from "weir";

/** What is left out of the comparison, and what is put into it. */
export interface KeyOptions {
  readonly ignoreContent: boolean;
  readonly ignoreHost: boolean;
  readonly ignorePort: boolean;
  readonly ignoreParams: readonly string[];
  readonly ignorePayloadParams: readonly string[];
  readonly useHeaders: readonly string[];
}

/** The part that the head decides. */
export function headKey(request: Request, options: KeyOptions): string {
  const at = request.path.indexOf("?");
  const path = at < 0 ? request.path : request.path.slice(0, at);
  const key: unknown[] = [request.scheme, request.method, path.replace(/;[^/]*$/, "")];
  const pairs = [...new URLSearchParams(at < 0 ? "" : request.path.slice(at + 1))];
  key.push(pairs.filter(([name]) => !options.ignoreParams.includes(name)));
  if (!options.ignoreHost) key.push(hostOf(request));
  if (!options.ignorePort) key.push(request.port);
  key.push(options.useHeaders.map((name) => [name.toLowerCase(), request.headers.get(name)]));
  return JSON.stringify(key);
}

/** The host that the client named. */
function hostOf({ headers, host }: Request): string {
  const named = headers.get("host");
  return (named === null ? host : named.replace(/:\d*$/, "")).toLowerCase();
}

/** Hashes a body as it comes. */
export class BodyKey {
  readonly #hash: Hash = createHash("sha256");

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  text(): string {
    return this.#hash.digest("base64");
  }
}

/** True when parts of the body are left out, so that it must be there to be read. */
export function needsForm(request: Request, { ignorePayloadParams }: KeyOptions): boolean {
  return ignorePayloadParams.length > 0 && formTypeOf(request) !== null;
}

function formTypeOf(request: Request): "urlencoded" | "multipart" | null {
  const type = request.headers.get("content-type") ?? "";
  if (/^\s*application\/x-www-form-urlencoded\b/i.test(type)) return "urlencoded";
  return /^\s*multipart\/form-data\b/i.test(type) ? "multipart" : null;
}

/** The body of a form, without the fields that are left out. */
export async function formKey(
  request: Request,
  content: Uint8Array,
  { ignorePayloadParams }: KeyOptions,
): Promise<string> {
  const pairs = await fieldsOf(request, content);
  return JSON.stringify(pairs.filter(([name]) => !ignorePayloadParams.includes(name)));
}

async function fieldsOf(request: Request, content: Uint8Array): Promise<[string, string][]> {
  if (formTypeOf(request) === "urlencoded") {
    return [...new URLSearchParams(new TextDecoder().decode(content))];
  }
  const type = request.headers.get("content-type")!;
  try {
    const form = await new Response(content.slice(), { headers: { "content-type": type } }).formData();
    return await Promise.all(
      [...form].map(async ([name, value]): Promise<[string, string]> => [
        name,
        typeof value === "string" ? value : await value.text(),
      ]),
    );
  } catch {
    // No form after all: then all of it counts.
    return [["", new TextDecoder("latin1").decode(content)]];
  }
}
