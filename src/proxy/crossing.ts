/**
 * What a gate makes of a request on its way to the origin, and of what comes back: behind all hooks, and in front of them.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { HttpFlow } from "../flow/flow.ts";
import type { Gate } from "../hooks/mod.ts";
import { Headers, type RequestHead, type ResponseHead, type UpstreamResponse } from "../http/mod.ts";
import { internals } from "../internals.ts";
import { type Body, piped, stagesOf, withSize, withTrailers } from "../streams/mod.ts";
import type { Lease } from "./upstream_pool.ts";

/** One attempt to send a request, through a gate. */
export class Crossing {
  readonly #gate: Gate;
  readonly #flow: HttpFlow;

  constructor(gate: Gate, flow: HttpFlow) {
    this.#gate = gate;
    this.#flow = flow;
  }

  /**
   * The request as it is sent over a connection. `isVerified`: TLS without a certificate that can be trusted is none.
   * @throws {WeirError} "policy" when it may not be sent over that one.
   */
  request(
    head: RequestHead,
    body: Body | null,
    { serverConn }: Lease,
    isVerified: boolean,
  ): { head: RequestHead; body: Body | null } {
    const gate = this.#gate, flow = this.#flow;
    const address = serverConn.via === null ? serverConn.peerAddress?.hostname ?? null : null;
    const refusal = gate.use(flow, address);
    if (refusal !== null) throw new WeirError("weir", "policy", refusal, { statusCode: 403 });
    const departure = gate.depart(
      flow,
      head,
      serverConn.tls !== null && isVerified,
    );
    const { path, headers } = departure;
    const sent = path === head.path && headers === head.headers ? head : { ...head, path, headers };
    if (body === null) return { head: sent, body };
    const { stages, keepsLength } = departure.body();
    if (stages.length === 0) return { head: sent, body };
    const through = piped(body, stagesOf([...stages]), undefined, (text) => this.#warn(text));
    return { head: sent, body: keepsLength ? withSize(through, body.size) : through };
  }

  /** A head that came back, interim or final. */
  head(head: ResponseHead): ResponseHead {
    const { reason, headers } = this.#gate.arrive(this.#flow, head);
    return reason === head.reason && headers === head.headers ? head : { ...head, reason, headers };
  }

  /** A final response, with what is behind its head. */
  response(response: UpstreamResponse): UpstreamResponse {
    const head = this.head(response.head), { body } = response;
    if (body === null) return { ...response, head };
    const stages = stagesOf([...this.#gate.body(this.#flow, response.head.headers)]);
    if (stages.length === 0) return { ...response, head };
    const through = piped(body, stages, undefined, (text) => this.#warn(text));
    const trailers = () => through.trailers && this.#gate.trailers(this.#flow, through.trailers);
    return {
      ...response,
      head: withoutLength(head),
      body: withTrailers(trailers).through(through),
      declaredSize: body.size,
    };
  }

  /** What went wrong, without what hooks and logs are not to see: a message may quote what was sent. */
  error(thrown: unknown): unknown {
    if (!(thrown instanceof WeirError)) return thrown;
    const reason = this.text(thrown.message);
    if (reason === thrown.message) return thrown;
    const { side, code, statusCode } = thrown;
    return new WeirError(side, code, reason, { statusCode });
  }

  /** The same for a sentence. */
  text(text: string): string {
    return this.#gate.arrive(this.#flow, { reason: text, headers: new Headers() }).reason;
  }

  #warn(text: string): void {
    this.#flow[internals].warn(text);
  }
}

/** Only its end will tell how long it is. */
function withoutLength(head: ResponseHead): ResponseHead {
  if (!head.headers.has("content-length")) return head;
  const headers = Headers.fromRaw(head.headers.raw.slice());
  headers.delete("content-length");
  return { ...head, headers };
}
