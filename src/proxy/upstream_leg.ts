/**
 * The upstream leg of one exchange: the lease of a connection to the origin, the request that is sent on it,
 * and the second attempt on another connection where that is allowed (RFC 9110 §9.2.2, RFC 9113 §8.7).
 * @module
 */
import { hasToken, type RequestHead, type ResponseHead, type UpstreamResponse } from "../http/mod.ts";
import type { HttpFlow } from "../flow/flow.ts";
import type { Request } from "../flow/request.ts";
import { internals } from "../internals.ts";
import { type Body, ResendableBody } from "../streams/mod.ts";
import type { WeirError } from "../errors.ts";
import type { BodyPlan } from "./body_plan.ts";
import { Crossing } from "./crossing.ts";
import type { ProxyContext } from "./context.ts";
import type { Route } from "./route.ts";
import type { Stop } from "./stop.ts";
import { type Avoid, IDEMPOTENT, type Lease } from "./upstream_pool.ts";

/** Sends the request of one exchange, and holds the lease that it was sent on. */
export class UpstreamLeg {
  readonly #context: ProxyContext;
  readonly #route: Route;
  readonly #flow: HttpFlow;
  readonly #plan: BodyPlan;
  readonly #stop: Stop;
  #lease: Lease | null = null;
  #isConnecting = false;
  /** A streamed request's body, while it may have to be sent again. */
  #resendable: ResendableBody | null = null;

  /** Sends the request of `flow` where `route` leads; its body is what `plan` gives. */
  constructor(context: ProxyContext, route: Route, flow: HttpFlow, plan: BodyPlan, stop: Stop) {
    this.#context = context;
    this.#route = route;
    this.#flow = flow;
    this.#plan = plan;
    this.#stop = stop;
  }

  /** The connection that the request was sent on; null before there is one. */
  get lease(): Lease | null {
    return this.#lease;
  }

  /** A connection to the origin is being made, which has time limits of its own. */
  get isConnecting(): boolean {
    return this.#isConnecting;
  }

  /**
   * Sends the request; once more when its connection was closed, or the origin refused it, before it was
   * looked at. `isRaw`: see `Destination`.
   */
  async send(
    head: () => RequestHead,
    onInformational: (head: ResponseHead) => Promise<void> | void,
    { isRaw }: { isRaw: boolean },
  ): Promise<UpstreamResponse> {
    const { request } = this.#flow;
    let http1 = asksForUpgrade(request);
    const { gate, options } = this.#context;
    const crossing = gate ? new Crossing(gate, this.#flow) : null;
    const onInterim = crossing === null
      ? onInformational
      : (head: ResponseHead) => onInformational(crossing.head(head));
    for (let avoid: Avoid = null;;) {
      const lease: Lease = await this.#acquire(avoid, { http1, isRaw });
      this.#stop.check();
      const outgoing = { head: head(), body: this.#body() };
      const sent = crossing?.request(outgoing.head, outgoing.body, lease, !options.ssl_insecure) ?? outgoing;
      try {
        const response = await lease.exchange.send(
          sent.head,
          sent.body,
          onInterim,
          (text) => this.#flow[internals].warn(crossing?.text(text) ?? text),
        );
        this.#resendable?.settle();
        return crossing?.response(response) ?? response;
      } catch (error) {
        this.#stop.check();
        const repeatable = lease.exchange.repeatable(error);
        const mayRepeat = repeatable === "over HTTP/1.1" ||
          avoid === null &&
            (repeatable === "any" || repeatable === "idempotent" && IDEMPOTENT.has(request.method));
        const isWhole = this.#resendable?.isWhole ?? true;
        if (!isWhole || !mayRepeat) throw crossing?.error(error) ?? error;
        http1 ||= repeatable === "over HTTP/1.1";
        // Where one connection was closed unnoticed, the others that are there may be as well.
        avoid = repeatable === "idempotent" ? "pooled" : lease.serverConn;
        this.#lease = null;
        lease.release();
      }
    }
  }

  /** Ends what is sent and received, and the connection with it. */
  cut(error: WeirError): void {
    this.#lease?.exchange.abort(error);
    this.#lease?.discard();
  }

  /** Gives the connection up: the request is refused, and another answer takes the place of the origin's. */
  giveUp(error: WeirError): void {
    this.#lease?.exchange.abort(error);
    this.#lease?.release();
    this.#lease = null;
  }

  /**
   * The body for one attempt. What is in memory can be had again; of a stream, what was sent of it must be
   * kept.
   */
  #body(): Body | null {
    if (this.#resendable !== null) return this.#resendable.attempt();
    const body = this.#plan.outgoing();
    if (body === null || this.#flow.request[internals].mode !== "streamed") return body;
    this.#resendable = new ResendableBody(body);
    return this.#resendable.attempt();
  }

  async #acquire(
    avoid: Avoid,
    { http1, isRaw }: { http1: boolean; isRaw: boolean },
  ): Promise<Lease> {
    const { request, [internals]: { proxy } } = this.#flow;
    const destination = this.#route.destination(request, proxy, isRaw);
    const place = this.#context.pool.acquire(destination, this.#flow, { avoid, http1 });
    this.#isConnecting = place instanceof Promise;
    const lease = place instanceof Promise
      ? await this.#stop.unlessStopped(place, (late) => this.#keep(late))
      : this.#lease = place;
    this.#isConnecting = false;
    this.#flow.serverConn = lease.serverConn;
    return lease;
  }

  /**
   * Known before the exchange goes on, so that a stop in between finds it; what comes after a stop is freed.
   */
  #keep(lease: Lease): void {
    this.#lease = lease;
    if (this.#stop.error !== null) this.cut(this.#stop.error);
  }
}

/** RFC 9110 §7.8: the client asks for another protocol on this connection, which HTTP/1.0 has no way to. */
function asksForUpgrade({ httpVersion, headers }: Request): boolean {
  return httpVersion === "HTTP/1.1" && headers.has("upgrade") &&
    hasToken(headers.get("connection"), "upgrade");
}
