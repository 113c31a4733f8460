/**
 * The option `throttle`: bodies at a rate, heads behind a latency, as over a slow line. Live streams, too.
 *
 *     weir --throttle 3g                             a preset for all that passes
 *     weir --throttle 100k:1m:50                     100 KiB/s up, 1 MiB/s down, 50 ms before the first byte of either
 *     weir --throttle '/~d cdn.example/0:500k' --throttle-shared
 *
 * Of several rules the first counts that a message matches: requests for up, responses for down. Each flow has a line of its own,
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
  readonly readsBodies = false;
  #rules: readonly Rule[] = [];

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

  /** Nothing was sent yet: the latency comes before the head. */
  request(flow: HttpFlow): Promise<void> | void {
    if (this.#rules.length > 0 && flow.response === null) return this.#hold(flow, flow.request, "up");
  }

  response(flow: HttpFlow): Promise<void> | void {
    if (this.#rules.length > 0) return this.#hold(flow, flow.response!, "down");
  }

  #hold(flow: HttpFlow, message: Message, direction: "up" | "down"): Promise<void> | void {
    if (!flow.live) return;
    const rule = this.#rules.find(({ filter }) => filter.decideFor(flow, message) === true);
    if (rule === undefined) return;
    const bucket = rule.shared?.[direction] ?? bucketOf(rule[direction]);
    if (bucket !== null) message.sendThrough(() => throttleStream(bucket));
    if (rule.latencyMs > 0) return sleep(rule.latencyMs, flow.signal);
  }
}

function bucketOf(rate: number): TokenBucket | null {
  return rate === 0 ? null : new TokenBucket(rate);
}

function ruleOf(text: string, isShared: boolean): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const line = lineOf(spec);
  return {
    ...line,
    filter: spec.filter,
    shared: isShared ? { up: bucketOf(line.up), down: bucketOf(line.down) } : null,
  };
}

function lineOf(spec: Spec): Line {
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
