/**
 * The option `map_remote` (`-M`): requests go to another URL (mitmproxy `addons/mapremote.py`).
 *
 *     weir -M '|https://api.example/(v\d+)/|http://127.0.0.1:3000/\1/'
 *
 * All matches of the expression in the URL (with the host that the Host field names) are replaced; each rule sees what those before
 * it made. Nothing was sent by then, so that uploads stream to the new place. The Host field follows.
 * @module
 */
import { type Addon, type AddonOptions, type Context, type Filter, type HttpFlow, type Loader } from "weir";
import { type Form, Spec } from "./rules/spec.ts";
import { templateOf } from "./rules/template.ts";
import { parseUrl } from "./rules/url.ts";

const OPTION = "map_remote";
const FORM: Form = { text: "/[filter/]url-regex/replacement", parts: 2, filter: "optional" };

interface Rule {
  readonly filter: Filter;
  readonly regexp: RegExp;
  readonly template: string;
}

export default class MapRemote implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #rules: Rule[] = [];

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Send requests to another URL; \\1 stands for a group of the match.",
      {
        metavar: FORM.text,
        group: "Rules",
      },
    );
  }

  configure(options: AddonOptions) {
    this.#rules = options.get<string[]>(OPTION).map(ruleOf);
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow) {
    const { request } = flow;
    if (!flow.live || flow.response !== null) return;
    const url = request.prettyUrl;
    const mayNeed = this.#rules.some(({ filter, regexp }, i) =>
      // What rules before it make of the URL is not known yet.
      (i > 0 || url.search(regexp) >= 0) && filter.decideFor(flow, request) === undefined
    );
    if (mayNeed) request.needWhole(`${OPTION}: a filter asks for the body of the request`);
  }

  request(flow: HttpFlow, { log }: Context) {
    const { request } = flow;
    if (!flow.live || flow.response !== null) return;
    for (const { filter, regexp, template } of this.#rules) {
      if (filter.decideFor(flow, request) !== true) continue;
      const url = request.prettyUrl, mapped = url.replace(regexp, template);
      if (mapped === url) continue;
      const parts = parseUrl(mapped);
      if (parts === null) {
        log.warn(
          `${OPTION}: ${url} would become ${mapped}, which is no http or https URL; it stays as it is.`,
        );
        continue;
      }
      Object.assign(request, parts);
    }
  }
}

/** @throws {OptionError} */
function ruleOf(text: string): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const [subject, replacement] = spec.parts;
  const { source, flags } = spec.regex(subject);
  const regexp = new RegExp(source, `${flags}g`);
  return { filter: spec.filter, regexp, template: templateOf(spec, replacement, regexp, "text") };
}
