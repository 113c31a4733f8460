/**
 * Traces over OpenTelemetry, exported by Deno itself (`OTEL_DENO=true` and the usual `OTEL_*` variables), and the option
 * `trace_context`: what becomes of the field `traceparent` (W3C Trace Context).
 *
 * An exchange is a server span, and its way to the origin a client span in it, by the HTTP semantic conventions; hooks are events.
 * @module
 */
import type { Context as OtelContext, Span, SpanContext, Tracer } from "@opentelemetry/api";
import type { Addon, AddonOptions, HttpFlow, Loader } from "weir";
import { randomParent, readParent, writeParent } from "./trace/traceparent.ts";

/** What is loaded when spans are made. */
type Otel = typeof import("@opentelemetry/api");

interface Spans {
  readonly server: Span;
  readonly client: Span;
}

export default class Trace implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #mode = "propagate";
  #otel: Otel | null = null;
  #tracer: Tracer | null = null;
  readonly #spans = new WeakMap<HttpFlow, Spans>();

  /** Without spans only a trace of weir's own is something to do. */
  isOff(): boolean {
    return this.#tracer === null && this.#mode !== "start";
  }

  load(loader: Loader) {
    loader.addOption(
      "trace_context",
      "str",
      "propagate",
      "Take part in clients' traces (propagate), begin a trace for each request (start), or leave traceparent alone (off).",
      { choices: ["propagate", "start", "off"], group: "Watching weir" },
    );
  }

  async configure(options: AddonOptions) {
    this.#mode = options.get<string>("trace_context");
    if (this.#tracer !== null || Deno.env.get("OTEL_DENO") !== "true") return;
    this.#otel = await import("@opentelemetry/api");
    this.#tracer = this.#otel.trace.getTracer("weir");
  }

  requestheaders(flow: HttpFlow) {
    const { headers } = flow.request;
    const otel = this.#otel;
    if (otel === null) {
      headers.set("traceparent", writeParent(randomParent()));
      headers.delete("tracestate");
      return;
    }
    const spans = this.#begin(otel, flow);
    this.#spans.set(flow, spans);
    if (this.#mode === "off") return;
    headers.set("traceparent", writeParent(spans.client.spanContext()));
    if (this.#mode === "start") headers.delete("tracestate");
  }

  request(flow: HttpFlow) {
    this.#note(flow, "request");
  }

  responseheaders(flow: HttpFlow) {
    this.#note(flow, "responseheaders");
  }

  response(flow: HttpFlow) {
    this.#note(flow, "response");
  }

  complete(flow: HttpFlow) {
    this.#end(flow);
  }

  error(flow: HttpFlow) {
    this.#end(flow);
  }

  #begin({ ROOT_CONTEXT, SpanKind, trace }: Otel, flow: HttpFlow): Spans {
    const tracer = this.#tracer!;
    const { method, scheme, host, port, path, httpVersion, headers, timestampStart, url } = flow.request;
    const parent = this.#mode === "propagate" ? readParent(headers.get("traceparent")) : null;
    const around: OtelContext = parent === null
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, parent as SpanContext);
    const common = {
      "http.request.method": method,
      "server.address": host,
      "server.port": port,
      "network.protocol.version": httpVersion.replace("HTTP/", "").replace(
        /\.0$/,
        (zero) => httpVersion === "HTTP/2.0" ? "" : zero,
      ),
    };
    const [withoutQuery, query] = split(path);
    const server = tracer.startSpan(method, {
      kind: SpanKind.SERVER,
      startTime: timestampStart,
      attributes: {
        ...common,
        "url.scheme": scheme,
        "url.path": withoutQuery,
        ...query === null ? {} : { "url.query": query },
        "client.address": flow.clientConn.address.hostname,
        "user_agent.original": headers.get("user-agent") ?? undefined,
      },
    }, around);
    const client = tracer.startSpan(method, {
      kind: SpanKind.CLIENT,
      attributes: { ...common, "url.full": url },
    }, trace.setSpan(around, server));
    server.addEvent("requestheaders");
    return { server, client };
  }

  #note(flow: HttpFlow, hook: string): void {
    this.#spans.get(flow)?.server.addEvent(hook);
  }

  #end(flow: HttpFlow): void {
    const spans = this.#spans.get(flow);
    if (spans === undefined) return;
    this.#spans.delete(flow);
    const { SpanStatusCode } = this.#otel!;
    const { response, error } = flow;
    const status = response?.statusCode ?? error?.cause.statusCode;
    for (const span of [spans.client, spans.server]) {
      if (status !== undefined) span.setAttribute("http.response.status_code", status);
      if (error !== null) span.setAttribute("error.type", error.cause.code);
      // A client's mistake is no error of who serves it (semantic conventions, "Status").
      const bound = span === spans.server ? 500 : 400;
      if (error !== null || (status ?? 0) >= bound) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error?.message });
      }
      span.end();
    }
  }
}

function split(path: string): [string, string | null] {
  const at = path.indexOf("?");
  return at < 0 ? [path, null] : [path.slice(0, at), path.slice(at + 1)];
}
