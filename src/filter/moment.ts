/**
 * A flow as a rule sees it that acts on one of its messages (mitmproxy asks filters in the hooks `request` and `response`): what
 * comes behind that message counts as absent, so that the answer is there as soon as the message is known.
 * @module
 */
import type { Flow, HttpFlow } from "../flow/flow.ts";
import type { Message } from "../flow/message.ts";

/** What filters read of a flow, at the moment when `message` is known. */
export class FlowAtMessage implements
  Pick<
    HttpFlow,
    | "type"
    | "live"
    | "request"
    | "response"
    | "error"
    | "websocket"
    | "clientConn"
    | "serverConn"
    | "metadata"
    | "marked"
    | "comment"
    | "isReplay"
    | "timestampStart"
  > {
  readonly type = "http";
  /** Nothing comes any more, but for the body of `message`. */
  readonly live = false;
  readonly message: Message;
  readonly #flow: HttpFlow;

  constructor(flow: HttpFlow, message: Message) {
    this.#flow = flow;
    this.message = message;
  }

  get request() {
    return this.#flow.request;
  }

  /** A request is looked at before there is an answer to it. */
  get response() {
    return this.message === this.#flow.request ? null : this.#flow.response;
  }

  get error() {
    return this.#flow.error;
  }

  get websocket() {
    return this.#flow.websocket;
  }

  get clientConn() {
    return this.#flow.clientConn;
  }

  get serverConn() {
    return this.#flow.serverConn;
  }

  get metadata() {
    return this.#flow.metadata;
  }

  get marked() {
    return this.#flow.marked;
  }

  get comment() {
    return this.#flow.comment;
  }

  get isReplay() {
    return this.#flow.isReplay;
  }

  get timestampStart() {
    return this.#flow.timestampStart;
  }
}

/** True for a flow that is under way, whether all of it is looked at or what is there of it at a message. */
export function isUnderWay(flow: Flow): boolean {
  return flow.live || isAtMessage(flow);
}

/** True where more of this message may come. */
export function mayGrow(message: Message, flow: Flow): boolean {
  return flow.live || isAtMessage(flow) && flow.message === message;
}

function isAtMessage(flow: Flow | FlowAtMessage): flow is Flow & FlowAtMessage {
  return flow instanceof FlowAtMessage;
}
