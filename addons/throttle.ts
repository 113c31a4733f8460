/**
 * The option `throttle`: bodies at a rate, heads behind a latency, as over a slow line. Live streams, too.
 *
 *     weir --throttle 3g                             a preset for all that passes
 *     weir --throttle 100k:1m:50                     100 KiB/s up, 1 MiB/s down, 50 ms before the first byte of either
 *     weir --throttle '/~d cdn.example/0:500k' --throttle-shared
 *
 * Messages of WebSockets wait for their turn, but with `stream_websockets`. Of several rules the first counts that a message matches: requests for up, responses for down. Each flow has a line of its own,
 * or all that match share one (`throttle_shared`).
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Filter,
  type HttpFlow,
  type Loader,
  type Message,
  throttleStream,
  TokenBucket,
} from "weir";
import { sleep } from "./flows/pace.ts";
import { Spec } from "./rules/spec.ts";
import { waitForBody } from "./rules/wait.ts";

const OPTION = "throttle";
const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const FORM = {
  text: "[/filter/]up:down[:latencyMs], rates in bytes per second with k, m or g and 0 for no limit, or " +
    "[/filter/]gprs, 3g, slow-4g, 4g, dsl",
  parts: 1,
  filter: "bare",
} as const;
/** A day: longer ones are a mistake. */
const MAX_LATENCY_MS = 86_400_000;

type Direction = "up" | "down";

/** A line: bytes per second, 0 for no limit, and milliseconds. */
interface Line {
  readonly up: number;
  readonly down: number;
  readonly latencyMs: number;
}

const line = (downKbit: number, upKbit: number, latencyMs: number): Line => ({
  up: upKbit * 125,
  down: downKbit * 125,
  latencyMs,
});

const PRESETS: Readonly<Record<string, Line>> = {
  "gprs": line(50, 20, 500),
  "3g": line(750, 250, 100),
  "slow-4g": line(1600, 750, 150),
  "4g": line(9000, 1500, 60),
  "dsl": line(2000, 1000, 5),
};

interface Rule extends Line {
  readonly filter: Filter;
  /** For all flows together; null: each has one of its own, or there is no limit. */
  readonly shared: { readonly up: TokenBucket | null; readonly down: TokenBucket | null } | null;
}

export default class Throttle implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #rules: readonly Rule[] = [];
  /** The lines of WebSockets, from their first message on: null where a direction has no limit. */
  readonly #sockets = new WeakMap<HttpFlow, Record<Direction, TokenBucket | null>>();

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Pass bodies on at a rate: up:down[:latencyMs] in bytes per second (100k:1m:50), gprs, 3g, slow-4g, 4g or dsl.",
      { metavar: "[/FILTER/]LINE", group: "Rules" },
    );
    loader.addOption(
      "throttle_shared",
      "bool",
      false,
      "Let all flows that match a rule of throttle share its line.",
      {
        group: "Rules",
      },
    );
  }

  configure(options: AddonOptions, changed: ReadonlySet<string>) {
    if (!changed.has(OPTION) && !changed.has("throttle_shared")) return;
    const isShared = options.get<boolean>("throttle_shared");
    this.#rules = options.get<readonly string[]>(OPTION).map((text) => ruleOf(text, isShared));
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow) {
    waitForBody(OPTION, this.#rules.map(({ filter }) => filter), flow, flow.request);
  }

  /** Nothing was sent yet: the latency comes before the head. */
  request(flow: HttpFlow): Promise<void> | void {
    if (flow.response === null) return this.#hold(flow, flow.request, "up");
  }

  responseheaders(flow: HttpFlow) {
    waitForBody(OPTION, this.#rules.map(({ filter }) => filter), flow, flow.response!);
  }

  response(flow: HttpFlow): Promise<void> | void {
    return this.#hold(flow, flow.response!, "down");
  }

  /** Messages wait until their bytes may go, each direction for itself. */
  async websocket_message(flow: HttpFlow) {
    const { content, fromClient } = flow.websocket!.messages.at(-1)!;
    let line = this.#sockets.get(flow);
    if (line === undefined) {
      const [up, down] = [this.#ruleFor(flow, flow.request), this.#ruleFor(flow, flow.response!)];
      this.#sockets.set(flow, line = { up: lineOf(up, "up"), down: lineOf(down, "down") });
    }
    const bucket = line[fromClient ? "up" : "down"];
    for (let left = content.length; bucket !== null && left > 0 && !flow.signal.aborted;) {
      left -= bucket.take(left);
      if (left > 0) await sleep(bucket.waitMs(left), flow.signal);
    }
  }

  #hold(flow: HttpFlow, message: Message, direction: Direction): Promise<void> | void {
    if (!flow.live) return;
    const rule = this.#ruleFor(flow, message);
    const bucket = lineOf(rule, direction);
    if (bucket !== null) message.sendThrough(() => throttleStream(bucket));
    if (rule !== undefined && rule.latencyMs > 0) return sleep(rule.latencyMs, flow.signal);
  }

  #ruleFor(flow: HttpFlow, message: Message): Rule | undefined {
    return this.#rules.find(({ filter }) => filter.decideFor(flow, message) === true);
  }
}

/** The line of a flow that follows a rule; null: no limit. */
function lineOf(rule: Rule | undefined, direction: Direction): TokenBucket | null {
  if (rule === undefined) return null;
  return rule.shared === null ? bucketOf(rule[direction]) : rule.shared[direction];
}

function bucketOf(rate: number): TokenBucket | null {
  return rate === 0 ? null : new TokenBucket(rate);
}

function ruleOf(text: string, isShared: boolean): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const line = readLine(spec);
  return {
    ...line,
    filter: spec.filter,
    shared: isShared ? { up: bucketOf(line.up), down: bucketOf(line.down) } : null,
  };
}

function readLine(spec: Spec): Line {
  const [{ text, at }] = spec.parts;
  if (Object.hasOwn(PRESETS, text.toLowerCase())) return PRESETS[text.toLowerCase()];
  const fields = text.split(":");
  if (fields.length === 1) spec.refuse(`${JSON.stringify(text)} is no preset, and there is no ":"`, at);
  const places = fields.map((_, i) => at + fields.slice(0, i).join(":").length + (i === 0 ? 0 : 1));
  if (fields.length > 3) spec.refuse("there is a part too many", places[3]);
  const [up, down] = fields.slice(0, 2).map((field, i) =>
    rateOf(field) ?? spec.refuse(`${JSON.stringify(field)} is no rate`, places[i])
  );
  const latencyMs = fields[2] === undefined ? 0 : /^\d+$/.test(fields[2]) ? Number(fields[2]) : Infinity;
  if (latencyMs > MAX_LATENCY_MS) {
    spec.refuse(
      `${JSON.stringify(fields[2])} is no number of milliseconds up to ${MAX_LATENCY_MS}`,
      places[2],
    );
  }
  return { up, down, latencyMs };
}

/** Null for what is none. */
function rateOf(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)([bkmg]?)$/i.exec(text);
  return match && Number(match[1]) * UNITS[match[2].toLowerCase()];
}
