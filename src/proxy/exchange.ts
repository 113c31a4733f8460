/**
 * One exchange: a request from a client, its way through the hooks to an origin, and the response back.
 *
 * `run` reads like the contract: requestheaders → request → (connect) → responseheaders → response → complete, and
 * `error` instead of `complete` when anything was cut. Which HTTP versions and which mode it serves is not known here.
 * @module
 */
import { WeirError } from "../errors.ts";
import {
  type Abort,
  errorPage,
  hasNoBody,
  Headers,
  type IncomingExchange,
  type RequestHead,
  type ResponseHead,
  type UpstreamResponse,
} from "../http/mod.ts";
import { type FlowError, HttpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import { endContent, type Message } from "../flow/message.ts";
import { Request } from "../flow/request.ts";
import { Response } from "../flow/response.ts";
import type { EventHookName } from "../hooks/mod.ts";
import { type Conn, relay } from "../net/mod.ts";
import type { Body } from "../streams/mod.ts";
import { checkResponse, CrossingConn } from "../websocket/mod.ts";
import { BodyPlan } from "./body_plan.ts";
import type { ProxyContext } from "./context.ts";
import { countForward } from "./max_forwards.ts";
import type { Run } from "./running.ts";
import type { Route } from "./route.ts";
import { Stop } from "./stop.ts";
import { UpstreamLeg } from "./upstream_leg.ts";
import { webBody } from "./web_body.ts";
import { playServer, prepareHandshake, runWebSocket } from "./websocket.ts";

/**
 * Runs one exchange to its end, a connection that it switched to another protocol included. Never rejects. `prepare` is given
 * its flow before any hook is.
 */
export function runExchange(
  context: ProxyContext,
  incoming: IncomingExchange,
  route: Route,
  prepare?: (flow: HttpFlow) => void,
): Promise<void> {
  const exchange = new Exchange(context, incoming, route);
  prepare?.(exchange.flow);
  return exchange.run();
}

class Exchange implements Run {
  readonly #context: ProxyContext;
  readonly #incoming: IncomingExchange;
  readonly #flow: HttpFlow;
  readonly #requestPlan: BodyPlan;
  /** The hosts by which the request was addressed. */
  readonly #names: readonly string[];
  #responsePlan: BodyPlan | null = null;
  /** The request on its way to the origin. */
  readonly #upstream: UpstreamLeg;
  readonly #stopped = new Stop();
  /** Ends the wait for the request's body, when nothing of it comes. */
  #onStalledUpload: ((error: WeirError) => void) | null = null;
  /** Its place among those that are under way. */
  #place = -1;
  /** True once anything of the final response may have been written. */
  #answered = false;
  /** An addon's answer took the place of the origin's. */
  #isReplaced = false;
  /** The request asks for a WebSocket. */
  #isWebSocket = false;
  /** True once a 100 went to the client, or none was asked for. */
  #continued = true;
  /** weir itself has told the client to go on. */
  #isContinueSent = false;

  constructor(context: ProxyContext, incoming: IncomingExchange, route: Route) {
    this.#context = context;
    this.#incoming = incoming;
    this.#names = context.gate ? route.namesOf(incoming.head) : [];
    this.#flow = new HttpFlow(new Request(route.resolve(incoming.head)), route.clientConn);
    this.#requestPlan = this.#planOf(this.#flow.request, incoming.body);
    this.#upstream = new UpstreamLeg(context, route, this.#flow, this.#requestPlan, this.#stopped);
    const state = this.#flow[internals];
    state.log = context.log;
    state.memory = context.memory;
    state.proxy = route.via;
    state.kill = (how) => this.#stop(new WeirError("weir", "killed", "The flow was killed."), how);
    incoming.onGone((error) => this.#stop(error));
  }

  get flow(): HttpFlow {
    return this.#flow;
  }

  /** Bytes that have moved, on either side. */
  get moved(): number {
    return (this.#incoming.moved ?? 0) + (this.#upstream.lease?.exchange.moved ?? 0);
  }

  /** A hook may take its time, and a body may be paused for as long as an addon likes. */
  get isHeld(): boolean {
    const { request, response } = this.#flow;
    return this.#flow[internals].addon !== null || this.#upstream.isConnecting ||
      request[internals].valve?.isPaused === true || response?.[internals].valve?.isPaused === true;
  }

  /** Nothing has moved for so long: a page says so where nothing of a response is out yet, else both sides are cut. */
  onStalled(seconds: number): void {
    const forSeconds = `for ${seconds} s (option idle_timeout).`;
    if (this.#answered) {
      return this.#stop(new WeirError("weir", "timeout", `Nothing has come or gone ${forSeconds}`));
    }
    if (this.#onStalledUpload !== null) {
      const what = `The client has sent nothing more of its request ${forSeconds}`;
      return this.#onStalledUpload(new WeirError("client", "timeout", what, { statusCode: 408 }));
    }
    const error = this.#named(
      new WeirError("server", "timeout", `The server has not answered, and nothing has moved, ${forSeconds}`),
    );
    this.#upstream.lease?.exchange.abort(error);
    this.#responsePlan?.discard(error);
  }

  /** weir stops, and does not wait any longer. */
  cut(error: WeirError): void {
    this.#stop(error);
  }

  async run(): Promise<void> {
    const flow = this.#flow;
    this.#place = this.#context.running.add(this);
    try {
      const refusal = this.#context.gate?.admit(flow, this.#names) ?? null;
      if (refusal !== null) flow.response = refusal;
      await this.#hook("requestheaders");
      if (flow.response === null) await this.#readRequest();
      flow.request[internals].consume = (fn, isKept) => this.#consume(fn, isKept);
      await this.#hook("request");
      flow.request[internals].consume = null;
      flow.response ??= countForward(flow.request);
      const upstream = flow.response !== null ? null : this.#playedServer() ?? await this.#fetchPastGate();
      if (upstream?.upgraded) {
        const server = upstream.upgraded;
        // Whatever goes wrong before it has found its peer, and afterwards: it is nobody else's any more.
        await this.#switchProtocols(upstream, server).finally(() => {
          server.close();
          this.#upstream.lease?.release();
        });
      } else {
        await this.#respond(upstream);
        await this.#finishUpload();
      }
      await this.#end("complete");
    } catch (thrown) {
      await this.#fail(
        this.#stopped.error ?? this.#named(WeirError.from(thrown, "weir", "internal", "weir failed")),
      );
    } finally {
      this.#cleanUp();
    }
  }

  #planOf(message: Message, body: Body | null): BodyPlan {
    const { hooks } = this.#context, flow = this.#flow;
    // Who has a request sent again waits for what comes of it.
    return new BodyPlan(
      this.#context,
      message,
      body,
      () => flow.isReplay !== null || hooks.readsBody(message, flow),
    );
  }

  /** Runs a hook, then sees to it that nothing goes on that was stopped meanwhile. */
  async #hook(name: EventHookName): Promise<void> {
    const pending = this.#context.hooks.trigger(name, this.#flow);
    if (pending) await pending;
    this.#stopped.check();
  }

  async #readRequest(): Promise<void> {
    const { headers } = this.#flow.request;
    if (this.#incoming.body !== null && /^100-continue$/i.test(headers.get("expect") ?? "")) {
      if (this.#requestPlan.willBuffer) {
        headers.delete("expect");
        this.#isContinueSent = true;
        await this.#incoming.informational(continueHead());
      } else {
        this.#continued = false;
      }
    }
    const settled = this.#requestPlan.settle((limit) => tooLarge("client", limit));
    if (this.#incoming.body === null) return await settled;
    await new Promise<void>((resolve, reject) => {
      this.#onStalledUpload = reject;
      settled.then(resolve, reject);
    });
    this.#onStalledUpload = null;
  }

  /** The answer of an addon that plays a WebSocket server; null for none. */
  #playedServer(): UpstreamResponse | null {
    const { server } = this.#flow[internals];
    if (server === null) return null;
    const head = this.#requestHead();
    this.#isWebSocket = prepareHandshake(head);
    if (!this.#isWebSocket) {
      throw new WeirError(
        "weir",
        "addon",
        "answerWebSocket was called for a request that asks for no WebSocket.",
      );
    }
    return playServer(head, server, this.#context);
  }

  /** An addon wants to see the body of the request before it decides what becomes of it. */
  async #consume(fn: (chunk: Uint8Array) => void, isKept: boolean): Promise<void> {
    if (!this.#continued) {
      this.#flow.request.headers.delete("expect");
      this.#continued = this.#isContinueSent = true;
      await this.#incoming.informational(continueHead());
    }
    await this.#requestPlan.consume(fn, isKept);
  }

  /** Null where a gate refuses the request: its answer is the response then. */
  async #fetchPastGate(): Promise<UpstreamResponse | null> {
    const { gate } = this.#context, flow = this.#flow;
    if (!gate) return await this.#fetch();
    flow.response = gate.check(flow);
    if (flow.response !== null) return null;
    try {
      return await this.#fetch();
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== "policy" || this.#stopped.error !== null) {
        throw error;
      }
      this.#upstream.giveUp(error);
      this.#requestPlan.discard(error);
      flow.response = gate.refuse(flow, error);
      return null;
    }
  }

  #fetch(): Promise<UpstreamResponse> {
    const { request } = this.#flow;
    if (this.#context.options.via) request.headers.append("Via", `${request.httpVersion.slice(5)} weir`);
    this.#isWebSocket = prepareHandshake(this.#requestHead());
    const isRaw = this.#isWebSocket;
    return this.#upstream.send(() => this.#requestHead(), (head) => this.#informational(head), { isRaw });
  }

  #requestHead(): RequestHead {
    const { method, scheme, host, port, path, httpVersion, headers } = this.#flow.request;
    return {
      method,
      form: path === "*" ? "asterisk" : "origin",
      scheme,
      host,
      port,
      path,
      httpVersion,
      headers,
    };
  }

  #informational(head: ResponseHead): Promise<void> | void {
    if (head.statusCode === 100) {
      // RFC 9110 §15.2: all but what the proxy asked for itself are passed on, also a 100 that nobody asked for.
      if (this.#isContinueSent) return;
      this.#continued = true;
    }
    return this.#incoming.informational(head);
  }

  async #respond(upstream: UpstreamResponse | null): Promise<void> {
    const flow = this.#flow;
    if (upstream !== null) {
      flow.response = new Response(upstream.head);
      flow.response![internals].declaredSize = upstream.declaredSize ?? null;
    }
    const response = flow.response!;
    const body = upstream === null ? await this.#answerBody(response) : upstream.body;
    this.#responsePlan = this.#planOf(response, body);
    await this.#hook("responseheaders");
    if (this.#isOutdated) await this.#replace();
    await this.#readResponse();
    await this.#hook("response");
    if (this.#isOutdated) {
      await this.#replace();
      await this.#readResponse();
    }
    await this.#sendResponse(flow.response!, this.#responsePlan.outgoing());
  }

  /** True when an addon put another response in the place of the one that was there. */
  get #isOutdated(): boolean {
    return this.#responsePlan!.message !== this.#flow.response;
  }

  async #replace(): Promise<void> {
    const { response } = this.#flow;
    this.#responsePlan!.discard(replacedError());
    this.#responsePlan!.release();
    this.#isReplaced = true;
    if (response === null) {
      throw new WeirError("weir", "addon", "An addon set flow.response to null after it was there.");
    }
    this.#responsePlan = this.#planOf(response, await this.#answerBody(response));
    this.#stopped.check();
  }

  /** The body of an addon's answer; a stream that the client may not be sent is no body, so that no hook sees it. */
  async #answerBody(response: Response): Promise<Body | null> {
    const body = await webBody(response, this.#context.log);
    if (body?.size !== null || !hasNoBody(this.#incoming.head.method, response.statusCode)) {
      return body ?? null;
    }
    body.cancel(replacedError());
    return null;
  }

  async #readResponse(): Promise<void> {
    await this.#responsePlan!.settle((limit) => tooLarge("server", limit));
  }

  async #sendResponse(response: Response, body: Body | null): Promise<void> {
    const { statusCode, reason, httpVersion, headers } = response;
    if (body !== null && hasNoBody(this.#incoming.head.method, statusCode)) {
      body.cancel(replacedError());
      body = null;
    }
    if (this.#context.options.via) headers.append("Via", `${httpVersion.slice(5)} weir`);
    this.#answered = true;
    await this.#incoming.respond({ statusCode, reason, httpVersion, headers }, body);
    this.#stopped.check();
  }

  /** The response is out; the upload may still be on its way, and goes on. */
  async #finishUpload(): Promise<void> {
    if (this.#upstream.lease === null) return;
    const isUnasked = !this.#continued && this.#flow.request.size === 0;
    if (this.#isReplaced || isUnasked) {
      // Nobody waits for the rest: the origin's answer was dropped, or it came instead of the 100 that the client awaits.
      this.#requestPlan.discard(replacedError());
      this.#upstream.lease.exchange.abort(replacedError());
      return;
    }
    await this.#upstream.lease.exchange.sent;
    this.#stopped.check();
  }

  /** After a 101 the connection is no longer HTTP: a WebSocket, or bytes that nobody here understands. */
  async #switchProtocols(upstream: UpstreamResponse, server: Conn): Promise<void> {
    const flow = this.#flow;
    const agreement = this.#isWebSocket ? checkResponse(this.#requestHead(), upstream.head) : null;
    await this.#respond(upstream);
    if (this.#isReplaced || flow.response!.statusCode !== 101) return;
    const client = this.#incoming.takeOver();
    this.#stopped.onStop = () => {
      client.reset();
      server.reset();
    };
    const { gate } = this.#context;
    if (agreement !== null) {
      const messages = gate?.messages(flow) ?? null;
      const origin = messages === null ? server : new CrossingConn(server, messages);
      await runWebSocket(this.#context, flow, { client, server: origin }, agreement);
    } else {
      const { host, port } = flow.request;
      const refusal =
        gate?.raw(flow.clientConn, { host, port }, flow.serverConn?.peerAddress?.hostname ?? null) ?? null;
      if (refusal !== null) throw new WeirError("weir", "policy", refusal);
      const { error } = await relay(client, server);
      if (error !== null) throw error;
    }
    this.#stopped.check();
  }

  #stop(error: WeirError, how: Abort = "close"): void {
    this.#stopped.stop(error, () => {
      this.#flow[internals].over?.abort(error);
      this.#incoming.abort(error, how);
      this.#upstream.cut(error);
      // An addon's own answer is a source that nobody else would stop.
      this.#responsePlan?.discard(error);
    });
  }

  /** The error with the name of the origin in it, and of the proxy on the way, if one of them is to blame. */
  #named(error: WeirError): WeirError {
    const { request: { host, authority }, serverConn: { via } } = this.#flow;
    const { side, code, statusCode, message } = error;
    if (side !== "server" || message.includes(via ?? host)) return error;
    const place = via === null ? authority : `${authority}, by the proxy ${via}`;
    return new WeirError("server", code, `${place}: ${message}`, { cause: error, statusCode });
  }

  /** Cuts both sides so that it shows, or says what went wrong where the client has heard nothing yet. */
  async #fail(error: WeirError): Promise<void> {
    this.#upstream.lease?.exchange.abort(error);
    this.#requestPlan.discard(error);
    this.#responsePlan?.discard(error);
    if (this.#answered || this.#stopped.error !== null || error.code === "addon") {
      this.#incoming.abort(error);
    } else if (!this.#incoming.passOn(error)) {
      this.#answered = true;
      const page = errorPage(error);
      await this.#incoming.respond(page.head, page.body).catch(() => {});
    }
    const flowError: FlowError = { message: error.message, timestamp: Date.now(), cause: error };
    this.#flow.error = flowError;
    if (error.code === "internal") this.#context.log.error(String(error.stack));
    await this.#end("error");
  }

  #cleanUp(): void {
    const flow = this.#flow;
    this.#context.running.remove(this.#place);
    this.#requestPlan.release();
    this.#responsePlan?.release();
    flow.request[internals].stored?.retire();
    flow.response?.[internals].stored?.retire();
    endContent(flow.request);
    if (flow.response !== null) endContent(flow.response);
    flow[internals].release();
    // An answer that did not get as far as being sent.
    flow.response?.takeWebBody()?.cancel().catch(() => {});
    this.#upstream.lease?.release();
  }

  async #end(hook: "complete" | "error"): Promise<void> {
    const state = this.#flow[internals];
    state.kill = null;
    state.ended = true;
    state.over?.abort();
    const pending = this.#context.hooks.trigger(hook, this.#flow);
    if (pending) await pending;
  }
}

function tooLarge(side: "client" | "server", limit: number): WeirError {
  const what = side === "client" ? "request" : "response";
  return new WeirError(
    side,
    "limit",
    `The ${what} body is larger than body_size_limit (${limit} bytes).`,
    side === "client" ? { statusCode: 413 } : {},
  );
}

function continueHead(): ResponseHead {
  return { statusCode: 100, reason: "Continue", httpVersion: "HTTP/1.1", headers: new Headers() };
}

function replacedError(): WeirError {
  return new WeirError("weir", "closed", "An addon answered in place of the origin.");
}
