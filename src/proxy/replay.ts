/**
 * Sending a recorded request again: an exchange whose client is weir itself, hooks included (mitmproxy `clientplayback.py`).
 * @module
 */
import { WeirError } from "../errors.ts";
import { makeClientConnection } from "../flow/make.ts";
import type { HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import type { Request } from "../flow/request.ts";
import type { IncomingExchange, RequestHead, ResponseHead } from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import { type Body, bodyOf, bytesBody, type Stage } from "../streams/mod.ts";
import { type Options, parseMode, type ProxyAddress } from "../options/mod.ts";
import { withAuth } from "./modes/mod.ts";
import type { ProxyContext } from "./context.ts";
import { runExchange } from "./exchange.ts";
import { Route } from "./route.ts";

/** Replays that run. */
export class Replays {
  readonly #running = new Map<ReplayedExchange, Promise<HttpFlow>>();

  /** Resolves when all have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Ends those that run. */
  cut(error: WeirError): void {
    for (const exchange of this.#running.keys()) exchange.abort(error);
  }

  /**
   * Sends the request of a flow again; resolves with the new flow when that has ended. `through` are stages for its body.
   * @throws {TypeError} when it cannot be sent again: see {@linkcode whyNot}.
   */
  run(context: ProxyContext, flow: HttpFlow, through: readonly Stage[] = []): Promise<HttpFlow> {
    const reason = whyNot(flow);
    if (reason !== null) throw new TypeError(`${flow.request.method} ${flow.request.url} ${reason}.`);
    const body = bodyOfRequest(flow.request);
    const incoming = new ReplayedExchange(
      headOf(flow.request),
      body && through.reduce((body, stage) => stage.through(body), body),
    );
    const { clientConn } = flow;
    const conn = makeClientConnection({
      ...clientConn,
      tls: null,
      timestampStart: Date.now(),
      timestampEnd: null,
    });
    const replayed = this.#send(context, incoming, new Route(conn, null, { via: viaOf(context.options) }));
    this.#running.set(incoming, replayed);
    return replayed;
  }

  async #send(context: ProxyContext, incoming: ReplayedExchange, route: Route): Promise<HttpFlow> {
    let flow: HttpFlow;
    await runExchange(context, incoming, route, (made) => {
      flow = made;
      flow.isReplay = "request";
    });
    this.#running.delete(incoming);
    return flow!;
  }
}

/** As mitmproxy does: by the proxy of the first mode, if that is upstream. */
function viaOf(options: Options): ProxyAddress | null {
  const { mode } = parseMode(options.mode[0]);
  return mode.kind === "upstream" ? withAuth(mode.proxy, options) : null;
}

/** Why a flow's request cannot be sent again, as the end of a sentence; null when it can. */
export function whyNot(flow: HttpFlow): string | null {
  const { mode, raw, stored } = flow.request[internals];
  if (flow.websocket !== null) return "is a WebSocket connection, which cannot be replayed";
  if (flow.request.method === "CONNECT") return "is a CONNECT, which cannot be replayed";
  if (flow.live && mode === "pending") return "has not been read yet";
  if (raw === null && !(stored?.complete ?? false)) return "cannot be replayed: its body was not kept";
  return null;
}

function headOf(request: Request): RequestHead {
  const { method, scheme, host, port, path, httpVersion } = request;
  return {
    method,
    form: "absolute",
    scheme,
    host,
    port,
    path,
    httpVersion,
    headers: request.headers.clone(),
  };
}

function bodyOfRequest(request: Request): Body | null {
  const { raw, stored } = request[internals];
  const trailers = request.trailers?.raw ?? null;
  const hasLength = request.headers.has("content-length");
  if (raw !== null) {
    if (raw.length === 0 && trailers === null) return null;
    return bytesBody(raw, trailers, !hasLength);
  }
  return bodyOf(stored!.readable(), { size: hasLength ? stored!.size : null, trailers: () => trailers });
}

/** The client's side: it takes the response as fast as it comes, and keeps nothing of it. */
class ReplayedExchange implements IncomingExchange {
  readonly head: RequestHead;
  readonly body: Body | null;
  #onGone: ((error: WeirError) => void) | null = null;
  #response: Body | null = null;
  #error: WeirError | null = null;

  constructor(head: RequestHead, body: Body | null) {
    this.head = head;
    this.body = body;
  }

  onGone(listener: (error: WeirError) => void): void {
    this.#onGone = listener;
  }

  informational(_head: ResponseHead): Promise<void> {
    return Promise.resolve();
  }

  async respond(_head: ResponseHead, body: Body | null): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (body === null) return;
    this.#response = body;
    for (let piece = body.take(); piece !== null; piece = body.take()) {
      if (piece === undefined) await body.fill();
    }
  }

  takeOver(): Conn {
    throw new WeirError("weir", "protocol", "A replayed request was answered with another protocol.");
  }

  passOn(_error: WeirError): boolean {
    return false;
  }

  abort(error: WeirError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.body?.cancel(error);
    this.#response?.cancel(error);
    this.#onGone?.(error);
  }
}
