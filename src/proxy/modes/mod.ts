/**
 * The modes of listeners, one file each.
 * @module
 */
import type { ModeSpec, Options } from "../../options/mod.ts";
import type { Mode } from "./mode.ts";
import { regular } from "./regular.ts";
import { reverse } from "./reverse.ts";
import { socks5 } from "./socks5.ts";
import { transparent } from "./transparent.ts";
import { upstream } from "./upstream.ts";

export type { Layers, Mode } from "./mode.ts";
export { withAuth } from "./upstream.ts";

/** What the listeners of a mode do; `options` are read whenever a connection comes. */
export function modeOf({ spec, mode }: ModeSpec, options: Options): Mode {
  switch (mode.kind) {
    case "regular":
      return regular(spec);
    case "reverse":
      return reverse(spec, mode, options);
    case "upstream":
      return upstream(spec, mode, options);
    case "socks5":
      return socks5(spec);
    case "transparent":
      return transparent(spec);
  }
}
