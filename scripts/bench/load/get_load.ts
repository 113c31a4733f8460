/**
 * Small requests with whatever costs least here: wrk where it is installed and can do it, else our own client.
 * @module
 */
import type { GetResult, GetSpec } from "./get.ts";
import { load } from "./run.ts";
import { wrk } from "./wrk.ts";

export type { GetResult, GetSpec } from "./get.ts";

export function get(
  { tools, folder }: { readonly tools: { readonly wrk: boolean }; readonly folder: string },
  spec: GetSpec,
): Promise<GetResult> {
  const simple = !spec.target.secure && spec.idle === undefined;
  return simple && tools.wrk ? wrk(spec, folder) : load("get", spec);
}
