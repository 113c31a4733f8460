/**
 * Flows: one HTTP exchange, or one raw TCP conversation, as addons hold them (mitmproxy `http.HTTPFlow`, `tcp.TCPFlow`).
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { MemoryBudget } from "../memory_budget.ts";
import { type Abort, Headers, type HeadersInit } from "../http/mod.ts";
import { shortened } from "../shown.ts";
import { type ClientConnection, newId, type ServerConnection } from "./connection.ts";
import { internals } from "../internals.ts";
import type { ProxyAddress } from "../options/mod.ts";
import type { MessageOwner } from "./message_owner.ts";
import { PlannedConnection } from "./planned_connection.ts";
import type { Request } from "./request.ts";
import { Response } from "./response.ts";
import { TCP_HISTORY, TcpHistory, type TcpMessage } from "./tcp_history.ts";
import type { WebSocketData, WebSocketPeer } from "../websocket/mod.ts";

export { TCP_HISTORY, type TcpMessage };

/** How a flow ended badly. */
export interface FlowError {
  /** One sentence: what happened, with what. */
  readonly message: string;
  /** When, in milliseconds since the epoch. */
  readonly timestamp: number;
  /** Which side failed, and a code to act on. */
  readonly cause: WeirError;
}

/** What weir keeps on a flow for itself. */
export class FlowState implements MessageOwner {
  /** The addon whose hook is running, for warnings; null outside hooks. */
  addon: string | null = null;
  /** Stops the exchange; set by whoever runs it. */
  kill: ((how: Abort) => void) | null = null;
  killed = false;
  /** The proxy by which a connection that is still to be made goes; null: none. */
  proxy: ProxyAddress | null = null;
  /** Tells who asked for it that the flow is over; null while nobody has. */
  over: AbortController | null = null;
  /** An addon plays the WebSocket server. */
  server: { readonly play: (socket: WebSocketPeer) => unknown; readonly headers: Headers } | null = null;
  /** All is known that will ever be: it was delivered or cut, or it was never on the wire. */
  ended = false;
  /** Where warnings go: not a closure over whoever runs the flow, which an addon that keeps the flow would keep, too. */
  log: { warn(text: string): void } | null = null;

  /** What warnings are about; null for flows that are no exchange. */
  request: Request | null = null;

  /** What is held for all flows together; null when this one has ended, and what addons keep of it is theirs. */
  memory: MemoryBudget | null = null;
  #held = 0;

  get room(): number {
    return this.memory?.room ?? Infinity;
  }

  hold(bytes: number): number {
    if (this.memory === null) return 0;
    this.memory.take(bytes);
    this.#held += bytes;
    return bytes;
  }

  /** The flow has ended: nothing is booked for it any more. */
  release(): void {
    this.memory?.give(this.#held);
    this.memory = null;
    this.#held = 0;
  }

  warn(text: string): void {
    const { request, addon } = this;
    const about = request === null ? text : `${request.method} ${shortened(request.url)}: ${text}`;
    this.log?.warn(addon === null ? about : `${addon}: ${about}`);
  }
}

/** What a flow that is read from a file, or made by hand, has of the one that it was. */
interface Recorded {
  readonly id?: string;
  readonly timestampStart?: number;
}

/** What HTTP and TCP flows have in common. */
export abstract class BaseFlow {
  #id: string | null;
  #serverConn: ServerConnection | null = null;
  /** The connection that it came by. */
  readonly clientConn: ClientConnection;
  /** Set when the flow ends with `error`. */
  error: FlowError | null = null;
  /** Who looks at flows marks some: "" for none, or a name between colons such as `:star:` (mitmproxy `flow.marked`). */
  marked = "";
  /** What somebody wrote about this flow (mitmproxy `flow.comment`). */
  comment = "";
  /** What of it comes from a recording: the request was sent again, or the response was (mitmproxy `flow.is_replay`). */
  isReplay: "request" | "response" | null = null;
  /** A place for addons to keep what they know of this flow. */
  readonly metadata: Record<string, unknown> = {};
  /** When it began, in milliseconds since the epoch. */
  readonly timestampStart: number;
  /** @ignore */
  readonly [internals]: FlowState = new FlowState();

  /** @ignore */
  constructor(clientConn: ClientConnection, { id, timestampStart }: Recorded = {}) {
    this.clientConn = clientConn;
    this.#id = id ?? null;
    this.timestampStart = timestampStart ?? Date.now();
  }

  /** Unique among running processes, in the shape of a UUID. */
  get id(): string {
    return this.#id ??= newId();
  }

  /** The connection that it goes on by; null before weir has one for this flow. */
  get serverConn(): ServerConnection | null {
    return this.#serverConn;
  }

  /** @ignore */
  set serverConn(value: ServerConnection | null) {
    this.#serverConn = value;
  }

  /** True until the flow has ended: from the hooks `complete`, `error`, `tcp_end` and `tcp_error` on it is false. */
  get live(): boolean {
    return !this[internals].ended;
  }

  /**
   * Cuts the flow at once, on both sides; `error` runs. With `reset` a client's HTTP/1 connection is reset (RST) even where closing
   * it would show that something is missing; a stream of HTTP/2 always is.
   */
  kill({ reset = false }: { reset?: boolean } = {}): void {
    const state = this[internals];
    if (state.killed) return;
    state.killed = true;
    state.kill?.(reset ? "reset" : "close");
  }
}

/** One request and its response. */
export class HttpFlow extends BaseFlow {
  /** Tells the kinds of {@linkcode Flow} apart. */
  readonly type = "http";
  /** The request, as it came until an addon changes it. */
  readonly request: Request;
  /** Set when the exchange became a WebSocket connection. */
  websocket: WebSocketData | null = null;
  #response: Response | null = null;
  #planned: PlannedConnection | null = null;

  /** @ignore */
  constructor(request: Request, clientConn: ClientConnection, recorded?: Recorded) {
    super(clientConn, recorded);
    this.request = request;
    this[internals].request = request;
    request[internals].flow = this[internals];
  }

  /** The connection that it goes on by. Before there is one its address is what the request says, and `via` can be set. */
  override get serverConn(): ServerConnection {
    return super.serverConn ?? (this.#planned ??= new PlannedConnection(this.request, this[internals]));
  }

  /** @ignore */
  override set serverConn(value: ServerConnection | null) {
    super.serverConn = value;
  }

  /**
   * Aborted when the flow is cut (it was killed, its client is gone, weir ends), and when it has ended: for hooks that wait for
   * something, and should not wait then any longer.
   *
   * ```ts
   * export async function request(flow: HttpFlow) {
   *   await fetch("http://127.0.0.1:9000/allowed", { signal: flow.signal });
   * }
   * ```
   */
  get signal(): AbortSignal {
    const state = this[internals];
    state.over ??= new AbortController();
    if (state.ended || state.killed) state.over.abort();
    return state.over.signal;
  }

  /**
   * Answers a WebSocket handshake in the hook `request`, in place of an origin: `play` is given the server's end once the client is
   * told that it is accepted, and may be async; when it throws, the connection is lost. Hooks and history are those of any
   * WebSocket. `headers` are further fields of the 101, `Sec-WebSocket-Protocol` for one.
   *
   * ```ts
   * export function request(flow: HttpFlow) {
   *   if (flow.request.path !== "/echo") return;
   *   flow.answerWebSocket(async (socket) => {
   *     for await (const { content } of socket) await socket.send(content);
   *   });
   * }
   * ```
   */
  answerWebSocket(play: (socket: WebSocketPeer) => unknown, headers: HeadersInit = []): void {
    this[internals].server = { play, headers: new Headers(headers) };
  }

  /**
   * The response, null until there is one. Assign a web `Response` before the response head was sent to answer the
   * client yourself; its body may be a stream. The response of another flow is copied.
   */
  get response(): Response | null {
    return this.#response;
  }

  set response(value: Response | globalThis.Response | null) {
    if (value instanceof Response) {
      const { flow } = value[internals];
      this.#response = flow === null || flow === this[internals] ? value : value.copy();
    } else this.#response = value === null ? null : Response.fromWeb(value);
    if (this.#response === null) return;
    const state = this.#response[internals];
    state.flow = this[internals];
    state.responseSetBy = this[internals].addon;
  }
}

/** A conversation that is passed on as raw bytes. */
export class TcpFlow extends BaseFlow {
  /** Tells the kinds of {@linkcode Flow} apart. */
  readonly type = "tcp";
  /** How many bytes the client has sent so far. */
  bytesFromClient = 0;
  /** How many bytes the server has sent so far. */
  bytesFromServer = 0;
  /** @ignore */
  readonly history: TcpHistory = new TcpHistory();

  /**
   * The newest messages, the current one last: at most 32 of them, and 256 KiB; fewer where memory is short
   * (`memory_limit`). Only where an addon has a `tcp_*` hook and has not said that it keeps no flows.
   */
  get messages(): TcpMessage[] {
    return this.history.messages;
  }

  /** How many older messages were let go. */
  get forgotten(): number {
    return this.history.forgotten;
  }

  /** Adds the newest message and lets go of the oldest. */
  record(message: TcpMessage): void {
    this.history.record(message);
  }
}

/** Any flow; `type` tells which. */
export type Flow = HttpFlow | TcpFlow;
