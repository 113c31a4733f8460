/**
 * What is counted of an isolate's work. No label has values without a bound: neither hosts nor paths.
 * @module
 */
import { flowFacts, type HttpFlow, type ProxyInfo } from "weir";
import { type Family, Histogram, labelsOf, type Samples } from "./exposition.ts";

/** Bounds of histograms, in seconds: from an answer out of memory to a long download. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** How often (ms) the event loop is looked at. */
const LAG_EVERY_MS = 500;

/** The numbers of one isolate. */
export class Numbers {
  readonly #proxy: ProxyInfo;
  readonly #exchanges: Samples = {};
  readonly #errors: Samples = {};
  readonly #bytes: Samples = {};
  readonly #connections: Samples = { [labelsOf({ side: "client" })]: 0, [labelsOf({ side: "server" })]: 0 };
  readonly #duration = new Histogram(SECONDS);
  readonly #firstByte = new Histogram(SECONDS);
  /** Flows that have begun and not ended. */
  readonly #open = new WeakSet<HttpFlow>();
  #streams = 0;
  #lag = 0;
  readonly #lagTimer: ReturnType<typeof setInterval>;

  constructor(proxy: ProxyInfo) {
    this.#proxy = proxy;
    // From here on hooks are timed.
    proxy.hookSeconds();
    let due = performance.now() + LAG_EVERY_MS;
    this.#lagTimer = setInterval(() => {
      const now = performance.now();
      this.#lag = Math.max(0, now - due) / 1000;
      due = now + LAG_EVERY_MS;
    }, LAG_EVERY_MS);
  }

  /** A connection is there. */
  opened(side: "client" | "server"): void {
    add(this.#connections, { side }, 1);
  }

  /** It is closed. */
  closed(side: "client" | "server"): void {
    add(this.#connections, { side }, -1);
  }

  /** A request's head has come. */
  begun(flow: HttpFlow): void {
    this.#open.add(flow);
    this.#streams++;
  }

  /** An exchange has ended, well or badly. */
  ended(flow: HttpFlow): void {
    if (this.#open.delete(flow)) this.#streams--;
    const { request, response, error } = flow;
    // Where weir answered with a page of its own, the error has its status.
    const status = response?.statusCode ?? error?.cause.statusCode ?? 0;
    add(this.#exchanges, {
      protocol: flow.websocket !== null ? "websocket" : request.httpVersion.toLowerCase(),
      status_class: status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : "none",
      streamed_by: response?.streamedBy ?? request.streamedBy ?? "none",
    }, 1);
    const { durationMs, ttfbMs } = flowFacts(flow);
    this.#duration.add(durationMs / 1000);
    if (ttfbMs !== null) this.#firstByte.add(Math.max(0, ttfbMs) / 1000);
    add(this.#bytes, { direction: "request" }, request.size);
    add(this.#bytes, { direction: "response" }, response?.size ?? 0);
    if (error !== null) add(this.#errors, { side: error.cause.side, code: error.cause.code }, 1);
  }

  /** All of them as they are now. */
  families(): Family[] {
    const { heldBytes, metrics } = this.#proxy;
    const hooks: Samples = {};
    for (const [addon, seconds] of this.#proxy.hookSeconds()) hooks[labelsOf({ addon })] = seconds;
    return [
      counter(
        "weir_exchanges_total",
        "Exchanges that have ended, by what the client speaks.",
        this.#exchanges,
      ),
      histogram(
        "weir_exchange_duration_seconds",
        "From a request's first byte to its response's last.",
        this.#duration,
      ),
      histogram(
        "weir_time_to_first_byte_seconds",
        "From a request's first byte to its response's first.",
        this.#firstByte,
      ),
      counter("weir_body_bytes_total", "Bytes of bodies as on the wire.", this.#bytes),
      gauge("weir_open_connections", "Connections with clients and with servers.", this.#connections),
      gauge("weir_open_streams", "Exchanges that run.", { "": this.#streams }),
      counter("weir_errors_total", "Exchanges that ended badly, by the side that failed.", this.#errors),
      counter("weir_hook_seconds", "Seconds in hooks of addons, waiting included.", hooks),
      gauge("weir_buffered_bytes", "Bytes that are held for bodies (memory_limit).", { "": heldBytes }),
      {
        ...gauge("weir_event_loop_lag_seconds", "How late a timer was that was due last.", { "": this.#lag }),
        merge: "max",
      },
      ...metrics.map(({ name, help, type, read }): Family => ({
        name,
        help,
        type,
        samples: { "": { "": read() } },
      })),
    ];
  }

  close(): void {
    clearInterval(this.#lagTimer);
  }
}

function add(samples: Samples, labels: Readonly<Record<string, string>>, value: number): void {
  const key = labelsOf(labels);
  samples[key] = (samples[key] ?? 0) + value;
}

function counter(name: string, help: string, samples: Samples): Family {
  return { name, help, type: "counter", samples: { "": samples } };
}

function gauge(name: string, help: string, samples: Samples): Family {
  return { name, help, type: "gauge", samples: { "": samples } };
}

function histogram(name: string, help: string, values: Histogram): Family {
  return { name, help, type: "histogram", samples: values.samples() };
}
