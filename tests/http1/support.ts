/**
 * Helpers of the HTTP/1 tests: scripted bodies, collected bodies, servers and connections over memory.
 * @module
 */
import type { Body } from "../../src/streams/body.ts";
import type {
  ExchangeHandler,
  IncomingExchange,
  RequestHead,
  ResponseHead,
  ServeOptions,
} from "../../src/http/wire.ts";
import { Headers } from "../../src/http/headers.ts";
import type { WeirError } from "../../src/errors.ts";
import { HeadScanner } from "../../src/http1/head_scanner.ts";
import { type Parsed, parseRequestHead, parseResponseHead } from "../../src/http1/head.ts";
import { serveHttp1 } from "../../src/http1/mod.ts";
import { latin1, type MemoryConn, memoryConnPair, type Split, whole } from "../support/memory_conn.ts";

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** What a scripted body does: a piece, a wait, an error. */
export type Step = string | Uint8Array | Promise<unknown> | WeirError;

/** A body that follows a script. */
export class ScriptedBody implements Body {
  readonly size: number | null;
  readonly chunked = false;
  readonly chunkLeft = 0;
  readonly trailers: string[] | null;
  cancelled: WeirError | null = null;
  taken = 0;
  readonly #steps: Step[];

  constructor(steps: Step[], options: { size?: number; trailers?: string[] } = {}) {
    this.#steps = steps;
    this.size = options.size ?? null;
    this.trailers = options.trailers ?? null;
  }

  take(): Uint8Array | null | undefined {
    const step = this.#steps[0];
    if (step === undefined) return null;
    if (step instanceof Promise) return undefined;
    this.#steps.shift();
    if (step instanceof Error) throw step;
    const piece = typeof step === "string" ? bytes(step) : step;
    this.taken += piece.length;
    return piece;
  }

  async fill(): Promise<void> {
    if (this.#steps[0] instanceof Promise) {
      await this.#steps[0];
      this.#steps.shift();
    }
  }

  cancel(reason: WeirError): void {
    this.cancelled ??= reason;
  }
}

/** Takes all of a body as text. */
export async function textOf(body: Body | null): Promise<string> {
  return (await piecesOf(body)).map((piece) => piece.text).join("");
}

/** Takes all of a body, keeping its pieces and what each says of its chunk. */
export async function piecesOf(body: Body | null): Promise<{ text: string; left: number }[]> {
  const pieces: { text: string; left: number }[] = [];
  for (;;) {
    const piece = body === null ? null : body.take();
    if (piece === null) return pieces;
    if (piece === undefined) await body!.fill();
    else pieces.push({ text: latin1(piece), left: body!.chunkLeft });
  }
}

/** A response head. */
export function response(statusCode: number, fields: [string, string][] = [], reason = "OK"): ResponseHead {
  return { statusCode, reason, httpVersion: "HTTP/1.1", headers: new Headers(fields) };
}

/** A request head in origin-form for `http://a.example`. */
export function request(
  method: string,
  path: string,
  fields: [string, string][] = [["Host", "a.example"]],
): RequestHead {
  return {
    method,
    form: "absolute",
    scheme: "http",
    host: "a.example",
    port: 80,
    path,
    httpVersion: "HTTP/1.1",
    headers: new Headers(fields),
  };
}

/** Scans and parses a request head that is all there. */
export function requestHead(text: string): Parsed<RequestHead> {
  const scanner = new HeadScanner("client", true), input = bytes(text);
  const length = scanner.scan(input, 0, input.length);
  if (length === -1) throw new Error("The head is not complete.");
  return parseRequestHead(input, 0, length, scanner.fieldsStart);
}

/** Scans and parses a response head that is all there. */
export function responseHead(text: string): Parsed<ResponseHead> {
  const scanner = new HeadScanner("server", true), input = bytes(text);
  const length = scanner.scan(input, 0, input.length);
  if (length === -1) throw new Error("The head is not complete.");
  return parseResponseHead(input, 0, length, scanner.fieldsStart);
}

/** A client's connection to a server that runs `handler`. Await `served` at the end of the test. */
export function serving(
  handler: ExchangeHandler,
  options: ServeOptions & { split?: Split; capacity?: number } = {},
): { client: MemoryConn; server: MemoryConn; served: Promise<void> } {
  const { split = whole, capacity } = options;
  const [client, server] = memoryConnPair({ split, capacity });
  return { client, server, served: serveHttp1(server, handler, options) };
}

/** Answers every request with its own method, path and body. */
export const echo: ExchangeHandler = async (exchange) => {
  const text = `${exchange.head.method} ${exchange.head.path} ${await textOf(exchange.body)}`;
  await exchange.respond(response(200), new ScriptedBody([text], { size: text.length }));
};

/** Sends `input` to a server, ends the client's half, gives all that comes back. */
export async function transcript(
  input: string,
  handler: ExchangeHandler = echo,
  options: ServeOptions & { split?: Split } = {},
): Promise<string> {
  const { client, served } = serving(handler, options);
  const read = client.readToEnd();
  await client.writeText(input);
  await client.closeWrite();
  const output = await read;
  await served;
  client.close();
  return output;
}

/** Hands out the exchange, and waits until `finish` is called. */
export function held(): {
  handler: ExchangeHandler;
  exchange: Promise<IncomingExchange>;
  finish: () => void;
} {
  const exchange = Promise.withResolvers<IncomingExchange>(), finish = Promise.withResolvers<void>();
  return {
    handler: (given) => {
      exchange.resolve(given);
      return finish.promise;
    },
    exchange: exchange.promise,
    finish: finish.resolve,
  };
}
