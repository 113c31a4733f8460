/**
 * The option `fault`: what goes wrong on purpose, to see what clients make of it.
 *
 *     weir --fault '/~d api.example/status:503@0.1'      one request of ten is answered so, without the origin being asked
 *     weir --fault '/~u download/cut:100000'             the response is cut behind so many bytes of its body
 *     weir --fault '/~t json/corrupt:17@0.5' --fault-seed 7
 *
 *     reset               the client's connection is reset; with HTTP/2 the stream
 *     cut:BYTES           the response's body is cut there
 *     stall:BYTES:MS      it stops there for so many milliseconds
 *     corrupt:BYTE        one bit of that byte is flipped, the first being 0
 *     status:CODE         the answer is this status
 *     delay:MS            all goes on so many milliseconds later
 *
 * Every rule that matches is followed, in order. What needs no response happens before the origin is asked, where the filter needs none
 * either. Bytes are those on the wire. With `fault_seed` the nth flow that matches a rule has the same luck in each run.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  corruptStream,
  cutStream,
  type Filter,
  type HttpFlow,
  type Loader,
  type Message,
  reasonFor,
  stallStream,
} from "weir";
import { sleep } from "./flows/pace.ts";
import { Chance } from "./rules/chance.ts";
import { Spec } from "./rules/spec.ts";
import { waitForBody } from "./rules/wait.ts";

const OPTION = "fault";
const FORM = {
  text:
    "/filter/kind[@chance], with kind one of reset, cut:BYTES, stall:BYTES:MS, corrupt:BYTE, status:CODE, delay:MS and " +
    "chance from 0 to 1",
  parts: 1,
  filter: "required",
} as const;
/** A day: longer ones are a mistake. */
const MAX_MS = 86_400_000;
/** curl and Node lose what comes in one read with a reset: so much later the cut follows what is before it. */
const BEFORE_CUT_MS = 100;
/** Statuses that have no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5). */
const BODILESS = new Set([204, 205, 304]);

/** What becomes of a flow, as soon as a rule is known to hold for it. */
type Act = (flow: HttpFlow) => Promise<void> | void;
/** What the body of a response passes. */
type Damage = () => TransformStream<Uint8Array, Uint8Array>[];

/** What each kind takes behind its name, and what it does then. */
const KINDS: Readonly<
  Record<
    string,
    { numbers: readonly Count[]; act?: (...n: number[]) => Act; damage?: (...n: number[]) => Damage }
  >
> = {
  reset: { numbers: [], act: () => (flow) => flow.kill({ reset: true }) },
  cut: { numbers: ["bytes"], damage: (at) => () => [stallStream(at, BEFORE_CUT_MS), cutStream(at)] },
  stall: { numbers: ["bytes", "ms"], damage: (at, ms) => () => [stallStream(at, ms)] },
  corrupt: { numbers: ["bytes"], damage: (at) => () => [corruptStream(at)] },
  status: { numbers: ["status"], act: (status) => (flow) => answer(flow, status) },
  delay: { numbers: ["ms"], act: (ms) => (flow) => sleep(ms, flow.signal) },
};
type Count = "bytes" | "ms" | "status";
const COUNTS: Readonly<Record<Count, { what: string; least: number; most: number }>> = {
  bytes: { what: "number of bytes", least: 0, most: Number.MAX_SAFE_INTEGER },
  ms: { what: `number of milliseconds up to ${MAX_MS}`, least: 0, most: MAX_MS },
  status: { what: "status from 200 to 599", least: 200, most: 599 },
};

interface Rule {
  readonly filter: Filter;
  readonly chance: Chance;
  readonly act?: Act;
  readonly damage?: Damage;
}

export default class Fault implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #rules: readonly Rule[] = [];
  /** Rules that are through with a flow, whatever the chance said. */
  readonly #drawn = new WeakMap<HttpFlow, Set<Rule>>();

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Make things go wrong: reset, cut:BYTES, stall:BYTES:MS, corrupt:BYTE, status:CODE, delay:MS, each with @CHANCE.",
      { metavar: "/FILTER/KIND", group: "Rules" },
    );
    loader.addOption("fault_seed", "int", null, "Have the chances of fault fall in the same way each time.", {
      group: "Rules",
    });
  }

  configure(options: AddonOptions, changed: ReadonlySet<string>) {
    if (!changed.has(OPTION) && !changed.has("fault_seed")) return;
    const seed = options.get<number | null>("fault_seed");
    this.#rules = options.get<readonly string[]>(OPTION).map((text, row) => ruleOf(text, seed, row));
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow): Promise<void> {
    const acting = this.#rules.filter(({ act }) => act !== undefined);
    waitForBody(OPTION, acting.map(({ filter }) => filter), flow, flow.request);
    return this.#act(flow, flow.request);
  }

  request(flow: HttpFlow): Promise<void> {
    return this.#act(flow, flow.request);
  }

  responseheaders(flow: HttpFlow): Promise<void> {
    waitForBody(OPTION, this.#rules.map(({ filter }) => filter), flow, flow.response!);
    return this.#act(flow, flow.response!);
  }

  async response(flow: HttpFlow): Promise<void> {
    await this.#act(flow, flow.response!);
    for (const { damage } of this.#holding(flow, flow.response!, ({ damage }) => damage !== undefined)) {
      flow.response!.sendThrough(damage!);
    }
  }

  async #act(flow: HttpFlow, message: Message): Promise<void> {
    for (const { act } of this.#holding(flow, message, ({ act }) => act !== undefined)) await act!(flow);
  }

  /** The rules that have come to hold for a flow, and have the luck. Each is asked for its luck once. */
  #holding(flow: HttpFlow, message: Message, isMeant: (rule: Rule) => boolean): Rule[] {
    if (!flow.live) return [];
    let drawn = this.#drawn.get(flow);
    if (drawn === undefined) this.#drawn.set(flow, drawn = new Set());
    return this.#rules.filter((rule) => {
      if (!isMeant(rule) || drawn.has(rule) || rule.filter.decideFor(flow, message) !== true) return false;
      drawn.add(rule);
      return rule.chance.draw();
    });
  }
}

function answer(flow: HttpFlow, status: number): void {
  const text = `${status} ${
    reasonFor(status)
  }\n\nweir: This is a fault that somebody wanted (option fault).\n`;
  flow.response = new Response(null, { status });
  if (BODILESS.has(status)) return;
  flow.response!.headers = [["Content-Type", "text/plain; charset=utf-8"], ["Content-Length", "0"]];
  flow.response!.content = text;
}

function ruleOf(text: string, seed: number | null, row: number): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const { text: part, at } = spec.parts[0];
  const mark = part.lastIndexOf("@");
  const [name, ...fields] = (mark < 0 ? part : part.slice(0, mark)).split(":");
  const kind = Object.hasOwn(KINDS, name)
    ? KINDS[name]
    : spec.refuse(`${JSON.stringify(name)} is no kind of fault`, at);
  let place = at + name.length;
  const numbers = kind.numbers.map((count, i) => {
    const { what, least, most } = COUNTS[count];
    const field = fields[i];
    if (field === undefined) spec.refuse(`":" and a ${what} are missing`, place);
    const number = /^\d+$/.test(field) ? Number(field) : NaN;
    if (!(number >= least && number <= most)) {
      spec.refuse(`${JSON.stringify(field)} is no ${what}`, place + 1);
    }
    place += 1 + field.length;
    return number;
  });
  if (fields.length > numbers.length) spec.refuse("there is a part too many", place + 1);
  const probability = mark < 0 ? 1 : chanceOf(spec, part.slice(mark + 1), at + mark + 1);
  return {
    filter: spec.filter,
    chance: new Chance(probability, seed, row),
    act: kind.act?.(...numbers),
    damage: kind.damage?.(...numbers),
  };
}

function chanceOf(spec: Spec, text: string, at: number): number {
  const chance = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : NaN;
  return chance <= 1 ? chance : spec.refuse(`${JSON.stringify(text)} is no chance from 0 to 1`, at);
}
