/**
 * The option `block_list`: requests that match are answered with a status and nothing else, or not at all (mitmproxy
 * `addons/blocklist.py`).
 *
 *     weir --block-list '/~d ads.example/404' --block-list '|~u /track|444'
 *
 * 444 closes the connection without a word, or resets the stream (HTTP/2). Of several rules that match, the last one counts.
 * @module
 */
import { type Addon, type AddonOptions, type Filter, type HttpFlow, type Loader, reasonFor } from "weir";
import { type Form, Spec } from "./rules/spec.ts";

const OPTION = "block_list";
const FORM: Form = { text: "/filter/status", parts: 1, filter: "required" };
/** Says: no answer (nginx). */
const NO_RESPONSE = 444;

interface Rule {
  readonly filter: Filter;
  readonly status: number;
}

export default class BlockList implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #rules: Rule[] = [];

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Answer requests that match a filter with a status; 444 closes the connection.",
      { metavar: FORM.text, group: "Rules" },
    );
  }

  configure(options: AddonOptions) {
    this.#rules = options.get<string[]>(OPTION).map(ruleOf);
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow) {
    if (!flow.live || flow.response !== null) return;
    const verdicts = this.#rules.map(({ filter }) => filter.decideFor(flow, flow.request));
    // The last one that matches counts: with the body another one may.
    const last = verdicts.findLastIndex((verdict) => verdict !== false);
    if (verdicts[last] === true) block(flow, this.#rules[last]);
    else if (last >= 0) flow.request.needWhole(`${OPTION}: a filter asks for the body of the request`);
  }

  request(flow: HttpFlow) {
    if (!flow.live || flow.response !== null) return;
    const rule = this.#rules.findLast(({ filter }) => filter.decideFor(flow, flow.request) === true);
    if (rule !== undefined) block(flow, rule);
  }
}

function block(flow: HttpFlow, { status }: Rule): void {
  flow.metadata["blocklisted"] = true;
  if (status === NO_RESPONSE) flow.kill();
  else {
    flow.response = new Response(null, {
      status,
      statusText: reasonFor(status),
      headers: { "content-length": "0" },
    });
  }
}

/** @throws {OptionError} */
function ruleOf(text: string): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const [{ text: status, at }] = spec.parts;
  if (!/^[2-5]\d\d$/.test(status)) {
    spec.refuse("the status must be a number from 200 to 599", at);
  }
  return { filter: spec.filter, status: Number(status) };
}
