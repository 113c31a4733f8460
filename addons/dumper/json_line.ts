/**
 * A flow that has ended as one line of JSON (`log_format=json`).
 * @module
 */
import { type Flow, flowFacts } from "weir";
import { addressText, errorText, serverOf } from "./words.ts";

/** `time level msg`, as log lines have them, and what is known of the flow. */
export function flowJson(flow: Flow): string {
  const { durationMs, ttfbMs } = flowFacts(flow);
  const common = {
    time: new Date(flow.timestampStart).toISOString(),
    level: flow.error === null ? "info" : "error",
  };
  const facts = {
    flow: flow.id,
    client: addressText(flow.clientConn.address),
    duration_ms: durationMs,
    error: flow.error === null ? undefined : errorText(flow),
  };
  if (flow.type === "tcp") {
    const server = serverOf(flow);
    const sizes = { bytes_from_client: flow.bytesFromClient, bytes_from_server: flow.bytesFromServer };
    return JSON.stringify({ ...common, msg: `TCP ${server}`, server, ...facts, ...sizes });
  }
  const { request, response } = flow;
  const { method, url, httpVersion } = request;
  const status = response?.statusCode ?? null;
  return JSON.stringify({
    ...common,
    msg: `${method} ${url}${status === null ? "" : ` ${status}`}`,
    method,
    url,
    status,
    http_version: httpVersion,
    request_size: request.size,
    response_size: response?.size ?? 0,
    ttfb_ms: ttfbMs,
    streamed_by: response?.streamedBy ?? request.streamedBy ?? undefined,
    ...facts,
  });
}
