/**
 * The option `rfile` (`-r`): flows of files run their hooks, as if they had just come (mitmproxy `readfile`).
 *
 *     weir -nr flows.mitm '~m POST'            print some
 *     weir -nr flows.mitm -w other.mitm '~e'   keep some
 *     weir -nr sqlite:flows.db '~c 5xx'        out of a database (`flow_store`)
 *
 * weir ends when all are read, unless `keepserving` is set.
 * @module
 */
import type { Addon, AddonOptions, Context, Filter, Loader } from "weir";
import { openFlows } from "./flows/open.ts";
import { filterOf } from "./rules/spec.ts";

export default class Read implements Addon {
  #paths: readonly string[] = [];
  #filter: Filter | null = null;

  load(loader: Loader) {
    loader.addOption(
      "rfile",
      "list",
      [],
      "Read flows from this file (- is standard input), or from a database (sqlite:FILE, postgres://…).",
      {
        metavar: "FILE",
        group: "Flows",
      },
    );
    loader.addOption("readfile_filter", "str", null, "Read only flows that match.", {
      metavar: "FILTER",
      group: "Flows",
    });
  }

  configure(options: AddonOptions) {
    this.#paths = options.get<string[]>("rfile");
    const filter = options.get<string | null>("readfile_filter");
    this.#filter = filter ? filterOf("readfile_filter", filter) : null;
  }

  running(ctx: Context) {
    // Once, whatever the number of isolates.
    if (this.#paths.length > 0 && ctx.proxy.isPrimary) ctx.proxy.endsAfter(this.#readAll(ctx));
  }

  async #readAll(ctx: Context): Promise<void> {
    for (const path of this.#paths) {
      const onSkipped = (type: string) => ctx.log.debug(`${path}: a ${type} flow is passed over.`);
      // The addon store may not be there.
      const bodies = ctx.options["flow_store_bodies"] as string | null | undefined;
      for await (const flow of openFlows(path, { onSkipped, filter: this.#filter, bodies })) {
        if (this.#filter === null || this.#filter(flow)) await ctx.proxy.load(flow);
      }
    }
  }
}
