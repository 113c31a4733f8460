/**
 * The modes of listeners, one file each.
 * @module
 */
import type { ModeSpec, Options } from "../../options/mod.ts";
import type { Mode } from "./mode.ts";
import { regular } from "./regular.ts";
import { reverse } from "./reverse.ts";

export type { Layers, Mode } from "./mode.ts";

/** What the listeners of a mode do; `options` are read whenever a connection comes. */
export function modeOf({ spec, mode }: ModeSpec, options: Options): Mode {
  return mode.kind === "regular" ? regular(spec) : reverse(spec, mode, options);
}
