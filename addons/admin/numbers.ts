/**
 * What is counted of an isolate's work, for Prometheus. No label has values without a bound: neither hosts nor paths.
 * @module
 */
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from "prom-client";
import { flowFacts, type HttpFlow, type Metric, type ProxyInfo } from "weir";

/** Bounds of histograms, in seconds: from an answer out of memory to a long download. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** How often (ms) the event loop is looked at. */
const LAG_EVERY_MS = 500;

/** A set of metrics as `prom-client` passes it on. */
type Json = MetricObjectWithValues<MetricValue<string>>[];

/** The numbers of one isolate. */
export class Numbers {
  readonly #registry = new Registry();
  readonly #exchanges: Counter;
  readonly #duration: Histogram;
  readonly #firstByte: Histogram;
  readonly #bytes: Counter;
  readonly #connections: Gauge;
  readonly #streams: Gauge;
  readonly #errors: Counter;
  readonly #lagTimer: ReturnType<typeof setInterval>;
  /** Flows that have begun and not ended. */
  readonly #open = new WeakSet<HttpFlow>();
  readonly #added = new Set<string>();
  readonly #proxy: ProxyInfo;

  constructor(proxy: ProxyInfo) {
    this.#proxy = proxy;
    const registers = [this.#registry];
    this.#exchanges = new Counter({
      name: "weir_exchanges_total",
      help: "Exchanges that have ended, by what the client speaks.",
      labelNames: ["protocol", "status_class", "streamed_by"],
      registers,
    });
    this.#duration = new Histogram({
      name: "weir_exchange_duration_seconds",
      help: "From the request's first byte to the response's last.",
      buckets: SECONDS,
      registers,
    });
    this.#firstByte = new Histogram({
      name: "weir_time_to_first_byte_seconds",
      help: "From the request's first byte to the response's first.",
      buckets: SECONDS,
      registers,
    });
    this.#bytes = new Counter({
      name: "weir_body_bytes_total",
      help: "Bytes of bodies as on the wire.",
      labelNames: ["direction"],
      registers,
    });
    this.#connections = new Gauge({
      name: "weir_open_connections",
      help: "Connections with clients and with servers.",
      labelNames: ["side"],
      registers,
    });
    this.#streams = new Gauge({ name: "weir_open_streams", help: "Exchanges that run.", registers });
    this.#errors = new Counter({
      name: "weir_errors_total",
      help: "Exchanges that ended badly, by the side that failed.",
      labelNames: ["side", "code"],
      registers,
    });
    for (const side of ["client", "server"]) this.#connections.set({ side }, 0);
    this.#addHooks(proxy);
    new Gauge({
      name: "weir_buffered_bytes",
      help: "Bytes that are held for bodies (memory_limit).",
      registers,
      collect() {
        this.set(proxy.heldBytes);
      },
    });
    const lag = new Gauge({
      name: "weir_event_loop_lag_seconds",
      help: "How late a timer was that was due last.",
      // Of several isolates the worst counts.
      aggregator: "max",
      registers,
    });
    let due = performance.now() + LAG_EVERY_MS;
    this.#lagTimer = setInterval(() => {
      const now = performance.now();
      lag.set(Math.max(0, now - due) / 1000);
      due = now + LAG_EVERY_MS;
    }, LAG_EVERY_MS);
  }

  /** A connection is there. */
  opened(side: "client" | "server"): void {
    this.#connections.inc({ side });
  }

  /** It is closed. */
  closed(side: "client" | "server"): void {
    this.#connections.dec({ side });
  }

  /** A request's head has come. */
  begun(flow: HttpFlow): void {
    this.#open.add(flow);
    this.#streams.inc();
  }

  /** An exchange has ended, well or badly. */
  ended(flow: HttpFlow): void {
    if (this.#open.delete(flow)) this.#streams.dec();
    const { request, response, error } = flow;
    // Where weir answered with a page of its own, the error has its status.
    const status = response?.statusCode ?? error?.cause.statusCode ?? 0;
    this.#exchanges.inc({
      protocol: flow.websocket !== null ? "websocket" : request.httpVersion.toLowerCase(),
      status_class: status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : "none",
      streamed_by: response?.streamedBy ?? request.streamedBy ?? "none",
    });
    const { durationMs, ttfbMs } = flowFacts(flow);
    this.#duration.observe(durationMs / 1000);
    if (ttfbMs !== null) this.#firstByte.observe(Math.max(0, ttfbMs) / 1000);
    if (request.size > 0) this.#bytes.inc({ direction: "request" }, request.size);
    if (response !== null && response.size > 0) this.#bytes.inc({ direction: "response" }, response.size);
    if (error !== null) this.#errors.inc({ side: error.cause.side, code: error.cause.code });
  }

  /** For another isolate. */
  async toJson(): Promise<unknown> {
    this.#takeAdded();
    return await this.#registry.getMetricsAsJSON();
  }

  /** The numbers of all isolates together, in Prometheus' text format. */
  async sum(others: readonly unknown[]): Promise<{ text: string; type: string }> {
    this.#takeAdded();
    const { contentType: type } = this.#registry;
    if (others.length === 0) return { text: await this.#registry.metrics(), type };
    const all = [await this.#registry.getMetricsAsJSON(), ...others as Json[]];
    return { text: await AggregatorRegistry.aggregate(all).metrics(), type };
  }

  close(): void {
    clearInterval(this.#lagTimer);
  }

  #addHooks(proxy: ProxyInfo): void {
    proxy.hookSeconds();
    new Counter({
      name: "weir_hook_seconds",
      help: "Seconds in hooks of addons, waiting included.",
      labelNames: ["addon"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [addon, seconds] of proxy.hookSeconds()) this.inc({ addon }, seconds);
      },
    });
  }

  /** Numbers of other addons; they may come later. */
  #takeAdded(): void {
    for (const metric of this.#proxy.metrics) {
      if (this.#added.has(metric.name)) continue;
      this.#added.add(metric.name);
      addMetric(metric, this.#registry);
    }
  }
}

function addMetric({ name, help, type, read }: Metric, registry: Registry): void {
  const common = { name, help, registers: [registry] };
  if (type === "gauge") {
    new Gauge({
      ...common,
      collect() {
        this.set(read());
      },
    });
  } else {
    new Counter({
      ...common,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
