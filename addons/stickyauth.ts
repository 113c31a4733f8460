/**
 * The option `stickyauth`: the `Authorization` that a host was sent is added to later requests there (mitmproxy `stickyauth`).
 *
 *     weir --stickyauth '~d api.example'
 *
 * It is kept of all requests, whatever the filter, the newest for each host; the filter says which requests get it that have none.
 * @module
 */
import type { Addon, AddonOptions, Filter, HttpFlow, Loader } from "weir";
import { RecentMap } from "./recent_map.ts";
import { filterOf } from "./rules/spec.ts";
import { waitForBody } from "./rules/wait.ts";

const OPTION = "stickyauth";
/** So many hosts are remembered, and none with a longer field. */
const MAX_HOSTS = 1024;
const MAX_FIELD = 16 * 1024;

export default class StickyAuth implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  /** Null: the option is not set. */
  #filter: Filter | null = null;
  readonly #hosts = new RecentMap<string, string>(MAX_HOSTS);

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "str",
      null,
      "Add the Authorization that a host was sent before to requests there that match and have none.",
      { metavar: "FILTER", group: "Rules" },
    );
  }

  configure(options: AddonOptions, changed: ReadonlySet<string>) {
    if (!changed.has(OPTION)) return;
    const text = options.get<string | null>(OPTION);
    this.#filter = text === null || text === "" ? null : filterOf(OPTION, text);
    if (this.#filter === null) this.#hosts.clear();
  }

  isOff(): boolean {
    return this.#filter === null;
  }

  requestheaders(flow: HttpFlow) {
    waitForBody(OPTION, [this.#filter!], flow, flow.request);
  }

  /** What is answered already may come from anybody (`proxyauth`). */
  request(flow: HttpFlow) {
    if (!flow.live || flow.response !== null) return;
    const { headers } = flow.request, host = flow.request.host.toLowerCase();
    const own = headers.get("authorization");
    if (own !== null) {
      if (own.length <= MAX_FIELD) this.#hosts.set(host, own);
    } else if (this.#filter!.decideFor(flow, flow.request) === true) {
      const kept = this.#hosts.get(host);
      if (kept !== undefined) headers.set("Authorization", kept);
    }
  }
}
