/**
 * How a flow looked before an addon's hook ran, so that a hook that throws leaves no half-made change behind.
 *
 * Heads are copied (they are short), bodies are kept by reference: a hook that writes into the bytes of `content` before
 * it throws has changed them.
 * @module
 */
import { HttpFlow, type TcpFlow } from "./flow.ts";
import type { Headers } from "../http/mod.ts";
import { internals } from "../internals.ts";
import type { Message } from "./message.ts";
import type { Response } from "./response.ts";
import { PassingTcpMessage } from "./tcp_history.ts";
import { WebSocketMessage } from "../websocket/mod.ts";

/** Remembers what addons may change of a flow; the function that is returned puts it back. */
export function snapshot(flow: HttpFlow | TcpFlow): () => void {
  if (flow instanceof HttpFlow) return snapshotHttp(flow);
  const message = flow.messages.at(-1);
  if (message instanceof PassingTcpMessage) return message.remember();
  const content = message?.content;
  return () => {
    if (message && content) message.content = content;
  };
}

function snapshotHttp(flow: HttpFlow): () => void {
  const { request, response } = flow;
  const { method, scheme, host, port, path } = request;
  const state = flow[internals], { proxy } = state;
  const restoreRequest = snapshotMessage(request);
  const restoreResponse = response && snapshotResponse(response);
  const newest = flow.websocket?.messages.at(-1);
  const restoreNewest = newest && WebSocketMessage.remember(newest);
  return () => {
    request.host = host;
    request.port = port;
    Object.assign(request, { method, scheme, path });
    state.proxy = proxy;
    restoreRequest();
    if (flow.response !== response) {
      // Nobody will read the body of the answer that is taken back.
      flow.response?.takeWebBody()?.cancel().catch(() => {});
      flow.response = response;
    }
    restoreResponse?.();
    restoreNewest?.();
  };
}

function snapshotResponse(response: Response): () => void {
  const { statusCode, reason } = response;
  const restore = snapshotMessage(response);
  return () => {
    response.statusCode = statusCode;
    response.reason = reason;
    restore();
  };
}

function snapshotMessage(message: Message): () => void {
  const { headers, httpVersion, trailers, streamOver, streamEndless } = message;
  const fields = headers.raw.slice();
  const trailerFields = trailers?.raw.slice();
  const state = message[internals];
  const { raw, stream, streamSetBy, mode, stored, isRecorded } = state;
  return () => {
    putBack(headers, fields);
    message.headers = headers;
    message.httpVersion = httpVersion;
    if (trailers && trailerFields) putBack(trailers, trailerFields);
    message.trailers = trailers;
    message.streamOver = streamOver;
    message.streamEndless = streamEndless;
    state.stream = stream;
    state.streamSetBy = streamSetBy;
    // An async hook may throw after the body was read: what was read meanwhile is no change of the addon's.
    if (state.mode === mode) state.raw = raw;
    if (isRecorded) Object.assign(state, { raw, mode, stored });
  };
}

function putBack(headers: Headers, raw: readonly string[]): void {
  headers.raw.splice(0, headers.raw.length, ...raw);
}
