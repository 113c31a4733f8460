/**
 * The option `stickycookie`: cookies that origins have set are added to later requests (mitmproxy `stickycookie`; RFC 6265).
 *
 *     weir --stickycookie '~d api.example'     requests there get all cookies that were set there before
 *
 * The cookies of all responses are kept, whatever the filter; it says which requests get them. What a request sends itself wins over
 * a kept cookie of the same name. Ports of a host are apart.
 * @module
 */
import type { Addon, AddonOptions, Filter, Headers, HttpFlow, Loader } from "weir";
import { CookieJar } from "./cookies/jar.ts";
import { filterOf } from "./rules/spec.ts";
import { waitForBody } from "./rules/wait.ts";

const OPTION = "stickycookie";

export default class StickyCookie implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  /** Null: the option is not set. */
  #filter: Filter | null = null;
  #jar = new CookieJar();

  load(loader: Loader) {
    loader.addOption(OPTION, "str", null, "Add the cookies that origins have set to requests that match.", {
      metavar: "FILTER",
      group: "Rules",
    });
  }

  configure(options: AddonOptions, changed: ReadonlySet<string>) {
    if (!changed.has(OPTION)) return;
    const text = options.get<string | null>(OPTION);
    this.#filter = text === null || text === "" ? null : filterOf(OPTION, text);
    if (this.#filter === null) this.#jar = new CookieJar();
  }

  isOff(): boolean {
    return this.#filter === null;
  }

  requestheaders(flow: HttpFlow) {
    waitForBody(OPTION, [this.#filter!], flow, flow.request);
  }

  request(flow: HttpFlow) {
    const { request } = flow;
    if (!flow.live || this.#filter!.decideFor(flow, request) !== true) return;
    const kept = this.#jar.get(request);
    if (kept.length === 0) return;
    const own = ownCookies(request.headers);
    const added = kept.filter(({ name }) => !own.names.has(name)).map(({ name, value }) =>
      `${name}=${value}`
    );
    if (added.length === 0) return;
    request.headers.set("Cookie", [...own.fields, ...added].join("; "));
    flow.metadata.stickycookie = true;
  }

  response({ request, response, live }: HttpFlow) {
    if (!live) return;
    for (const field of response!.headers.getSetCookie()) this.#jar.set(field, request);
  }
}

/** What a request sends already; HTTP/2 may send it in several fields (RFC 9113 §8.2.3). */
function ownCookies(headers: Headers): { fields: string[]; names: Set<string> } {
  const fields = headers.getAll("cookie").filter((field) => field.trim() !== "");
  const pairs = fields.flatMap((field) => field.split(";"));
  return { fields, names: new Set(pairs.map((pair) => pair.split("=", 1)[0].trim())) };
}
