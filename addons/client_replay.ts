/**
 * The option `client_replay` (`-C`): requests of files are sent again through weir, hooks included (mitmproxy `clientplayback`).
 *
 *     weir -nC flows.mitm                                    one after the other
 *     weir -nC flows.mitm --client-replay-concurrency 32
 *     weir -nC flows.mitm --client-replay-timing recorded    with the pauses that there were; 2x halves them
 *     weir -nC flows.mitm --client-replay-times 10           and a summary at the end
 *
 * Raw and WebSocket conversations, and requests whose body was not kept, are passed over with a warning.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  type Flow,
  type HttpFlow,
  type Loader,
  OptionError,
  timedStream,
} from "weir";
import { openFlows } from "./flows/open.ts";
import { type Pace, parsePace, sleep } from "./flows/pace.ts";

export default class ClientReplay implements Addon {
  #paths: readonly string[] = [];
  /** How many at a time; -1 all. */
  #concurrency = 1;
  #pace: Pace = null;
  #times = 1;
  readonly #stopping = new AbortController();

  load(loader: Loader) {
    const group = "Flows";
    loader.addOption("client_replay", "list", [], "Send the requests of this file again.", {
      metavar: "FILE",
      group,
    });
    loader.addOption(
      "client_replay_concurrency",
      "int",
      1,
      "How many replayed requests may run at a time; -1 all at once.",
      { group },
    );
    loader.addOption(
      "client_replay_timing",
      "str",
      "asap",
      "When replayed requests, and pieces of streamed uploads, are sent: asap, recorded, or a speed such as 2x.",
      { group },
    );
    loader.addOption(
      "client_replay_times",
      "int",
      1,
      "How often to replay; more than once prints a summary.",
      {
        group,
      },
    );
  }

  configure(options: AddonOptions) {
    this.#paths = options.get<string[]>("client_replay");
    this.#pace = parsePace("client_replay_timing", options.get<string>("client_replay_timing"));
    this.#concurrency = options.get<number>("client_replay_concurrency");
    this.#times = options.get<number>("client_replay_times");
    if (this.#concurrency === 0 || this.#concurrency < -1) {
      throw new OptionError(
        "client_replay_concurrency",
        `option client_replay_concurrency: it is at least 1, or -1 for all at once, and not ${this.#concurrency}`,
      );
    }
    if (this.#times < 1) {
      throw new OptionError(
        "client_replay_times",
        `option client_replay_times: it is at least 1, and not ${this.#times}`,
      );
    }
  }

  running(ctx: Context) {
    // Once, whatever the number of isolates.
    if (this.#paths.length > 0 && ctx.proxy.isPrimary) ctx.proxy.endsAfter(this.#replayAll(ctx));
  }

  done() {
    this.#stopping.abort();
  }

  async #replayAll(ctx: Context): Promise<void> {
    const summary = new Summary(), running = new Set<Promise<void>>();
    const most = this.#concurrency < 0 ? Infinity : this.#concurrency;
    try {
      for (let time = 0; time < this.#times; time++) {
        const start = performance.now();
        let first: number | null = null;
        for await (const { flow, path } of this.#flows()) {
          if (this.#stopping.signal.aborted) return;
          const replay = this.#prepared(flow, path, ctx);
          if (replay === null) continue;
          const { timestampStart } = (flow as HttpFlow).request;
          first ??= timestampStart;
          if (this.#pace !== null) await this.#sleepUntil(start + (timestampStart - first) / this.#pace);
          while (running.size >= most) await Promise.race(running);
          if (this.#stopping.signal.aborted) return;
          const one = summary.count(replay()).finally(() => running.delete(one));
          running.add(one);
        }
        // The next round begins when this one is over.
        await Promise.all(running);
      }
    } finally {
      await Promise.all(running);
    }
    if (this.#times > 1) ctx.log.info(summary.text());
  }

  async *#flows(): AsyncGenerator<{ flow: Flow; path: string }> {
    for (const path of this.#paths) {
      for await (const flow of openFlows(path, { keepsBodies: true })) yield { flow, path };
    }
  }

  /** What sends it; null, and a warning, when it cannot be sent. */
  #prepared(flow: Flow, path: string, ctx: Context): (() => Promise<HttpFlow>) | null {
    if (flow.type !== "http") {
      ctx.log.warn(`client_replay: ${path}: a raw TCP conversation cannot be replayed; it is passed over.`);
      return null;
    }
    const reason = ctx.proxy.whyNoReplay(flow);
    if (reason !== null) {
      const { method, url } = flow.request;
      ctx.log.warn(`client_replay: ${path}: ${method} ${url} ${reason}; it is passed over.`);
      return null;
    }
    const { timeline } = flow.request;
    const stages = this.#pace !== null && timeline.length > 1 ? [timedStream(timeline, this.#pace)] : [];
    return () => ctx.proxy.replay(flow, stages);
  }

  async #sleepUntil(moment: number): Promise<void> {
    await sleep(moment - performance.now(), this.#stopping.signal);
  }
}

/** How long replays took, and what they were answered with. */
class Summary {
  readonly #start = performance.now();
  readonly #durations: number[] = [];
  readonly #statuses = new Map<string, number>();

  async count(replay: Promise<HttpFlow>): Promise<void> {
    const start = performance.now();
    const flow = await replay;
    this.#durations.push(performance.now() - start);
    const status = flow.error === null ? String(flow.response?.statusCode) : "error";
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  /** `2000 requests in 1.2 s: 1667/s, p50 3.1 ms, p99 8.0 ms; 200: 1998, 502: 2` */
  text(): string {
    const seconds = (performance.now() - this.#start) / 1000;
    const sorted = this.#durations.toSorted((a, b) => a - b);
    const at = (share: number) => (sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1);
    const statuses = [...this.#statuses].sort(([a], [b]) => a < b ? -1 : 1)
      .map(([status, count]) => `${status}: ${count}`).join(", ");
    return `client_replay: ${sorted.length} requests in ${seconds.toFixed(1)} s: ${
      (sorted.length / seconds).toFixed(0)
    }/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ${statuses || "none"}`;
  }
}
